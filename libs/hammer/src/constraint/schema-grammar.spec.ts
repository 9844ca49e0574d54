import { describe, expect, it } from 'vitest';
import { GbnfAcceptor } from '../../../../test/support/gbnf-acceptor.js';
import { type CompileReport, compileConstraint } from './compile-constraint.js';

type Schema = Record<string, unknown>;

/** Whether a schema's grammar has a value, given as JSON text; undefined: the property is absent. */
function hold(schema: unknown, more: Schema = {}) {
  const parameters = { type: 'object', properties: { x: schema }, ...more };
  const { grammar, report } = compileConstraint([{ name: 't', description: '', parameters }], {
    toolChoice: 'required',
    fence: false,
  });
  const acceptor = new GbnfAcceptor(grammar);
  const accepts = (json: string): boolean =>
    acceptor.accepts(`[{"name": "t", "arguments": {"x": ${json}}}]`);
  return { accepts, report };
}

function keywords({ widened }: CompileReport): string[] {
  return widened.map(({ pointer, keyword }) => `${pointer} ${keyword}`);
}

describe('what the grammar holds of a schema', () => {
  it.each<[string, unknown, string[], string[]]>([
    [
      'integers',
      { type: 'integer' },
      ['0', '-7', '8999999999999999'],
      ['1.0', '01', '9007199254740993', '1e5'],
    ],
    [
      'numbers',
      { type: 'number' },
      ['5', '5.0', '-0.0', '1e-07', '1e+21', '0.30000000000000004', '5e-324', '2E289'],
      ['1e999', '8999999999999999e290', '.5', 'NaN', '5.'],
    ],
    [
      'a range',
      { type: 'integer', minimum: -5, exclusiveMaximum: 120 },
      ['-5', '0', '9', '119'],
      ['-6', '120', '1000', '-0'],
    ],
    [
      'lengths',
      { type: 'string', minLength: 1, maxLength: 2 },
      ['"a"', '"é😀"', '"\\u00e9\\ud83d\\ude00"', '"\\n"'],
      ['""', '"abc"'],
    ],
    [
      'strings',
      { type: 'string' },
      ['"\u007f\u2028/"', '"\\/\\u0001\\uFFFF"', '"\\uD83D\\uDE00"'],
      ['"\n"', '"\\u0000"', '"\\ud83d"', '"\\ude00"', '"\\ud83d\\u0041"', '"\\x"'],
    ],
    [
      'enums',
      { enum: ['é', 1, 0.5, null, { a: [1] }] },
      ['"é"', '"\\u00e9"', '1', '1.0', '0.5', 'null', '{"a": [1]}'],
      ['"e"', '0.50', '{"a":[1]}'],
    ],
    ['enums of a type', { type: 'string', enum: ['a', 1] }, ['"a"'], ['1']],
    ['constants', { type: 'integer', const: 5 }, ['5'], ['5.0', '6']],
    ['lists of types', { type: ['integer', 'null'] }, ['5', 'null'], ['"a"', '5.5']],
    ['nullable', { type: 'string', nullable: true }, ['"a"', 'null'], ['5']],
    [
      'lists',
      { type: 'array', items: { type: 'null' }, minItems: 2, maxItems: 3 },
      ['[null, null]', '[null, null, null]'],
      ['[null]', '[null, null, null, null]', '[null,null]'],
    ],
    ['no list at all', { type: 'array', maxItems: 0 }, ['[]'], ['[1]']],
    [
      'maps',
      { type: 'object', additionalProperties: { type: 'null' } },
      ['{}', '{"a": null, "b": null}'],
      ['{"a": 1}'],
    ],
    [
      'objects that name no properties',
      { type: 'object', properties: {} },
      ['{}', '{"a": {"b": 1}}'],
      ['[]', '5'],
    ],
    [
      'objects without properties',
      { type: 'object', properties: {}, additionalProperties: false },
      ['{}'],
      ['{"a": 1}'],
    ],
    [
      'properties without a type',
      { properties: { a: { const: 1 } } },
      ['"a"', '[5]', '{"a": 1}', '{}'],
      ['{"a": 2}'],
    ],
    [
      'local references',
      { $ref: '#/properties/x/$defs/a~1b%20c', $defs: { 'a/b c': { const: 1 } } },
      ['1'],
      ['2'],
    ],
    [
      'references with siblings',
      { $ref: '#/properties/x/$defs/a', minimum: 0, $defs: { a: { type: 'integer' } } },
      ['1'],
      ['-1', '"a"'],
    ],
    [
      'allOf',
      {
        properties: { a: { const: 1 } },
        type: 'object',
        allOf: [{ properties: { b: { const: 2 } }, required: ['b'] }],
      },
      ['{"a": 1, "b": 2}', '{"b": 2}'],
      ['{"a": 1}', '"a"'],
    ],
    [
      'anyOf beside properties',
      {
        type: 'object',
        properties: { a: { const: 1 }, b: { const: 2 } },
        anyOf: [{ required: ['a'] }, { required: ['b'] }],
      },
      ['{"a": 1}', '{"b": 2}', '{"a": 1, "b": 2}'],
      ['{}'],
    ],
    [
      'oneOf of types',
      { oneOf: [{ type: 'string' }, { type: 'integer' }] },
      ['"a"', '1'],
      ['null'],
    ],
  ])('%s', (_, schema, inside, outside) => {
    const { accepts, report } = hold(schema);
    expect(keywords(report)).toEqual([]);
    expect(inside.filter((json) => !accepts(json))).toEqual([]);
    expect(outside.filter(accepts)).toEqual([]);
  });

  it('schemas that contain themselves', () => {
    const schema = { type: ['object', 'null'], properties: { x: { $ref: '#/properties/x' } } };
    expect(hold(schema).accepts('{"x": {"x": {"x": null}}}')).toBe(true);
    expect(hold({ $ref: '#' }).accepts('{"x": {"x": {}}}')).toBe(true);
    expect(hold({ $ref: '#' }).accepts('{"x": {"x": 5}}')).toBe(false);
  });
});

