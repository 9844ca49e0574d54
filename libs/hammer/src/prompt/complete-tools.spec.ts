import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzzRuns } from '../../../../test/support/fuzz.js';
import { compilePrompt } from './compile-prompt.js';
import { completeTools } from './complete-tools.js';
import { SERVING_FLAVOURS } from './flavour.js';

const tool = (properties: object, required?: string[]) => ({
  name: 'f',
  description: '',
  parameters: { type: 'object', properties, ...(required && { required }) },
});

const completed = (properties: object, required?: string[]) =>
  completeTools([tool(properties, required)])[0]?.parameters;

describe('completeTools', () => {
  it('gives complete tools back as they are', () => {
    const complete = [
      tool({ a: { type: 'string', description: 'x', default: 'y' } }, ['a']),
      tool({ a: { properties: { b: {}, c: true }, required: ['b'] } }),
      { name: 'g', description: '', parameters: { type: 'object' } },
    ];
    for (const [index, given] of completeTools(complete).entries()) {
      expect(given).toBe(complete[index]);
    }
  });

  it('gives a default a description, and a required name a schema', () => {
    expect(completed({ a: { default: null } }, ['a', 'b'])).toEqual({
      type: 'object',
      properties: { a: { default: null, description: '' }, b: {} },
      required: ['a', 'b'],
    });
  });

  it('completes a parameter of type object, boolean schemas, names of the prototype', () => {
    const properties = {
      a: { type: 'object', properties: { x: false, y: true }, required: ['x', 'z', '__proto__'] },
      b: true,
      c: false,
    };
    expect(completed(properties)).toEqual({
      type: 'object',
      properties: {
        a: {
          type: 'object',
          properties: { x: { not: {} }, y: true, z: {}, ['__proto__']: {} },
          required: ['x', 'z', '__proto__'],
        },
        b: {},
        c: { not: {} },
      },
    });
  });

  it('hides inner properties that would be taken for a default', () => {
    const inner = { default: { type: 'string' }, x: {} };
    expect(completed({ a: { type: 'object', properties: inner, required: ['x'] } })).toMatchObject({
      properties: { a: { type: 'object', required: ['x'], allOf: [{ properties: inner }] } },
    });
  });

  it('makes every schema fit for every flavour', () => {
    fc.assert(
      fc.property(fc.dictionary(name, schema), fc.array(name), (properties, required) => {
        const given = [tool(properties, required)];
        const before = JSON.stringify(given);
        const tools = completeTools(given);
        for (const flavour of SERVING_FLAVOURS) {
          expect(() => compilePrompt(flavour, tools)).not.toThrow();
        }
        expect(completeTools(tools)).toEqual(tools);
        expect(JSON.stringify(given)).toBe(before);
      }),
      { seed: 4, numRuns: fuzzRuns() },
    );
  });
});

const name = fc.constantFrom('a', 'b', 'default', 'properties', 'required', '__proto__', '10');
const { schema } = fc.letrec((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    fc.boolean(),
    fc.record(
      {
        type: fc.constantFrom('string', 'object'),
        description: fc.string(),
        default: fc.jsonValue({ maxDepth: 1 }),
        properties: fc.dictionary(name, tie('schema'), { maxKeys: 3 }),
        required: fc.array(name, { maxLength: 3 }),
      },
      { requiredKeys: [] },
    ),
  ),
}));
