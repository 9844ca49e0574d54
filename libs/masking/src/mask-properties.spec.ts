import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CallDelta, JsonSchema, ResolvedCall, ToolDefinition } from '#libs/contracts';
import { fuzzRuns } from '../../../test/support/fuzz.js';
import { type Masking, maskTools } from './mask.js';
import { MASK_STYLES } from './mask-styles.js';

// No name ends in a backslash: after one, JSON.parse of V8 13.6 (Node 24) takes a key `\\u65e5` for a backslash.
const strange = [
  '',
  '__proto__',
  'constructor',
  'toString',
  '10',
  '2',
  'a/b',
  '~',
  '%',
  '"',
  '\n',
  'Ünï',
  '日本',
  '🙂',
  '\ud800',
];
const maskLike = ['ko', 'ni', 'ba', 'gu7', 'Ab3_x.9'];
const someName = fc.constantFrom('city', 'unit', 'place', 'x_1', ...strange, ...maskLike);

/** Values, deep enough to reach all that the schemas below say. */
const { someValue } = fc.letrec<{ someValue: unknown }>((tie) => ({
  someValue: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, true, 1, 'x', 'city'),
    fc.array(tie('someValue'), { maxLength: 3 }),
    fc
      .array(fc.tuple(someName, tie('someValue')), { maxLength: 4 })
      .map((members) => Object.fromEntries(members)),
  ),
}));
const someArguments = fc
  .array(fc.tuple(someName, someValue), { maxLength: 5 })
  .map((members) => Object.fromEntries(members) as Record<string, unknown>);

const definitions = ['A', 'B'];

/** Schemas with all keywords that have to do with names. References only stand inside members, or under an item. */
function someSchema(name: fc.Arbitrary<string>): fc.Arbitrary<JsonSchema> {
  const { schema } = fc.letrec<{ schema: JsonSchema }>((tie) => {
    const inner = tie('schema');
    const part = fc.oneof(
      { arbitrary: inner, weight: 4 },
      {
        arbitrary: fc
          .constantFrom(...definitions)
          .map((to): JsonSchema => ({ $ref: `#/$defs/${to}` })),
        weight: 2,
      },
      { arbitrary: fc.constant<JsonSchema>({ $ref: '#' }), weight: 1 },
    );
    const map = (of: fc.Arbitrary<unknown>, names = name): fc.Arbitrary<JsonSchema> =>
      fc
        .array(fc.tuple(names, of), { maxLength: 3 })
        .map((members) => Object.fromEntries<unknown>(members));
    const names = fc.uniqueArray(name, { maxLength: 2 });
    const rest = fc.oneof(part, fc.boolean());
    const list = fc.array(inner, { minLength: 1, maxLength: 2 });
    return {
      schema: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<JsonSchema>(
          {},
          { type: 'string' },
          { type: 'object' },
          { enum: ['x', 1] },
          { const: { city: 'x' } },
          { enum: [{ unit: 1 }, 'x'] },
        ),
        map(part).map((properties) => ({ properties })),
        fc.record(
          { properties: map(part), required: names, additionalProperties: rest },
          { requiredKeys: ['properties'] },
        ),
        fc.record(
          { properties: map(part), unevaluatedProperties: rest, allOf: list },
          { requiredKeys: ['properties'] },
        ),
        fc.record(
          { items: part, prefixItems: list, contains: inner, type: fc.constant('array') },
          { requiredKeys: ['items'] },
        ),
        fc.record(
          {
            properties: map(part),
            patternProperties: map(part, fc.constantFrom('^x', 'y$', '(a|b)+')),
            additionalProperties: rest,
          },
          { requiredKeys: ['patternProperties'] },
        ),
        fc.record({
          properties: map(part),
          propertyNames: fc.constantFrom({ maxLength: 4 }, { enum: ['city', 'ko'] }),
        }),
        list.map((anyOf) => ({ anyOf })),
        fc.tuple(list, map(part)).map(([oneOf, properties]) => ({ oneOf, properties })),
        fc.record(
          // oxlint-disable-next-line unicorn/no-thenable -- a keyword
          { if: inner, then: inner, else: inner, properties: map(part) },
          { requiredKeys: ['if', 'then'] },
        ),
        inner.map((not) => ({ not })),
        fc.record(
          { dependentRequired: map(names), dependentSchemas: map(inner), properties: map(part) },
          { requiredKeys: ['dependentSchemas'] },
        ),
        fc.tuple(part, map(part)).map(([items, properties]) => ({
          properties,
          default: { city: 1 },
          maxProperties: 3,
          description: 'x_1',
          items,
        })),
      ),
    };
  });
  return fc
    .record({ root: schema, A: schema, B: schema })
    .map(({ root, A, B }) => ({ type: 'object', ...root, $defs: { A, B } }));
}

