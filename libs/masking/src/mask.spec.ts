import { describe, expect, it } from 'vitest';
import type { JsonSchema, ToolDefinition } from '#libs/contracts';
import { maskTools } from './mask.js';

type Random = () => number;

/** A small seeded generator (mulberry32): a failing seed is in the test's name. */
function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pieces = [
  'city',
  'Ünï',
  '日本',
  '🙂',
  '__proto__',
  'constructor',
  '10',
  '2',
  '',
  'a/b',
  '~',
  '%',
  '\ud800',
];

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

function someNames(random: Random, most: number): string[] {
  const count = Math.floor(random() * (most + 1));
  return [
    ...new Set(
      Array.from(
        { length: count },
        () => pick(random, pieces) + (random() < 0.3 ? '' : pick(random, pieces)),
      ),
    ),
  ];
}

function someSchema(random: Random, depth: number): JsonSchema {
  const kind =
    depth === 0 ? 'string' : pick(random, ['string', 'object', 'object', 'array', 'map']);
  if (kind === 'array') return { type: 'array', items: someSchema(random, depth - 1) };
  if (kind === 'map')
    return { type: 'object', additionalProperties: someSchema(random, depth - 1) };
  if (kind === 'string') return { type: 'string', description: pick(random, pieces), enum: ['x'] };
  const names = someNames(random, 4);
  return {
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, someSchema(random, depth - 1)])),
    required: names.filter(() => random() < 0.5),
  };
}

function someTools(random: Random): ToolDefinition[] {
  return [...new Set([...someNames(random, 5), 'last'])].map((name) => ({
    name,
    description: `what ${name} does`,
    parameters: {
      type: 'object',
      properties: Object.fromEntries(
        someNames(random, 5).map((parameter) => [parameter, someSchema(random, 3)]),
      ),
    },
  }));
}

/** Arguments for a schema: from equal seeds, equal but for the names in the schema. */
function someValue(schema: JsonSchema, random: Random): unknown {
  if (schema.type === 'string') return pick(random, pieces);
  if (schema.type === 'array') {
    return Array.from({ length: Math.floor(random() * 3) }, () =>
      someValue(schema.items as JsonSchema, random),
    );
  }
  if (schema.additionalProperties !== undefined) {
    const values = schema.additionalProperties as JsonSchema;
    return Object.fromEntries(
      someNames(random, 2).map((name) => [name, someValue(values, random)]),
    );
  }
  const properties = Object.entries(schema.properties as Record<string, JsonSchema>);
  return Object.fromEntries(
    properties.flatMap(([name, property]) =>
      random() < 0.7 ? [[name, someValue(property, random)]] : [],
    ),
  );
}

function someArguments(tool: ToolDefinition, seed: number): Record<string, unknown> {
  return someValue(tool.parameters, seeded(seed)) as Record<string, unknown>;
}

function propertyNames(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { properties, items, additionalProperties } = schema as JsonSchema;
  const own = Object.entries(properties ?? {});
  return [
    ...own.map(([name]) => name),
    ...[...own.map(([, member]) => member as unknown), items, additionalProperties].flatMap(
      propertyNames,
    ),
  ];
}

const weather: ToolDefinition = {
  name: 'get_weather',
  description: 'Weather in a city.',
  parameters: {
    type: 'object',
    properties: {
      city: {
        type: 'string',
        description: 'City, as city.',
        enum: ['city', 'Oslo'],
        default: 'city',
      },
      place: {
        type: 'object',
        properties: { city: { type: 'string' }, 'a/b': { $ref: '#/properties/city' } },
        required: ['a/b'],
      },
      days: { type: 'array', items: { $ref: '#/properties/place/properties/a~1b' } },
      tree: { $ref: '#/$defs/city' },
    },
    required: ['city', 'days'],
    dependentRequired: { place: ['city'] },
    $defs: { city: { type: 'object', properties: { city: { $ref: '#/$defs/city' } } } },
  },
};

