import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { compileGrammar } from './grammar.js';
import { parseCalls } from './parse.js';

/** Draws texts of a GBNF grammar: a second reading of what compileGrammar wrote. */
class Sampler {
  readonly #rules: ReadonlyMap<string, string>;
  readonly #random: () => number;
  #depth = 0;

  constructor(grammar: string, seed: number) {
    const rules = grammar.split('\n').map((line): [string, string] => {
      const at = line.indexOf(' ::= ');
      return [line.slice(0, at), line.slice(at + 5)];
    });
    this.#rules = new Map(rules);
    let state = seed;
    this.#random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
  }

  draw(rule = 'root'): string {
    const body = this.#rules.get(rule);
    if (body === undefined) throw new Error(`no rule ${rule}`);
    this.#depth += 1;
    const text = this.#expression(body);
    this.#depth -= 1;
    return text;
  }

  #expression(source: string): string {
    const alternatives = split(source, '|');
    // Deep down, the shortest way out: recursive values have to end.
    const pick = this.#depth > 12 ? 0 : Math.floor(this.#random() * alternatives.length);
    return split(alternatives[pick] ?? '', ' ')
      .map((item) => this.#item(item))
      .join('');
  }

  #item(item: string): string {
    const [, body = '', quantifier] = /^(.*?)([?*]|\{\d+(?:,\d*)?\})?$/s.exec(item) ?? [];
    const [least = 0, most = least + 3] =
      quantifier === undefined
        ? [1, 1]
        : quantifier === '?'
          ? [0, 1]
          : quantifier === '*'
            ? [0, 3]
            : /^\{(\d+)\}$/.test(quantifier)
              ? [Number(quantifier.slice(1, -1)), Number(quantifier.slice(1, -1))]
              : quantifier.slice(1, -1).split(',').filter(Boolean).map(Number);
    const span = this.#depth > 12 ? 0 : Math.floor(this.#random() * (most - least + 1));
    let text = '';
    for (let count = 0; count < least + span; count += 1) text += this.#once(body);
    return text;
  }

  #once(body: string): string {
    if (body.startsWith('(')) return this.#expression(body.slice(1, -1));
    if (body.startsWith('"')) return body.slice(1, -1).replaceAll(/\\(.)/g, '$1');
    if (!body.startsWith('[')) return this.draw(body);
    const samples: Record<string, string> = {
      '[^"\\\\\\x00-\\x1F\\x7F]': 'aZ 0[]{}<|é名😀\u2028',
      '["\\\\/bfnrt]': '"\\/bfnrt',
      '[0-9a-fA-F]': '09afAF',
      '[1-9]': '19',
      '[0-9]': '059',
      '[eE]': 'eE',
      '[-+]': '-+',
    };
    const characters = [...(samples[body] ?? '')];
    if (characters.length === 0) throw new Error(`no sample for ${body}`);
    return characters[Math.floor(this.#random() * characters.length)] ?? '';
  }
}

/** Splits at a separator outside quotes, classes and parentheses. */
function split(source: string, separator: string): string[] {
  const parts = [''];
  let depth = 0;
  let inside = '';
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at] ?? '';
    let taken = character;
    if (inside !== '') {
      if (character === '\\') taken += source[++at] ?? '';
      else if (character === inside) inside = '';
    } else if (character === '"') inside = '"';
    else if (character === '[') inside = ']';
    else if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
    else if (character === separator && depth === 0) {
      parts.push('');
      continue;
    }
    parts[parts.length - 1] += taken;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function tool(name: string, parameters: Record<string, unknown>) {
  return { name, description: '', parameters };
}

function draws(grammar: string, count = 300): string[] {
  return Array.from({ length: count }, (_, seed) => new Sampler(grammar, seed).draw());
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