describe('what the grammar widens and reports', () => {
  const any = ['"a"', '5', 'null', '[1, "b"]', '{"a": {"b": 1}}'];

  it.each<[string, unknown, string[], string[]]>([
    ['a type that is none', { type: 'dict' }, any, ['/properties/x type']],
    ['a remote reference', { $ref: 'https://example.com/schema' }, any, ['/properties/x $ref']],
    ['a reference to nothing', { $ref: '#/$defs/none' }, any, ['/properties/x $ref']],
    ['a reference with a bad escape', { $ref: '#/%zz' }, any, ['/properties/x $ref']],
    ['a reference to itself', { $ref: '#/properties/x' }, any, ['/properties/x $ref']],
    [
      'allOf that says a keyword twice',
      { allOf: [{ minLength: 1 }, { minLength: 2 }] },
      any,
      ['/properties/x allOf'],
    ],
    ['an empty enum', { enum: [] }, any, ['/properties/x enum']],
    ['not', { not: { type: 'string' } }, any.slice(1), ['/properties/x not']],
    [
      'a pattern and a format',
      { type: 'string', pattern: '^a', format: 'date' },
      ['"b"'],
      ['/properties/x pattern', '/properties/x format'],
    ],
    [
      'ranges of numbers',
      { type: 'number', minimum: 0, maximum: 1 },
      ['5'],
      ['/properties/x minimum', '/properties/x maximum'],
    ],
    [
      'an empty range',
      { type: 'integer', minimum: 5, maximum: 4 },
      ['9'],
      ['/properties/x minimum', '/properties/x maximum'],
    ],
    [
      'long texts',
      { type: 'string', maxLength: 100 },
      [JSON.stringify('a'.repeat(99))],
      ['/properties/x maxLength'],
    ],
    [
      'long lists',
      { type: 'array', minItems: 100, maxItems: 200 },
      [JSON.stringify(Array(150).fill(1)).replaceAll(',', ', ')],
      ['/properties/x minItems', '/properties/x maxItems'],
    ],
    [
      'tuples',
      { type: 'array', prefixItems: [{ type: 'string' }], items: { type: 'null' } },
      ['["a", null]'],
      ['/properties/x prefixItems', '/properties/x items'],
    ],
    [
      'oneOf that may overlap',
      { oneOf: [{ minimum: 1 }, { type: 'integer' }] },
      ['0', '"a"'],
      ['/properties/x/oneOf/0 minimum', '/properties/x oneOf'],
    ],
    [
      'other members beside properties',
      { type: 'object', properties: { a: { const: 1 } }, additionalProperties: { type: 'null' } },
      ['{"a": 1, "b": null}', '{"b": null}', '{}'],
      ['/properties/x additionalProperties'],
    ],
    [
      'properties that are refused elsewhere',
      {
        type: 'object',
        properties: { a: { const: 1 } },
        additionalProperties: false,
        allOf: [{ properties: { b: {} } }],
      },
      ['{"a": 1}'],
      ['/properties/x allOf'],
    ],
    [
      'oneOf of objects that may be equal',
      { oneOf: [{ const: { a: 1, b: 2 } }, { const: { b: 2, a: 1 } }] },
      ['{"a": 1, "b": 2}'],
      ['/properties/x oneOf'],
    ],
    [
      'oneOf whose tags overlap',
      {
        oneOf: [
          ['a', 'b'],
          ['b', 'c'],
        ].map((tags) => ({ type: 'object', properties: { k: { enum: tags } }, required: ['k'] })),
      },
      ['{"k": "b"}'],
      ['/properties/x oneOf'],
    ],
    [
      'properties that are not evaluated',
      { type: 'object', properties: { a: {} }, unevaluatedProperties: { type: 'string' } },
      ['{"a": 1, "b": "c"}'],
      ['/properties/x unevaluatedProperties'],
    ],
    [
      'what may name more properties',
      {
        type: 'object',
        properties: { a: {} },
        if: { maxProperties: 0 },
        else: { required: ['b'] },
      },
      ['{"a": 1, "b": 5}'],
      ['/properties/x if', '/properties/x else'],
    ],
  ])('%s', (_, schema, inside, reported) => {
    const { accepts, report } = hold(schema);
    expect(inside.filter((json) => !accepts(json))).toEqual([]);
    expect(keywords(report)).toEqual(reported);
  });

  it('says nothing of notes, and of keywords that say nothing', () => {
    const notes = {
      title: 'x',
      description: 'x',
      default: 1,
      examples: [1],
      deprecated: true,
      'x-y': { $ref: 'z' },
    };
    const vacuous = { minItems: 0, minLength: 0, uniqueItems: false, minProperties: 0 };
    expect(
      keywords(hold({ type: 'integer', minLength: 99, pattern: 'a', ...notes }).report),
    ).toEqual([]);
    expect(keywords(hold({ ...notes, ...vacuous }).report)).toEqual([]);
  });

  it('reports a schema once, however often it is referred to', () => {
    const properties = { x: { $ref: '#/$defs/a' }, y: { $ref: '#/$defs/a' } };
    const $defs = { a: { type: 'string', format: 'date' } };
    expect(keywords(hold({}, { properties, $defs }).report)).toEqual(['/$defs/a format']);
  });

  it('tells of properties that no value fits, and offers them only where they are required', () => {
    const of = (more: Schema) => hold(false, more);
    expect(keywords(of({}).report)).toEqual([]);
    expect(of({}).accepts('5')).toBe(false);
    const properties = Object.fromEntries([
      ['x', { type: 'integer' }],
      ['__proto__', false],
      ['a/b', false],
    ]);
    const required = ['__proto__', 'a/b'];
    expect(keywords(of({ properties }).report)).toEqual([]);
    expect(of({ properties }).accepts('5')).toBe(true);
    expect(keywords(of({ properties, required }).report)).toEqual([
      '/properties/__proto__ properties',
      '/properties/a~1b properties',
    ]);
    expect(of({ properties, required }).accepts('5, "__proto__": null, "a/b": 1')).toBe(true);
    const open = of({ additionalProperties: true });
    expect(keywords(open.report)).toEqual([' additionalProperties']);
    expect(open.accepts('5')).toBe(true); // as `string` is any name
    const merged = hold({
      allOf: [{ type: 'object' }, { properties: { y: false }, required: ['y'] }],
    });
    expect(keywords(merged.report)).toEqual(['/properties/x/allOf/1/properties/y properties']);
  });

  it('tells of names that are required and refused', () => {
    const { report } = hold({ type: 'object', additionalProperties: false, required: ['a'] });
    expect(keywords(report)).toEqual(['/properties/x required']);
  });

  it('leaves an object open that a dynamic reference may name more of', () => {
    const { accepts, report } = hold({ properties: { a: {} }, $dynamicRef: '#node' });
    expect(accepts('{"b": 1}')).toBe(true);
    expect(keywords(report)).toEqual(['/properties/x $dynamicRef']);
  });

  it('gives no arguments to a tool without parameters', () => {
    for (const properties of [{ type: 'object', properties: {} }, { properties: {} }]) {
      const { grammar } = compileConstraint(
        [{ name: 't', description: '', parameters: properties }],
        { fence: false },
      );
      const acceptor = new GbnfAcceptor(grammar);
      expect(acceptor.accepts('[{"name": "t", "arguments": {}}]')).toBe(true);
      expect(acceptor.accepts('[{"name": "t", "arguments": {"a": 1}}]')).toBe(false);
    }
  });

  it('gives only objects as arguments', () => {
    for (const root of [
      {},
      { type: ['object', 'null'] },
      { anyOf: [{ type: 'object' }, { type: 'null' }] },
      { $ref: '#/$defs/a', $defs: { a: {} } },
      { type: 'string' },
    ]) {
      const { grammar } = compileConstraint([{ name: 't', description: '', parameters: root }], {
        fence: false,
      });
      const acceptor = new GbnfAcceptor(grammar);
      expect(acceptor.accepts('[{"name": "t", "arguments": {"x": 1}}]')).toBe(true);
      expect(acceptor.accepts('[{"name": "t", "arguments": null}]')).toBe(false);
    }
  });
});

