import { describe, expect, it } from 'vitest';
import type { JsonSchema, ToolDefinition } from '#libs/contracts';
import { maskKey, type Masking, maskTools } from './mask.js';
import { MASK_STYLES } from './mask-styles.js';

function tool(name: string, properties: JsonSchema, more: JsonSchema = {}): ToolDefinition {
  return { name, description: '', parameters: { type: 'object', properties, ...more } };
}

/** The masks of parameters of the only tool, by name. */
function masksOf({ names, tools }: Masking): Record<string, string> {
  const parameters = names.parameters[tools[0]?.name ?? ''] ?? {};
  return Object.fromEntries(Object.entries(parameters).map(([mask, name]) => [name, mask]));
}

function maskOne(
  properties: JsonSchema,
  more: JsonSchema = {},
): Masking & { schema: JsonSchema; masks: Record<string, string> } {
  const masking = maskTools([tool('f', properties, more)], { key: 'key' });
  return { ...masking, schema: masking.tools[0]?.parameters ?? {}, masks: masksOf(masking) };
}

const weather: ToolDefinition = tool(
  'get_weather',
  {
    city: { type: 'string', enum: ['city', 'Oslo'], default: 'city' },
    place: {
      type: 'object',
      properties: { city: { type: 'string' }, 'a/b': { $ref: '#/properties/city' } },
      required: ['a/b'],
    },
    days: { type: 'array', items: { $ref: '#/properties/place/properties/a~1b' } },
    tree: { $ref: '#/$defs/city' },
  },
  {
    required: ['city', 'days'],
    dependentRequired: { place: ['city'] },
    $defs: { city: { type: 'object', properties: { city: { $ref: '#/$defs/city' } } } },
  },
);

