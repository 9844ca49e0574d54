import fc from 'fast-check';

type Schema = Record<string, unknown>;

const names = [
  'a',
  'city name',
  'naïve',
  '名前',
  'q"u\\o',
  'x/y~z',
  '10',
  'constructor',
  '😀',
  'b',
];
const characters = [
  'a',
  'é',
  '😀',
  '"',
  '\\',
  '/',
  '\n',
  '\t',
  '\u0007',
  '\u007f',
  '\u2028',
  'Z',
  '9',
  ' ',
];
const texts = ['', 'a', 'Z9 ', 'é 名', '"q"', '\\', '\n\u0007', '\u007f\u2028', '😀'];
const numbers = [0, -1, 5, 0.1 + 0.2, 1e-7, -2.5, 1e21, 1.2345678901234567e-4, 8e15, 1e100, 123];
/** Integers beyond what a double counts exactly are refused for the type integer. */
const scalars = [...texts, ...numbers.filter((each) => each < 1e16), true, false, null];

const count = fc.integer({ min: 0, max: 3 });
const text = fc.record({ minLength: count, more: count }).map(({ minLength, more }) => ({
  type: 'string',
  minLength,
  maxLength: minLength + more,
}));
const bound = fc.oneof(
  fc.integer({ min: -300, max: 300 }),
  fc.constantFrom(1e6, -12345, 1e15, 99.5),
);
const range = fc.tuple(bound, bound, fc.boolean()).map(([a, b, isOpen]) => {
  const [min, max] = [Math.floor(Math.min(a, b)), Math.ceil(Math.max(a, b))];
  return isOpen
    ? { type: 'integer', exclusiveMinimum: min - 1, exclusiveMaximum: max + 1 }
    : { type: 'integer', minimum: min, maximum: max };
});
const leaf: fc.Arbitrary<Schema> = fc.oneof(
  fc.constantFrom<Schema>(
    { type: 'string' },
    { type: 'integer' },
    { type: 'number' },
    { type: 'boolean' },
    { type: 'null' },
    { type: ['string', 'null'] },
    { type: ['integer', 'number', 'array'] },
    { type: 'integer', minimum: 1 },
    { $ref: '#/$defs/tree' },
    { $ref: '#/$defs/leaf', description: 'noted' },
    {},
  ),
  text,
  range,
  fc
    .uniqueArray(fc.constantFrom(...scalars), { minLength: 1, maxLength: 5 })
    .map((members) => ({ enum: members })),
  fc.constantFrom(...scalars, { k: [1, 'é'] }, [0.5]).map((value) => ({ const: value })),
);

