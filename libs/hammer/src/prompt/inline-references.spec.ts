import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonSchema } from '#libs/contracts';
import { fuzzRuns } from '../../../../test/support/fuzz.js';
import { drawValue, parameters } from '../../../../test/support/schema-arbitrary.js';
import { seededRandom } from '../../../../test/support/seeded-random.js';
import { inlineReferences } from './inline-references.js';

const judging = { strict: false, meta: false, validateSchema: false, ownProperties: true };

const $ref = (name: string) => ({ $ref: `#/$defs/${name}` });
const object = (properties: object) => ({ type: 'object', properties });

function inlined(schema: JsonSchema): JsonSchema {
  const [tool] = inlineReferences([{ name: 'f', description: '', parameters: schema }]);
  return tool?.parameters ?? {};
}

function propertiesOf(properties: object, $defs: object): unknown {
  return inlined({ type: 'object', properties, $defs }).properties;
}

describe('inlineReferences', () => {
  it('gives tools without references back as they are', () => {
    const data = { const: $ref('E'), enum: [$ref('E')], default: $ref('E'), examples: [$ref('E')] };
    const tool = {
      name: 'f',
      description: '',
      parameters: {
        ...object({ a: data, $ref: { type: 'string' } }),
        $defs: { E: $ref('F'), F: {} },
      },
    };
    expect(inlineReferences([tool])[0]).toBe(tool);
  });

  it('puts definitions in their place, wherever they are referred to, and what stands beside over them', () => {
    const E = { type: 'string', enum: ['x', 'y'], description: 'One of two.' };
    const given = {
      plain: $ref('E'),
      told: { ...$ref('E'), description: 'Mine.', default: 'x' },
      optional: { anyOf: [$ref('E'), { type: 'null' }] },
      list: { type: 'array', items: $ref('E') },
      map: { additionalProperties: $ref('E') },
      inner: $ref('Inner'),
      any: { ...$ref('Any'), title: 'Any' },
      beside: { $ref: '#/properties/told/default' },
    };
    const $defs = { E, Inner: object({ $ref: $ref('E') }), Any: true };
    const before = JSON.stringify([given, $defs]);
    expect(propertiesOf(given, $defs)).toEqual({
      plain: E,
      told: { ...E, description: 'Mine.', default: 'x' },
      optional: { anyOf: [E, { type: 'null' }] },
      list: { type: 'array', items: E },
      map: { additionalProperties: E },
      inner: object({ $ref: E }),
      any: { title: 'Any' },
      beside: given.beside,
    });
    expect(JSON.stringify([given, $defs])).toBe(before);
  });

  it('follows the reference of the parameters themselves', () => {
    const Args = { ...object({ a: $ref('E') }), required: ['a'] };
    expect(
      inlined({ type: 'object', ...$ref('Args'), $defs: { Args, E: { const: 1 } } }),
    ).toMatchObject(object({ a: { const: 1 } }));
  });

  it.each(['__proto__', 'constructor', 'a/b~c%'])('takes %s as a name like any other', (name) => {
    const properties = Object.fromEntries([
      [
        name,
        {
          $ref: `#/$defs/${encodeURIComponent(name).replaceAll('~', '~0').replaceAll('%2F', '~1')}`,
        },
      ],
    ]);
    const $defs = Object.fromEntries([[name, { type: 'null' }]]);
    expect(propertiesOf(properties, $defs)).toEqual(Object.fromEntries([[name, { type: 'null' }]]));
    expect(propertiesOf(properties, {})).toEqual(properties);
  });

  it.each([
    '#/$defs/none',
    '#anchor',
    'https://example.com/a',
    '#/%zz',
    '#/type',
    '#/$defs/toString',
  ])('leaves %s, which leads to no schema', (reference) => {
    const properties = { a: { $ref: reference, description: 'x' } };
    expect(propertiesOf(properties, {})).toEqual(properties);
  });

  it('cuts what contains itself where it comes the second time', () => {
    const Node = {
      type: 'object',
      description: 'A node.',
      properties: { next: $ref('Node'), other: { ...$ref('Node'), description: 'Other.' } },
    };
    const cut = { type: 'object', description: 'A node.' };
    expect(propertiesOf({ a: $ref('Node'), b: { $ref: '#' } }, { Node })).toEqual({
      a: { ...Node, properties: { next: cut, other: { ...cut, description: 'Other.' } } },
      b: { type: 'object' },
    });
    const turns = { A: { items: $ref('B') }, B: { items: $ref('A'), description: 'b' } };
    expect(propertiesOf({ a: $ref('A') }, turns)).toEqual({
      a: { items: { items: {}, description: 'b' } },
    });
    expect(propertiesOf({ a: $ref('A') }, { A: $ref('A') })).toEqual({ a: {} });
  });

  it('stops at 64 schemas, one in another', () => {
    const links = (make: (next: object) => object) =>
      Object.fromEntries(
        Array.from({ length: 5_000 }, (_, at) => [`d${at}`, make($ref(`d${at + 1}`))]),
      );
    for (const make of [(next: object) => ({ items: next }), (next: object) => next]) {
      const json = JSON.stringify(propertiesOf({ a: $ref('d0') }, links(make)));
      expect(json).toMatch(/#\/\$defs\/d(?:[3-6]\d)"/);
    }
  });

  it('lets no tool grow by more than 64 KiB, and keeps the references beyond', () => {
    const twice = Object.fromEntries(
      Array.from({ length: 50 }, (_, at) => [
        `d${at}`,
        object({ left: $ref(`d${at + 1}`), right: $ref(`d${at + 1}`) }),
      ]),
    );
    const long = { enum: Array.from({ length: 5_000 }, (_, at) => `value ${at}`) };
    const many = Object.fromEntries(
      Array.from({ length: 3_000 }, (_, at) => [`p${at}`, $ref('long')]),
    );
    const hostile: [object, object][] = [
      [{ a: $ref('d0') }, twice],
      [many, { long }],
    ];
    for (const [properties, $defs] of hostile) {
      const json = JSON.stringify(propertiesOf(properties, $defs));
      expect(json).toContain('"$ref"');
      const grown = json.length - JSON.stringify(properties).length;
      expect(grown).toBeGreaterThan(32_768);
      expect(grown).toBeLessThanOrEqual(65_536);
    }
  });

  it('leaves what no JSON can say to those who print it', () => {
    const endless: JsonSchema = { type: 'array' };
    endless.items = endless;
    expect(propertiesOf({ a: endless, b: $ref('C') }, { C: endless })).toMatchObject({
      b: $ref('C'),
    });
  });

  it('allows all that the schema with references allows', () => {
    fc.assert(
      fc.property(parameters, fc.nat(), (schema, seed) => {
        const { $defs: _, ...shown } = inlined(schema);
        expect(JSON.stringify(shown)).not.toContain('"$ref"');
        const validate = new Ajv2020(judging).compile(shown);
        const random = seededRandom(seed);
        for (let index = 0; index < 5; index++) {
          const value = drawValue(schema, schema, random);
          expect([value, validate(value)]).toEqual([value, true]);
        }
      }),
      { seed: 4, numRuns: Math.ceil(fuzzRuns() / 5) },
    );
  });
});