describe('maskTools', () => {
  it('renames parameters wherever a schema lists them, and nothing else', () => {
    const masking = maskTools([weather], { key: 'key' });
    const {
      city,
      place,
      days,
      tree,
      'a/b': slash,
    } = masksOf(masking) as Record<string, string> &
      Record<'city' | 'place' | 'days' | 'tree' | 'a/b', string>;
    expect(masking.tools[0]?.parameters).toEqual({
      type: 'object',
      properties: {
        [city]: { type: 'string', enum: ['city', 'Oslo'], default: 'city' },
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
  });

  it('renames where other keywords list a parameter, also a discriminator', () => {
    const { schema, masks } = maskOne(
      { kind: { type: 'string' }, a: {} },
      {
        dependentSchemas: { a: { required: ['b'] } },
        anyOf: [{ required: ['c'] }, { not: { required: ['d'] } }],
        discriminator: { propertyName: 'kind' },
      },
    );
    const { kind, a, b, c, d } = masks as Record<'kind' | 'a' | 'b' | 'c' | 'd', string>;
    expect(schema).toEqual({
      type: 'object',
      properties: { [kind]: { type: 'string' }, [a]: {} },
      dependentSchemas: { [a]: { required: [b] } },
      anyOf: [{ required: [c] }, { not: { required: [d] } }],
      discriminator: { propertyName: kind },
    });
  });

  it('renames the keys of defaults and examples, and keeps names that enum or const need', () => {
    const place = { type: 'object', properties: { city: {}, note: { enum: [{ size: 1 }] } } };
    const { schema, masks } = maskOne({
      place: { ...place, default: { city: 'Oslo', free: 1 }, examples: [{ city: 'Rome' }] },
      size: {},
    });
    expect(masks.size).toBeUndefined();
    const [shown] = Object.values(schema.properties as JsonSchema) as [JsonSchema];
    expect(shown.default).toEqual({ [masks.city ?? '']: 'Oslo', free: 1 });
    expect(shown.examples).toEqual([{ [masks.city ?? '']: 'Rome' }]);
    expect(Object.values(shown.properties as JsonSchema)).toContainEqual({ enum: [{ size: 1 }] });
  });

  it('keeps names that a pattern judges, there and only there', () => {
    const inner = { type: 'object', properties: { b: {} }, patternProperties: { '^b': {} } };
    const { masks } = maskOne(
      { a: inner, c: { allOf: [{ properties: { d: {} } }, { $ref: '#/$defs/names' }] } },
      { $defs: { names: { propertyNames: { enum: ['d'] } } } },
    );
    expect(Object.keys(masks)).toEqual(['a', 'c']);
  });

  it('renames in places where a schema lists the parameter, and leaves data alone', () => {
    const leaf = { type: 'object', properties: { city: {} } };
    const { mask, masks } = maskOne(
      {
        branch: { anyOf: [{ type: 'string' }, leaf] },
        both: { allOf: [leaf, { properties: { more: leaf } }] },
        list: { type: 'array', prefixItems: [{}, leaf], items: { $ref: '#/$defs/Leaf' } },
        map: { type: 'object', additionalProperties: leaf },
        some: { type: 'object', patternProperties: { '^x_': leaf } },
        free: { type: 'object' },
        tree: { $ref: '#/$defs/Tree' },
        // oxlint-disable-next-line unicorn/no-thenable -- a keyword
        chosen: { if: { required: ['on'] }, then: leaf, else: { properties: { off: leaf } } },
      },
      { $defs: { Leaf: leaf, Tree: { properties: { next: { $ref: '#/$defs/Tree' }, city: {} } } } },
    );
    const m = (name: string): string => masks[name] ?? name;
    const data = { city: { city: 1 } };
    const args = {
      branch: data,
      both: { ...data, more: data },
      list: [data, data, data],
      map: { city: data, other: data },
      some: { x_1: data, other: data },
      free: data,
      tree: { city: 1, next: { next: data } },
      chosen: { on: 1, city: 2, off: data },
      unknown: data,
    };
    const hidden = { [m('city')]: { city: 1 } };
    expect(mask({ name: 'f', arguments: args }).arguments).toEqual({
      [m('branch')]: hidden,
      [m('both')]: { ...hidden, [m('more')]: hidden },
      [m('list')]: [data, hidden, hidden],
      [m('map')]: { city: hidden, other: hidden },
      [m('some')]: { x_1: hidden, other: data },
      [m('free')]: data,
      [m('tree')]: { [m('city')]: 1, [m('next')]: { [m('next')]: hidden } },
      [m('chosen')]: { [m('on')]: 1, [m('city')]: 2, [m('off')]: hidden },
      unknown: data,
    });
  });

  it('gives equal masks for equal tools and keys, and others for another key or another tool', () => {
    const [again, same, other] = ['k1', 'k1', 'k2'].map(
      (key) => maskTools([weather], { key }).tools,
    );
    expect(again).toEqual(same);
    expect(other?.[0]?.name).not.toBe(again?.[0]?.name);
    const [one, two] = maskTools([weather, { ...weather, name: 'b' }], { key: 'k1' }).tools;
    expect(one).toEqual(again?.[0]);
    expect(two?.parameters).not.toEqual(one?.parameters);
    expect(maskKey('a', 'b')).not.toBe(maskKey('ab', ''));
  });

  it('gives back the real names, by masks', () => {
    const masking = maskTools([weather, tool('plain', {})], { key: 'key' });
    const [first = '', second = ''] = masking.tools.map(({ name }) => name);
    expect(masking.names.functions).toEqual({ [first]: 'get_weather', [second]: 'plain' });
    expect(Object.keys(masking.names.parameters)).toEqual([first, second]);
    expect(Object.values(masking.names.parameters[first] ?? {})).toEqual([
      'city',
      'place',
      'a/b',
      'days',
      'tree',
    ]);
  });

  it('does not change the tools it is given', () => {
    const before = structuredClone(weather);
    maskTools([weather], { key: 'key' });
    expect(weather).toEqual(before);
  });

  it.each(MASK_STYLES)(
    'keeps masks apart from each other and from all real names (%s)',
    (style) => {
      const own = Array.from({ length: 20_000 }, (_, index) => `p${index}`);
      const syllables = ['ba', 'ko', 'ni', 'se', 'gu'];
      const tools = [
        tool('ka', Object.fromEntries(own.map((name) => [name, {}]))),
        tool('ke', Object.fromEntries(syllables.map((name) => [name, {}]))),
      ];
      const masking = maskTools(tools, { key: 'key', style });
      const real = new Set([...own, ...syllables, 'ka', 'ke']);
      for (const { name, parameters } of masking.tools) {
        const masks = [name, ...Object.keys(parameters.properties as JsonSchema)];
        expect(new Set(masks).size).toBe(masks.length);
        expect(masks.filter((mask) => real.has(mask))).toEqual([]);
      }
    },
  );

  it('passes on what is no mask', () => {
    const { unmask, mask, tools } = maskTools([weather], { key: 'key' });
    for (const name of ['get_weather', 'other']) {
      const stranger = { name, arguments: { city: 'Oslo' } };
      expect(unmask(stranger)).toEqual(stranger);
    }
    const other = { name: 'other', arguments: { city: 'Oslo' } };
    expect(mask(other)).toEqual(other);
    const args = { other: { city: 1 } };
    expect(unmask({ name: tools[0]?.name ?? '', arguments: args }).arguments).toEqual(args);
  });

  it('counts the masked one of two arguments that mean the same, in any order', () => {
    const { unmask, masks, tools } = maskOne({ city: {} });
    const { city } = masks as { city: string };
    for (const args of [
      { [city]: 'masked', city: 'real' },
      { city: 'real', [city]: 'masked' },
    ]) {
      expect(unmask({ name: tools[0]?.name ?? '', arguments: args }).arguments).toEqual({
        city: 'masked',
      });
    }
  });

  it('survives arguments of any depth', () => {
    const { unmask, mask, masks } = maskOne({ tree: { $ref: '#' } });
    const { tree = '' } = masks;
    const deep = (key: string, levels: number): Record<string, unknown> =>
      JSON.parse(`{"${key}":`.repeat(levels) + '1' + '}'.repeat(levels)) as Record<string, unknown>;
    expect(mask({ name: 'f', arguments: deep('tree', 64) }).arguments).toEqual(deep(tree, 64));
    let left = unmask(mask({ name: 'f', arguments: deep('tree', 5_000) })).arguments;
    for (let level = 0; level < 4_999; level++) left = left.tree as Record<string, unknown>;
    expect(left).toEqual({ tree: 1 });
  });

  it('takes time linear in a schema', () => {
    const properties = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`p_${index}`, { description: '`p_1` p_2' }]),
    );
    const { schema, mask, masks } = maskOne(properties);
    expect(Object.values(schema.properties as JsonSchema)[0]).toEqual({
      description: `\`${masks.p_1}\` ${masks.p_2}`,
    });
    expect(mask({ name: 'f', arguments: { p_1: 1 } }).arguments).toEqual({ [masks.p_1 ?? '']: 1 });
  });

  it('takes a choice among very many schemas', () => {
    const anyOf = Array.from({ length: 150_000 }, () => ({ properties: { a: {} } }));
    const { mask, masks } = maskOne({ choice: { anyOf } });
    expect(mask({ name: 'f', arguments: { choice: { a: 1 } } }).arguments).toEqual({
      [masks.choice ?? '']: { [masks.a ?? '']: 1 },
    });
  });

  describe('refuses, by the name of the tool,', () => {
    const cyclic: JsonSchema = { type: 'object' };
    cyclic.properties = { self: cyclic };
    const cyclicData: unknown[] = [];
    cyclicData.push(cyclicData);
    let vast: JsonSchema = {};
    for (let level = 0; level < 40; level++) vast = { anyOf: [vast, vast] };
    let deep: JsonSchema = {};
    for (let level = 0; level < 10_000; level++) deep = { items: deep };

    it.each([
      [
        'a schema that contains itself',
        { properties: { a: cyclic } },
        /tool "bad".*contains itself/,
      ],
      ['a value that contains itself', { default: cyclicData }, /tool "bad".*contains itself/],
      ['a schema that is too deep', deep, /tool "bad".*deeper/],
      ['shared parts that make a schema vast', vast, /tool "bad".*over 1000000/],
      ['a reference that leads elsewhere', { $ref: 'https://x.org/s' }, /tool "bad".*\$ref/],
    ])('%s', (_, parameters, message) => {
      const tools = [weather, { name: 'bad', description: '', parameters }];
      expect(() => maskTools(tools, { key: 'k' })).toThrow(message);
      expect(() => maskTools(tools, { key: 'k' })).toThrow(
        expect.objectContaining({
          code: 'invalid_request',
          faults: [expect.objectContaining({ pointer: '/tools/1/parameters' })],
        }),
      );
    });

    it.each([
      ['in another shape', { type: 'function', function: tool('f', {}) }],
      ['without a description', { name: 'f', parameters: {} }],
      ['without parameters', { name: 'f', description: '' }],
    ])('refuses a tool %s', (_, given) => {
      const tools = [tool('ok', {}), given as ToolDefinition];
      expect(() => maskTools(tools, { key: 'k' })).toThrow('/tools/1: has no name, description');
    });

    it('refuses a style that there is not', () => {
      const style = 'toString' as 'hash';
      expect(() => maskTools([], { key: 'k', style })).toThrow(
        '/style: there is no style toString',
      );
    });

    it('two tools of one name', () => {
      expect(() => maskTools([weather, weather], { key: 'k' })).toThrow(
        '/tools/1/name: tools 0 and 1 have the same name "get_weather"',
      );
    });
  });
});