function someTools(name: fc.Arbitrary<string>): fc.Arbitrary<ToolDefinition[]> {
  return fc.uniqueArray(
    fc.record({ name, description: fc.constant('x_1'), parameters: someSchema(name) }),
    { selector: (tool) => tool.name, minLength: 1, maxLength: 2 },
  );
}

const someMasking = (
  name: fc.Arbitrary<string>,
): fc.Arbitrary<{ tools: ToolDefinition[]; masking: Masking }> =>
  fc
    .record({ tools: someTools(name), key: fc.string(), style: fc.constantFrom(...MASK_STYLES) })
    .map(({ tools, key, style }) => ({ tools, masking: maskTools(tools, { key, style }) }));

/** `unmask` gives back any call that holds no name that happens to be a mask. */
function holdsName(value: unknown, names: ReadonlySet<string>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (!Array.isArray(value) && Object.keys(value).some((key) => names.has(key))) return true;
  return Object.values(value).some((member) => holdsName(member, names));
}

function masksOf(masking: Masking): Set<string> {
  const { functions, parameters } = masking.names;
  return new Set([...Object.keys(functions), ...Object.values(parameters).flatMap(Object.keys)]);
}

function parse(text: string): unknown {
  return JSON.parse(text) as unknown;
}

describe('masking any tools', () => {
  it('gives every call back, as it was', () => {
    fc.assert(
      fc.property(someMasking(someName), someArguments, ({ tools, masking }, args) => {
        fc.pre(!holdsName(args, masksOf(masking)));
        for (const { name } of tools) {
          const call = { name, arguments: args };
          const masked = masking.mask(call);
          expect(tools.map((tool) => tool.name)).not.toContain(masked.name);
          // As text: it shows order and own `__proto__` members, which toEqual passes over.
          expect(JSON.stringify(masking.unmask(masked))).toBe(JSON.stringify(call));
        }
      }),
      { numRuns: fuzzRuns() },
    );
  });

  it('lets arguments fit the masked schema exactly if they fit the real one', () => {
    // ajv passes over `__proto__` and a required '', calls an own `toString`, compares an own `constructor`, and writes
    // names into URIs.
    const unfit = new Set(['', '__proto__', 'toString', 'constructor', '\ud800']);
    const name = someName.filter((text) => !unfit.has(text));
    let fitting = 0;
    let compared = 0;
    fc.assert(
      fc.property(
        someMasking(name),
        fc.array(someArguments, { minLength: 4, maxLength: 8 }),
        ({ tools, masking }, samples) => {
          const masks = masksOf(masking);
          tools.forEach((tool, index) => {
            const shown = masking.tools[index] as ToolDefinition;
            const fits = compile(tool);
            const fitsMasked = compile(shown);
            for (const args of samples) {
              if (holdsName(args, masks) || holdsName(args, unfit)) continue;
              const isFitting = check(fits, args);
              const masked = masking.mask({ name: tool.name, arguments: args }).arguments;
              expect({ args, fits: check(fitsMasked, masked) }).toEqual({ args, fits: isFitting });
              compared++;
              if (isFitting === true) fitting++;
            }
          });
        },
      ),
      { numRuns: Math.min(fuzzRuns(), 20_000) / 20 },
    );
    expect(fitting).toBeGreaterThan(compared / 10);
    expect(fitting).toBeLessThan((compared * 9) / 10);
  });

  it('unmasks what arrives in pieces exactly as the whole, however it is cut, escaped and spaced', () => {
    const someText = fc.record({
      escapes: fc.boolean(),
      space: fc.constantFrom('', ' ', '\n\t'),
      cuts: fc.array(fc.nat(), { maxLength: 12 }),
    });
    fc.assert(
      fc.property(
        someMasking(someName),
        fc.array(fc.tuple(someArguments, fc.boolean()), { maxLength: 2 }),
        someText,
        ({ tools, masking }, calls, { escapes, space, cuts }) => {
          const answer = calls.map(([args, isMasked], index): ResolvedCall => {
            const call = { name: (tools[index] ?? tools[0])?.name ?? '', arguments: args };
            // Real names within a masked call too: both for one parameter in places.
            return isMasked
              ? masking.mask(call)
              : { ...masking.mask(call), arguments: { ...masking.mask(call).arguments, ...args } };
          });
          const unmask = masking.unmaskStream();
          const deltas = answer.flatMap((call, index) => {
            const text = write(call.arguments, { escapes, space });
            const places = [0, ...cuts.map((cut) => cut % (text.length + 1)), text.length].toSorted(
              (a, b) => a - b,
            );
            return [
              { type: 'name', index, name: call.name } as const,
              ...places.map(
                (place, at) =>
                  ({
                    type: 'arguments',
                    index,
                    text: text.slice(place, places[at + 1] ?? place),
                  }) as const,
              ),
              { type: 'end', index } as const,
            ].flatMap((delta) => unmask(delta));
          });
          answer.forEach((call, index) => {
            const text = write(call.arguments, { escapes, space });
            const whole = masking.unmask({
              name: call.name,
              arguments: parse(text) as ResolvedCall['arguments'],
            });
            expect(shape(deltas, index)).toMatch(/^name( arguments)* end$/);
            expect(nameOf(deltas, index)).toBe(whole.name);
            expect(parse(textOf(deltas, index))).toEqual(whole.arguments);
          });
        },
      ),
      { numRuns: fuzzRuns() },
    );
  });
});

