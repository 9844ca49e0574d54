import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { GbnfSampler } from '../../../test/support/gbnf-sampler.js';
import { compileGrammar } from './grammar.js';
import { parseCalls } from './parse.js';

function tool(name: string, parameters: Record<string, unknown>) {
  return { name, description: '', parameters };
}

function draws(grammar: string, count = 300): string[] {
  return Array.from({ length: count }, (_, seed) => new GbnfSampler(grammar, seed).draw());
}

/** The arguments of all calls that a grammar for one tool with these parameters gives. */
function argumentsOf(parameters: Record<string, unknown>): string[] {
  const prefix = '[{"name": "t", "arguments": ';
  const texts = draws(compileGrammar([tool('t', parameters)], { maxCalls: 1 }));
  return texts.filter((text) => text !== '[]').map((text) => text.slice(prefix.length, -2));
}

const address = {
  type: 'object',
  properties: { street: { type: 'string' }, floor: { type: 'integer' } },
  required: ['street'],
};

const everything = {
  type: 'object',
  properties: {
    text: { type: 'string' },
    count: { type: 'integer' },
    ratio: { type: 'number' },
    flag: { type: 'boolean' },
    nothing: { type: 'null' },
    maybe: { type: ['string', 'null'] },
    unit: { type: 'string', enum: ['°C', '"F"', 'a\\b', 'line\nbreak', '\u0007', '\u007f'] },
    version: { const: { major: 1, tags: ['x', null] } },
    list: { type: 'array', items: { type: 'integer' }, minItems: 1, maxItems: 3 },
    matrix: { type: 'array', items: { type: 'array', items: { type: 'number' } } },
    address,
    either: { anyOf: [{ type: 'integer' }, address] },
    free: {},
    map: { type: 'object', additionalProperties: { type: 'integer' } },
    tree: { $ref: '#/$defs/node' },
  },
  required: ['text', 'unit', 'version', 'list', 'address', 'tree'],
  additionalProperties: false,
  $defs: {
    node: {
      type: 'object',
      properties: { children: { type: 'array', items: { $ref: '#/$defs/node' } } },
      required: ['children'],
      additionalProperties: false,
    },
  },
};

describe('compileGrammar', () => {
  it('gives valid calls of the tools, at most maxCalls', () => {
    const tools = [tool('plain', address), tool('all', everything)];
    const ajv = new Ajv({ strict: false });
    const validators = new Map(
      tools.map(({ name, parameters }) => [name, ajv.compile(parameters)]),
    );
    const counts = new Set<number>();
    for (const text of draws(compileGrammar(tools, { maxCalls: 3 }), 2000)) {
      const result = parseCalls(text);
      if (!result.ok) throw new Error(`${result.reason}: ${text}`);
      counts.add(result.calls.length);
      for (const call of result.calls) {
        const validate = validators.get(call.name);
        expect(validate?.(call.arguments), `${text}: ${ajv.errorsText(validate?.errors)}`).toBe(
          true,
        );
      }
    }
    expect([...counts].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
  });

  it('allows only a refusal where no call is possible', () => {
    expect(compileGrammar([], { maxCalls: 3 })).toBe('root ::= "[]"');
    expect(compileGrammar([tool('t', address)], { maxCalls: 0 })).toBe('root ::= "[]"');
  });

  it('writes arguments in the order of the schema, optional ones or not', () => {
    const properties = { a: { const: 1 }, b: { const: 2 }, c: { const: 3 }, d: { const: 4 } };
    const texts = argumentsOf({ type: 'object', properties, required: ['b', 'd'] });
    expect([...new Set(texts)].toSorted()).toEqual([
      '{"a": 1, "b": 2, "c": 3, "d": 4}',
      '{"a": 1, "b": 2, "d": 4}',
      '{"b": 2, "c": 3, "d": 4}',
      '{"b": 2, "d": 4}',
    ]);
  });

  it('writes an object of optional members, none or any', () => {
    const properties = { a: { const: 1 }, b: { const: 2 } };
    const texts = argumentsOf({ type: 'object', properties });
    expect([...new Set(texts)].toSorted()).toEqual([
      '{"a": 1, "b": 2}',
      '{"a": 1}',
      '{"b": 2}',
      '{}',
    ]);
  });

  it.each([
    'quote"d',
    'back\\slash',
    'new\nline',
    'bell\u0007',
    'naïve 名前 😀',
    '__proto__',
    '] | "x',
  ])('names the tool and the parameter %j', (name) => {
    const properties = Object.fromEntries([[name, { const: name }]]);
    const parameters = { type: 'object', properties, required: [name] };
    const texts = draws(compileGrammar([tool(name, parameters)], { maxCalls: 1 }), 40);
    const calls = texts.flatMap((text) => {
      const result = parseCalls(text);
      if (!result.ok) throw new Error(`${result.reason}: ${text}`);
      return result.calls;
    });
    expect(calls[0]?.name).toBe(name);
    expect(Object.entries(calls[0]?.arguments ?? {})).toEqual([[name, name]]);
  });

  it('writes numbers that a double holds: finite, integers exact', () => {
    for (const text of argumentsOf({
      type: 'object',
      properties: { n: { type: 'number' }, i: { type: 'integer' } },
      required: ['n', 'i'],
    })) {
      const { n, i } = JSON.parse(text) as { n: number; i: number };
      expect(Number.isFinite(n)).toBe(true);
      expect(Number.isSafeInteger(i)).toBe(true);
    }
  });

  it('keeps list bounds', () => {
    const lengths = (bounds: object) => {
      const list = { type: 'array', items: { const: 1 }, ...bounds };
      const texts = argumentsOf({ type: 'object', properties: { list }, required: ['list'] });
      return [
        ...new Set(texts.map((text) => (JSON.parse(text) as { list: [] }).list.length)),
      ].toSorted((a, b) => a - b);
    };
    expect(lengths({ minItems: 2, maxItems: 3 })).toEqual([2, 3]);
    expect(lengths({ maxItems: 1 })).toEqual([0, 1]);
    expect(lengths({ maxItems: 0 })).toEqual([0]);
    expect(lengths({ minItems: 1 })).toContain(3);
    expect(lengths({ minItems: 1 })).not.toContain(0);
  });

  it.each([
    ['a type that is not JSON Schema', { type: 'dict' }],
    ['allOf', { allOf: [{ type: 'string' }] }],
    ['a remote reference', { $ref: 'https://example.com/schema' }],
    ['a reference to nothing', { $ref: '#/$defs/none' }],
    ['a boolean schema', true],
  ])('leaves %s open to any JSON value', (_, schema) => {
    const texts = argumentsOf({ type: 'object', properties: { x: schema }, required: ['x'] });
    const kinds = texts.map((text) => {
      const { x } = JSON.parse(text) as { x: unknown };
      return Array.isArray(x) ? 'array' : x === null ? 'null' : typeof x;
    });
    expect(new Set(kinds)).toEqual(
      new Set(['string', 'number', 'boolean', 'null', 'array', 'object']),
    );
  });

  it('ends references that lead back to themselves without text between', () => {
    const parameters = {
      type: 'object',
      properties: { x: { $ref: '#/$defs/a' } },
      required: ['x'],
      $defs: { a: { $ref: '#/$defs/b' }, b: { anyOf: [{ $ref: '#/$defs/a' }, { type: 'null' }] } },
    };
    for (const text of argumentsOf(parameters)) expect(() => JSON.parse(text)).not.toThrow();
  });
});