describe('the size of a grammar', () => {
  const sizeOf = (tools: Schema[]) => {
    const { grammar, report } = compileConstraint(
      tools.map((parameters, index) => ({ name: `t${index}`, description: '', parameters })),
    );
    return { length: grammar.length, report };
  };
  const keys = (count: number, schema: unknown) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, schema]));

  it('stays in proportion to that of a large schema', () => {
    const names = Array.from({ length: 5_000 }, (_, index) => `value ${index}`);
    expect(
      sizeOf([{ type: 'object', properties: { a: { enum: names }, b: { enum: names } } }]).length,
    ).toBeLessThan(100_000);
    expect(sizeOf([{ type: 'object', properties: keys(4_000, {}) }]).length).toBeLessThan(400_000);
  });

  it('is bounded, however long a schema is', () => {
    const names = Array.from({ length: 100_000 }, (_, index) => `value ${index}`);
    const within = 1_100_000;
    const wide = sizeOf([{ type: 'object', properties: keys(30_000, {}), required: ['p0'] }]);
    expect(wide.length).toBeLessThan(within);
    expect(keywords(wide.report)).toEqual([' properties', ' required']);
    const long = sizeOf([{ type: 'object', properties: { a: { type: 'string', enum: names } } }]);
    expect(long.length).toBeLessThan(within);
    expect(keywords(long.report)).toEqual(['/properties/a enum']);
    const nested = Array.from({ length: 8 }).reduce<Schema>(
      (inner) => ({ type: ['object', 'null'], properties: { ...keys(6_000, {}), inner } }),
      {},
    );
    expect(sizeOf([{ ...nested, type: 'object' }]).length).toBeLessThan(within);
    const scripts = Object.fromEntries(names.map((name) => [`名前 ${name}`.slice(0, 12), {}]));
    expect(sizeOf([{ type: 'object', properties: scripts }]).length).toBeLessThan(within);
  });

  it('is bounded, however long a chain of references is', () => {
    const chain = (make: (next: string) => Schema) => {
      const $defs = Object.fromEntries(
        Array.from({ length: 20_000 }, (_, index) => [`d${index}`, make(`#/$defs/d${index + 1}`)]),
      );
      return sizeOf([{ type: 'object', properties: { a: { $ref: '#/$defs/d0' } }, $defs }]).report;
    };
    for (const make of [
      (next: string) => ({ $ref: next }),
      (next: string) => ({ $ref: next, title: 'x' }),
      (next: string) => ({ type: 'array', items: { $ref: next } }),
      (next: string) => ({ allOf: [{ $ref: next }] }),
      (next: string) => ({ anyOf: [{ $ref: next }, { type: 'null' }], description: 'x' }),
    ]) {
      expect(chain(make).widened.length).toBeGreaterThan(0);
    }
  });

  it('shares what is equal', () => {
    const address = { type: 'object', properties: keys(20, { type: 'string' }) };
    const parameters = { type: 'object', properties: keys(20, address) };
    const one = sizeOf([parameters]).length;
    expect(sizeOf([parameters, parameters, parameters]).length).toBeLessThan(one * 1.5);
  });

  it('is bounded, however schemas multiply', () => {
    const twice = (to: number) => ({
      allOf: [{ $ref: `#/$defs/d${to}` }, { anyOf: [{ $ref: `#/$defs/d${to}` }, {}] }],
    });
    const $defs = Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [`d${index}`, twice(index + 1)]),
    );
    sizeOf([{ type: 'object', properties: { x: { $ref: '#/$defs/d0' } }, $defs }]);
    const either = (to: number) => ({
      anyOf: [{ $ref: `#/$defs/e${to}` }, { oneOf: [{ $ref: `#/$defs/e${to}` }] }],
    });
    const chain = Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [`e${index}`, either(index + 1)]),
    );
    sizeOf([
      { type: 'object', $ref: '#/$defs/e0', $defs: { ...chain, e60: { minProperties: 1 } } },
    ]);
    const required = Array.from({ length: 1_500 }, (_, index) => ({ required: [`p${index}`] }));
    const { length, report } = sizeOf(
      Array.from({ length: 8 }, () => ({
        type: 'object',
        properties: keys(1_500, {}),
        anyOf: required,
      })),
    );
    expect(length).toBeLessThan(1_500_000);
    expect(report.widened.length).toBeGreaterThan(0);
  });

  it('is bounded, and so is the time that it takes, where a great deal is to be put together', () => {
    const each = <T>(count: number, make: (index: number) => T) =>
      Array.from({ length: count }, (_, index) => make(index));
    const refs = (count: number) => each(count, () => ({ $ref: '#/$defs/a' }));
    const nested = (leaf: Schema): Schema =>
      each(7, () => 'x').reduce<Schema>(
        (x) => ({ type: 'object', properties: { x }, required: each(500, () => 'x') }),
        leaf,
      );
    const long = 'n'.repeat(20_000);
    const toolsets: Record<string, Schema> = {
      members: { x: { allOf: each(2_300, (index) => ({ properties: { [`p${index}`]: {} } })) } },
      equal: {
        x: { anyOf: refs(700), minLength: 1 },
        a: { allOf: each(4_000, () => ({ not: 0 })) },
      },
      values: { x: { anyOf: refs(1_500), type: 'string' }, a: { enum: [long] } },
      names: { x: { anyOf: refs(1_500), type: 'object' }, a: { properties: { [long]: {} } } },
      notes: { x: { anyOf: refs(1_500), minLength: 1 }, a: { ...keys(3_000, 0), maxLength: 5 } },
      disjoint: {
        ...keys(700, { oneOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/b' }] }),
        a: { enum: each(1_000, (index) => index) },
        b: { enum: each(1_000, (index) => -1 - index) },
      },
      repeated: { x: { oneOf: [nested({ type: 'string' }), nested({ type: 'string' })] } },
    };
    for (const [name, { a = {}, b = {}, ...properties }] of Object.entries(toolsets)) {
      const parameters = { type: 'object', properties, $defs: { a, b } };
      expect([name, JSON.stringify(parameters).length < 65_536]).toEqual([name, true]);
      sizeOf(each(4, () => structuredClone(parameters)));
    }
  });

  it('does not cut short what is put together of hundreds of schemas', () => {
    const allOf = Array.from({ length: 500 }, (_, index) => ({
      properties: { [`p${index}`]: { const: index } },
    }));
    const { accepts, report } = hold({ type: 'object', allOf });
    expect(keywords(report)).toEqual([]);
    expect(accepts('{"p0": 0, "p499": 499}')).toBe(true);
    expect(accepts('{"p0": 0, "p499": 498}')).toBe(false);
  });
});
