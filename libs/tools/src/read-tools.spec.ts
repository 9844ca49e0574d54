import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { type Fault, HammerlineError } from '#libs/contracts';
import { readTools } from './read-tools.js';

function faultsOf(tools: readonly unknown[], pointer?: string): readonly Fault[] {
  try {
    readTools(tools, pointer);
  } catch (error) {
    if (error instanceof HammerlineError && error.code === 'invalid_request') return error.faults;
    throw error;
  }
  return [];
}

/** The faults of one tool with these parameters, as "pointer: detail" from the parameters on. */
function faultsIn(parameters: unknown): string[] {
  return faultsOf([{ name: 'f', parameters }]).map(
    ({ pointer, detail }) => `${pointer.replace('/tools/0/parameters', '')}: ${detail}`,
  );
}

function parametersOf(parameters: unknown): unknown {
  return readTools([{ name: 'f', parameters }])[0]?.parameters;
}

const city = { type: 'string', description: 'City.' };
const plain = { type: 'object', properties: { city }, required: ['city'] };
const definition = { name: 'f', description: 'd', parameters: plain };

describe('readTools', () => {
  it.each([
    ['OpenAI', { type: 'function', function: { ...definition, strict: true } }],
    ['OpenAI, flat', { type: 'function', ...definition, strict: true }],
    ['BFCL', { ...definition, parameters: { ...plain, type: 'dict' } }],
    ['xLAM', { ...definition, parameters: { city: { type: 'str', description: 'City.' } } }],
    ['API-Bank', { ...definition, return: { type: 'str' }, desc_for_search: 'x' }],
    ['Seal-Tools', { ...definition, parameters: { city }, required: ['city'], responses: {} }],
  ])('reads the %s shape', (_, tool) => {
    expect(readTools([tool])).toEqual([definition]);
  });

  it('reads a mixed list in its order, and a tool without description or parameters', () => {
    const tools = readTools([{ name: 'b' }, { type: 'function', function: { name: 'a' } }]);
    const parameters = { type: 'object', properties: {} };
    expect(tools).toEqual([
      { name: 'b', description: '', parameters },
      { name: 'a', description: '', parameters },
    ]);
  });

  it('maps types at every depth and drops flags', () => {
    const given = {
      type: 'dict',
      properties: {
        z: { type: 'HashMap', properties: { n: { type: 'float', optional: true } } },
        a: { type: 'tuple', items: { type: 'any', description: 'x' }, default: null },
        u: { type: 'List[int]', optional: true },
        n: { type: ['String'], nullable: true },
        d: { items: [{ type: 'int' }], additionalItems: { type: 'bool' }, type: 'array' },
        o: { anyOf: [{ type: 'long' }, { type: 'null' }], $id: 'x', $async: true },
      },
    };
    const before = structuredClone(given);
    expect(JSON.stringify(parametersOf(given))).toBe(
      JSON.stringify({
        type: 'object',
        properties: {
          z: { type: 'object', properties: { n: { type: 'number' } } },
          a: { type: 'array', items: { description: 'x' }, default: null },
          u: { type: 'array', items: { type: 'integer' } },
          n: { type: ['string', 'null'] },
          d: { prefixItems: [{ type: 'integer' }], items: { type: 'boolean' }, type: 'array' },
          o: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
        },
      }),
    );
    expect(given).toEqual(before);
  });

  it('requires the xLAM parameters that are neither optional nor have a default', () => {
    const parameters = {
      a: { type: 'str' },
      b: { type: 'str, optional' },
      c: { type: 'int', default: 0 },
      d: { type: 'Optional[int]' },
      type: { type: 'str' },
      properties: { type: 'str' },
    };
    expect(parametersOf(parameters)).toMatchObject({ required: ['a', 'type', 'properties'] });
    const flagged = { a: { type: 'str' }, b: { type: 'str', required: true } };
    expect(parametersOf(flagged)).toEqual({
      type: 'object',
      properties: { a: { type: 'string' }, b: { type: 'string' } },
      required: ['b'],
    });
  });

  it('takes names of what every object has, but not __proto__', () => {
    const properties: unknown = JSON.parse('{"constructor": {"type": "str"}, "__proto__": {}}');
    expect(faultsIn({ type: 'object', properties })).toEqual([
      '/properties/__proto__: is a name that is not allowed',
    ]);
    expect(faultsIn({ type: 'object', properties: { constructor: city, toString: city } })).toEqual(
      [],
    );
  });

  it('names all faults at once, where they stand and how to mend them', () => {
    const faults = faultsOf(
      [
        { name: '', parameters: { type: 'object', properties: { x: { type: 'strin' } } } },
        { type: 'function', function: { name: 'a', parameters: { type: 'object', minimum: 'x' } } },
        { name: 'a', surprise: 1 },
        { description: 'no name' },
        'text',
        { name: 'n'.repeat(129) },
        { name: 'a\u0007' },
        { name: 'p', parameters: [] },
        { name: 'x', parameters: { 'a/b': { type: 'wrong' } } },
        { name: 'y', type: 'tool', description: 5 },
      ],
      '/body/tools',
    );
    expect(faults.map(({ pointer, detail }) => `${pointer}: ${detail}`)).toEqual([
      '/body/tools/0/name: is empty',
      '/body/tools/0/parameters/properties/x/type: "strin" is no type',
      '/body/tools/1/function/parameters/minimum: must be a number',
      '/body/tools/2: has unknown keys: "surprise"',
      '/body/tools/3/name: is missing',
      '/body/tools/4: is no object',
      '/body/tools/5/name: is longer than 128 characters',
      '/body/tools/6/name: holds a control character',
      '/body/tools/7/parameters: must be an object',
      '/body/tools/8/parameters/a~1b/type: "wrong" is no type',
      '/body/tools/9/type: must be "function"',
      '/body/tools/9/description: must be text',
      '/body/tools/2: tools 1 and 2 have the same name "a"',
    ]);
    expect(faults.every(({ mend }) => mend !== undefined && mend !== '')).toBe(true);
  });

  it.each([
    [{ type: 'string' }, '/type: must be "object"'],
    [{ type: 'object', properties: [] }, '/properties: must map names to schemas'],
    [{ type: 'object', properties: { a: 'str' } }, '/properties/a: is no schema'],
    [{ a: 'str' }, '/a: is no schema'],
    [{ type: 'object', required: 'a' }, '/required: must be a list of names'],
    [
      { type: 'object', properties: {}, required: ['a'] },
      '/required: names "a", which is not among the properties',
    ],
    [{ type: 'object', properties: { a: { enum: [] } } }, '/properties/a/enum: must not be empty'],
    [
      { type: 'object', properties: { a: { pattern: '(' } } },
      '/properties/a/pattern: is no regular expression (ECMAScript, Unicode)',
    ],
    [
      { type: 'object', patternProperties: { '(': {} } },
      '/patternProperties/(: is no regular expression',
    ],
    [{ type: 'object', anyOf: [] }, '/anyOf: must be a list of schemas, not empty'],
    [{ type: 'object', $dynamicRef: '#a' }, '/$dynamicRef: $dynamicRef is not supported'],
    [
      { type: 'object', properties: { a: { type: [] } } },
      '/properties/a/type: an empty list is no type',
    ],
  ])('refuses %j', (parameters, fault) => {
    expect(faultsIn(parameters)).toEqual([fault]);
  });

  it('refuses whatever the meta-schema of JSON Schema refuses', () => {
    const ajv = new Ajv2020({ strict: false, logger: false });
    const values = [null, true, -1, 1.5, '', 'a', [], [1], ['a', 'a'], {}, { a: 1 }, [{}], [true]];
    const words = `$ref $defs type enum const properties required items prefixItems contains minLength maxLength
      minimum maximum exclusiveMinimum multipleOf pattern patternProperties additionalProperties propertyNames
      minItems maxItems uniqueItems minContains minProperties dependentRequired dependentSchemas allOf anyOf oneOf not
      if then else unevaluatedItems unevaluatedProperties format title description deprecated readOnly`;
    const passed = words.split(/\s+/).flatMap((word) =>
      values
        .map((value) => ({ [word]: value }))
        .filter((schema) => {
          const inside = { type: 'object', properties: { p: schema } };
          return ajv.validateSchema(inside) !== true && faultsIn(inside).length === 0;
        }),
    );
    // Mended rather than refused: a flag that some data sets have, and lists of older drafts.
    expect(passed).toEqual([{ required: true }, { items: [{}] }, { items: [true] }]);
  });

  it('follows references inside the tool only', () => {
    const at = ($ref: unknown): string[] =>
      faultsIn({
        type: 'object',
        properties: { a: { $ref }, b: { enum: [{ type: 'string' }] } },
        $defs: {
          'x/y': { type: 'object', properties: { more: { $ref: '#/$defs/x~1y' } } },
          self: { allOf: [{ $ref: '#/$defs/other' }] },
          other: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/self' }] },
        },
      }).filter((fault) => fault.startsWith('/properties/a/'));
    expect(at('#/$defs/x~1y')).toEqual([]);
    expect(at('#/%24defs/x~1y')).toEqual([]);
    expect(at('#')).toEqual([]);
    const outside = '/properties/a/$ref: only references inside the tool are followed';
    for (const ref of ['https://example.com/s', 'file:///etc/passwd', '#name', 'x', '', '#/%']) {
      expect(at(ref)).toEqual([outside]);
    }
    expect(at('#/$defs/no')).toEqual(['/properties/a/$ref: there is no schema at #/$defs/no']);
    expect(at('#/properties/b/enum/0')).toHaveLength(1);
    expect(at('#/constructor')).toHaveLength(1);
    expect(at('#/$defs/self')).toEqual(['/properties/a/$ref: #/$defs/self leads back to itself']);
    expect(at(7)).toEqual(['/properties/a/$ref: must be text']);
  });

  it('judges thousands of references in no time', () => {
    const twice = (to: number): unknown => ({
      allOf: [{ $ref: `#/$defs/${to}` }, { $ref: `#/$defs/${to}` }],
    });
    const many = Array.from({ length: 700 }, (_, index) => [`${index}`, twice(index + 1)]);
    const $defs: unknown = Object.fromEntries([...many, ['700', { type: 'string' }]]);
    expect(faultsIn({ type: 'object', properties: {}, $defs })).toEqual([]);
  });

  it('holds its limits', () => {
    const tools = (count: number): unknown[] =>
      Array.from({ length: count }, (_, index) => ({ name: `t${index}` }));
    expect(readTools(tools(128))).toHaveLength(128);
    expect(faultsOf(tools(129))).toMatchObject([
      { pointer: '/tools', detail: 'there are 129 tools' },
    ]);
    const long = (length: number): unknown => ({ name: 'f', description: 'x'.repeat(length) });
    const overhead = JSON.stringify(long(0)).length;
    expect(faultsOf([long(65_536 - overhead)])).toEqual([]);
    expect(faultsOf([long(65_537 - overhead)])).toMatchObject([{ pointer: '/tools/0' }]);
    const deep = (levels: number): unknown =>
      levels === 0 ? { type: 'string' } : { type: 'array', items: deep(levels - 1) };
    expect(faultsIn({ type: 'object', properties: { a: deep(28) } })).toEqual([]);
    expect(faultsIn({ type: 'object', properties: { a: deep(29) } })).toHaveLength(1);
    const abyss: unknown = JSON.parse(`${'{"items":'.repeat(10_000)}1${'}'.repeat(10_000)}`);
    expect(faultsIn(abyss)).toEqual(
      [': "f" nests deeper than 32 levels'].map((text) => `/tools/0${text}`),
    );
  });

  it('names at most 50 faults', () => {
    const properties = Object.fromEntries(Array.from({ length: 99 }, (_, key) => [`p${key}`, 1]));
    expect(faultsIn({ type: 'object', properties })).toHaveLength(50);
  });

  it.each(['a\0b', 'a\ud800b', '\udc00'])('refuses text that no ledger can store: %j', (text) => {
    expect(faultsOf([{ name: 'f', description: text }])).toMatchObject([
      { pointer: '/tools/0/description', detail: '"f" holds a NUL or half a surrogate pair' },
    ]);
  });

  it('takes text that only looks like it', () => {
    expect(faultsOf([{ name: '🙂', description: String.raw`\u0000 \ud800 \\u0000` }])).toEqual([]);
  });
});