describe('maskTools', () => {
  it('gives every call back', () => {
    for (let seed = 0; seed < 300; seed++) {
      const tools = someTools(seeded(seed));
      const { tools: masked, unmask } = maskTools(tools, 'key');
      tools.forEach((tool, index) => {
        const hidden = masked[index] as ToolDefinition;
        const call = { name: tool.name, arguments: someArguments(tool, seed) };
        const maskedCall = { name: hidden.name, arguments: someArguments(hidden, seed) };
        // As text, too: it shows order and own `__proto__` members, which toEqual passes over.
        expect(JSON.stringify(unmask(maskedCall)), `seed ${seed}`).toBe(JSON.stringify(call));
      });
    }
  });

  it('hides every name, each in a mask of its own', () => {
    for (let seed = 0; seed < 300; seed++) {
      const tools = someTools(seeded(seed));
      const { tools: masked, names } = maskTools(tools, 'key');
      expect([...names.values()]).toEqual(tools.map((tool) => tool.name));
      expect([...names.keys()]).toEqual(masked.map((tool) => tool.name));
      tools.forEach((tool, index) => {
        const hidden = masked[index] as ToolDefinition;
        expect(hidden.name).toMatch(/^[A-Za-z][A-Za-z0-9_.]{4,14}$/);
        const real = propertyNames(tool.parameters);
        const masks = propertyNames(hidden.parameters);
        for (const mask of masks) expect(mask).toMatch(/^[A-Za-z][A-Za-z0-9_.]{3,9}$/);
        const pairs = real.map((name, at) => JSON.stringify([name, masks[at]]));
        expect(masks, `seed ${seed}`).toHaveLength(real.length);
        expect(new Set(pairs).size, `seed ${seed}`).toBe(new Set(real).size);
        expect(new Set(masks).size, `seed ${seed}`).toBe(new Set(real).size);
      });
    }
  });

  it('renames parameters wherever a schema names them, and nothing else', () => {
    const { tools } = maskTools([weather], 'key');
    const text = JSON.stringify(tools[0]?.parameters);
    const masks = Object.keys(tools[0]?.parameters.properties as object);
    const [city, place, days, tree] = masks as [string, string, string, string];
    const slash = text.match(/"required":\["([^"]+)"\]\}/)?.[1] as string;
    expect(JSON.parse(text)).toEqual({
      type: 'object',
      properties: {
        [city]: {
          type: 'string',
          description: 'City, as city.',
          enum: ['city', 'Oslo'],
          default: 'city',
        },
        [place]: {
          type: 'object',
          properties: { [city]: { type: 'string' }, [slash]: { $ref: `#/properties/${city}` } },
          required: [slash],
        },
        [days]: { type: 'array', items: { $ref: `#/properties/${place}/properties/${slash}` } },
        [tree]: { $ref: '#/$defs/city' },
      },
      required: [city, days],
      dependentRequired: { [place]: [city] },
      $defs: { city: { type: 'object', properties: { [city]: { $ref: '#/$defs/city' } } } },
    });
    expect(tools[0]?.description).toBe('Weather in a city.');
  });

  it('gives equal masks for an equal key, and others for another key or another tool', () => {
    const [again, same, other] = ['k1', 'k1', 'k2'].map((key) => maskTools([weather], key).tools);
    expect(again).toEqual(same);
    expect(other?.[0]?.name).not.toBe(again?.[0]?.name);
    const [one, two] = maskTools([weather, { ...weather, name: 'b' }], 'k1').tools;
    expect(one).toEqual(again?.[0]);
    expect(two?.parameters).not.toEqual(one?.parameters);
  });

  it('does not change the tools it is given', () => {
    const before = structuredClone(weather);
    maskTools([weather], 'key');
    expect(weather).toEqual(before);
  });

  it('keeps masks apart from each other and from real names', () => {
    const names = Array.from({ length: 60_000 }, (_, index) => `p${index}`);
    const properties = Object.fromEntries(names.map((name) => [name, {}]));
    const { tools } = maskTools(
      [{ name: 'f', description: '', parameters: { properties } }],
      'key',
    );
    expect(Object.keys(tools[0]?.parameters.properties as object)).toHaveLength(names.length);
  });

  it('takes no real name for a mask', () => {
    const given = (names: string[]): ToolDefinition[] =>
      names.map((name) => ({ name, description: '', parameters: {} }));
    const mask = maskTools(given(['a']), 'key').tools[0]?.name as string;
    const { tools } = maskTools(given(['a', mask]), 'key');
    expect(tools.map((tool) => tool.name)).not.toContain(mask);
  });

  it('draws lengths and symbols evenly', () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `p${index}`);
    const tools = names.map((name) => ({ name, description: '', parameters: {} }));
    const masks = maskTools(tools, 'key').tools.map((tool) => tool.name);
    const lengths = Map.groupBy(masks, (mask) => mask.length);
    expect([...lengths.keys()].toSorted((a, b) => a - b)).toEqual([
      5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
    ]);
    for (const some of lengths.values()) expect(some.length / masks.length).toBeCloseTo(1 / 11, 1);
    const symbols = [...masks.map((mask) => mask.slice(1)).join('')];
    for (const some of Map.groupBy(symbols, (symbol) => symbol).values()) {
      expect(some.length / symbols.length).toBeGreaterThan(0.8 / 64);
      expect(some.length / symbols.length).toBeLessThan(1.2 / 64);
    }
  });

  it('passes on what is no mask', () => {
    const { tools, unmask } = maskTools([weather], 'key');
    const stranger = { name: 'get_weather', arguments: { city: 'Oslo' } };
    expect(unmask(stranger)).toEqual(stranger);
    const name = tools[0]?.name as string;
    expect(unmask({ name, arguments: { other: { city: 1 } } })).toEqual({
      name: 'get_weather',
      arguments: { other: { city: 1 } },
    });
  });

  it('counts the masked one of two arguments that mean the same', () => {
    const { tools, unmask } = maskTools([weather], 'key');
    const [city] = Object.keys(tools[0]?.parameters.properties as object) as [string];
    const name = tools[0]?.name as string;
    expect(unmask({ name, arguments: { [city]: 'masked', city: 'real' } }).arguments).toEqual({
      city: 'masked',
    });
  });

  it('survives arguments of any depth', () => {
    const deep = JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`) as unknown;
    const { tools, unmask } = maskTools([weather], 'key');
    const name = tools[0]?.name as string;
    expect(unmask({ name, arguments: { deep } }).arguments.deep).toHaveLength(1);
  });
});