function compile({ parameters }: ToolDefinition): ValidateFunction {
  const ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    logger: false,
    meta: false,
    validateSchema: false,
    ownProperties: true,
    inlineRefs: false,
  });
  return ajv.compile(parameters);
}

/** A schema that leads to itself without a step into the value has no answer. */
function check(fits: ValidateFunction, args: unknown): boolean | string {
  try {
    return fits(args);
  } catch (error) {
    return error instanceof RangeError ? 'endless' : String(error);
  }
}

function write(value: unknown, style: { escapes: boolean; space: string }): string {
  const { space } = style;
  if (Array.isArray(value))
    return `[${space}${value.map((item) => write(item, style)).join(`${space},${space}`)}${space}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([key, member]) => `${quote(key, style)}${space}:${space}${write(member, style)}`,
    );
    return `{${space}${members.join(`${space},${space}`)}${space}}`;
  }
  return typeof value === 'string' ? quote(value, style) : JSON.stringify(value);
}

function quote(text: string, { escapes }: { escapes: boolean }): string {
  if (!escapes) return JSON.stringify(text);
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
  return `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`;
}

function textOf(deltas: readonly CallDelta[], index: number): string {
  return deltas
    .map((delta) => (delta.type === 'arguments' && delta.index === index ? delta.text : ''))
    .join('');
}

function nameOf(deltas: readonly CallDelta[], index: number): string | undefined {
  return deltas.flatMap((delta) =>
    delta.type === 'name' && delta.index === index ? [delta.name] : [],
  )[0];
}

function shape(deltas: readonly CallDelta[], index: number): string {
  return deltas.flatMap((delta) => (delta.index === index ? [delta.type] : [])).join(' ');
}