/** Schemas of the documented subset, which a grammar holds in full. */
function schemas(depth: number): fc.Arbitrary<Schema> {
  if (depth === 0) return leaf;
  const inner = schemas(depth - 1);
  const list = fc
    .record({ items: inner, minItems: count, more: count })
    .map(({ items, minItems, more }) => ({
      type: 'array',
      items,
      minItems,
      ...(more === 0 ? {} : { maxItems: minItems + more }),
    }));
  return fc.oneof(
    leaf,
    list,
    objects(inner),
    objects(inner).map((schema) => ({ properties: schema.properties, required: schema.required })),
    inner.map((additionalProperties) => ({ type: 'object', additionalProperties })),
    fc.array(inner, { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    fc.tuple(inner, inner).map(([x, y]) => ({ oneOf: [tagged('one', x), tagged('two', y)] })),
    fc.tuple(inner, inner).map(([x, y]) => ({
      type: 'object',
      properties: { x },
      allOf: [{ properties: { y }, required: ['y'] }, { required: ['x'] }],
    })),
    fc.tuple(inner, inner).map(([x, y]) => ({
      type: 'object',
      properties: { x, y },
      additionalProperties: false,
      anyOf: [{ required: ['x'] }, { required: ['y'] }],
    })),
  );
}

function tagged(tag: string, value: Schema): Schema {
  return { type: 'object', properties: { tag: { const: tag }, value }, required: ['tag'] };
}

function objects(inner: fc.Arbitrary<Schema>): fc.Arbitrary<Schema> {
  return fc
    .record({
      properties: fc.dictionary(fc.constantFrom(...names), inner, { maxKeys: 4 }),
      requires: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      isClosed: fc.boolean(),
    })
    .map(({ properties, requires, isClosed }) => ({
      type: 'object',
      properties,
      required: Object.keys(properties).filter((_, index) => requires[index]),
      ...(isClosed ? { additionalProperties: false } : {}),
    }));
}

/** The parameters of a tool. */
export const parameters: fc.Arbitrary<Schema> = fc
  .tuple(
    objects(schemas(2)),
    leaf.filter((schema) => !('$ref' in schema)),
  )
  .map(([schema, other]) => ({
    ...schema,
    $defs: {
      leaf: other,
      tree: {
        type: 'object',
        properties: { value: { $ref: '#/$defs/leaf' }, next: { $ref: '#/$defs/tree' } },
      },
    },
  }));

const others: Schema[] = [
  { pattern: '^[a-z0-9 ]*$' },
  { format: 'date' },
  { minLength: 2, maxLength: 70 },
  { multipleOf: 5 },
  { minimum: 0 },
  { maxItems: 100, uniqueItems: true },
  { contains: { type: 'integer' } },
  { prefixItems: [{ type: 'string' }] },
  { maxProperties: 2 },
  { propertyNames: { maxLength: 4 } },
  { additionalProperties: { type: 'integer' } },
  { additionalProperties: true },
  { patternProperties: { '^z': { type: 'string' } } },
  { dependentRequired: { a: ['zz'] } },
  { unevaluatedProperties: { type: 'string' } },
  { not: { const: 5 } },
  { if: { type: 'string' }, else: { required: ['zz'], properties: { zz: {} } } },
  { allOf: [{ properties: { zz: { type: 'string' } } }, { properties: { zz: true } }] },
  { allOf: [{ $ref: '#/$defs/leaf' }] },
  { anyOf: [{ properties: { zz: {} } }, { type: 'string' }] },
  { oneOf: [{ type: 'number' }, { type: ['integer', 'object'] }, { minLength: 1 }] },
  { enum: ['a', 5, 0.5, null, { a: 5 }, []] },
  { $ref: '#/$defs/leaf' },
  { type: ['string', 'number'] },
];

/** The same with keywords put in that a grammar does not hold, or not wholly. */
export const wildParameters: fc.Arbitrary<Schema> = fc
  .tuple(parameters, fc.array(fc.constantFrom(...others), { minLength: 1, maxLength: 6 }))
  .map(([schema, extras]) => {
    const queue = [...extras];
    const put = (node: unknown, isRoot: boolean): unknown => {
      if (Array.isArray(node)) return node.map((member) => put(member, false));
      if (typeof node !== 'object' || node === null) return node;
      const { properties, items, anyOf, ...rest } = node as Schema;
      const entries = Object.entries((properties ?? {}) as Schema);
      const filled = {
        ...rest,
        ...(properties === undefined
          ? {}
          : {
              properties: Object.fromEntries(
                entries.map(([name, member]) => [name, put(member, false)]),
              ),
            }),
        ...(items === undefined ? {} : { items: put(items, false) }),
        ...(anyOf === undefined ? {} : { anyOf: put(anyOf, false) }),
      };
      return { ...filled, ...queue.pop(), ...(isRoot ? { type: 'object' } : {}) };
    };
    return put(schema, true) as Schema;
  });

/** What says that an object may hold more than its properties. */
const opening = [
  'additionalProperties',
  'patternProperties',
  'unevaluatedProperties',
  'dependentRequired',
  'if',
];

/**
 * A value for a schema, drawn with `random` (0 to 1): fits what `parameters` makes, and may fit what `wildParameters`
 * makes, with a member `zz` behind the others where the schema speaks of more.
 */
export function drawValue(schema: unknown, root: Schema, random: () => number, depth = 0): unknown {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const next = (inner: unknown): unknown => drawValue(inner, root, random, depth + 1);
  if (typeof schema !== 'object' || schema === null) return pick(scalars);
  const node = schema as Schema & { allOf?: Schema[]; anyOf?: Schema[]; oneOf?: Schema[] };
  if (typeof node.$ref === 'string') {
    return next((root.$defs as Schema)[node.$ref.slice('#/$defs/'.length)]);
  }
  if ('const' in node) return node.const;
  if (Array.isArray(node.enum)) return pick(node.enum);
  const { allOf = [], anyOf, oneOf, ...rest } = node;
  const parts = [...allOf, ...[anyOf, oneOf].map((list) => list && pick(list))];
  const merged = parts.reduce<Schema>((all, part) => join(all, part), rest);
  if (parts.some((part) => part !== undefined)) return next(merged);
  const types = [node.type ?? (node.properties ? 'object' : 'scalar')].flat() as string[];
  switch (pick(types) ?? '') {
    case 'string':
      return repeat(span(node, 'minLength', 'maxLength', random), () => pick(characters)).join('');
    case 'integer': {
      const low = Number(node.minimum ?? Number(node.exclusiveMinimum ?? -9) + 1);
      const high = Number(node.maximum ?? Number(node.exclusiveMaximum ?? 1e5) - 1);
      return low + Math.floor(random() * (high - low + 1));
    }
    case 'number':
      return pick(numbers);
    case 'boolean':
      return random() < 0.5;
    case 'null':
      return null;
    case 'array':
      return repeat(span(node, 'minItems', 'maxItems', random), () => next(node.items));
    case 'object': {
      const required = new Set((node.required ?? []) as string[]);
      const entries = Object.entries((node.properties ?? {}) as Schema)
        .filter(([name]) => required.has(name) || (depth < 6 && random() < 0.5))
        .map(([name, member]): [string, unknown] => [name, next(member)]);
      if (node.properties === undefined && typeof node.additionalProperties === 'object') {
        entries.push(
          ['k1', next(node.additionalProperties)],
          ['é', next(node.additionalProperties)],
        );
      }
      const isOpen = opening.some((keyword) => Boolean(node[keyword])) && node.properties;
      const hasMore = isOpen && !Object.hasOwn(node.properties ?? {}, 'zz') && random() < 0.5;
      if (hasMore) entries.push(['zz', pick(scalars)]);
      return Object.fromEntries(entries);
    }
    default:
      return pick([...scalars, [1, 'é', []], { k: { x: 0.5 } }]);
  }
}

function join(a: Schema, b: Schema | undefined): Schema {
  const properties = { ...(a.properties as Schema), ...(b?.properties as Schema) };
  const required = [...((a.required ?? []) as string[]), ...((b?.required ?? []) as string[])];
  const isObject = Object.keys(properties).length > 0;
  return { ...a, ...b, ...(isObject ? { properties } : {}), required };
}

function span(schema: Schema, lower: string, upper: string, random: () => number): number {
  const min = Number(schema[lower] ?? 0);
  const max = Number(schema[upper] ?? min + 2);
  return min + Math.floor(random() * (Math.min(max, min + 3) - min + 1));
}

function repeat<T>(times: number, draw: () => T): T[] {
  return Array.from({ length: times }, draw);
}

/** The value with all members `zz` put last, where a grammar has those that only keywords name which it does not hold. */
export function zzLast(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(zzLast);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, member]): [string, unknown] => [
    name,
    zzLast(member),
  ]);
  return Object.fromEntries(
    entries.toSorted(([a], [b]) => Number(a === 'zz') - Number(b === 'zz')),
  );
}
