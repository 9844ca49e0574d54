import type { JsonSchema } from '#libs/contracts';
import { isObject } from '../json.js';

export type TypeName = 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'array' | 'object';

/** The types of a schema that names none; integers are numbers. */
export const allTypes: readonly TypeName[] = [
  'string',
  'number',
  'boolean',
  'null',
  'array',
  'object',
];
const knownTypes: readonly unknown[] = [...allTypes, 'integer'];

const words = (...lines: string[]): ReadonlySet<string> =>
  new Set(lines.flatMap((line) => line.split(' ')));
const inAnyValue = words('type enum const $ref $dynamicRef allOf anyOf oneOf not if then else');
const inNumbers = words('minimum maximum exclusiveMinimum exclusiveMaximum multipleOf format');
const inValuesOf: Record<TypeName, ReadonlySet<string>> = {
  string: words('minLength maxLength pattern format'),
  number: inNumbers,
  integer: inNumbers,
  boolean: new Set(),
  null: new Set(),
  array: words(
    'items minItems maxItems prefixItems uniqueItems contains minContains maxContains',
    'unevaluatedItems',
  ),
  object: words(
    'properties required additionalProperties patternProperties propertyNames minProperties',
    'maxProperties dependentRequired dependentSchemas unevaluatedProperties',
  ),
};
/** What says nothing: `minItems: 0`. */
const vacuous = new Map<string, unknown>([
  ['uniqueItems', false],
  ['minLength', 0],
  ['minItems', 0],
  ['minProperties', 0],
]);

/** The keywords of a schema that can refuse a value of these types. All others (`title`, `default`, …) are notes. */
export function assertions(
  schema: JsonSchema,
  types: readonly TypeName[] = allTypes,
): readonly string[] {
  return Object.keys(schema).filter((keyword) => {
    const isRelevant =
      inAnyValue.has(keyword) || types.some((type) => inValuesOf[type].has(keyword));
    if (!isRelevant || schema[keyword] === undefined) return false;
    return !vacuous.has(keyword) || vacuous.get(keyword) !== schema[keyword];
  });
}

/** The types that a schema allows, `nullable` counted; undefined where `type` is none of JSON Schema's. */
export function typesOf(schema: JsonSchema): readonly TypeName[] | undefined {
  const { type } = schema;
  if (type === undefined) return allTypes;
  const types: unknown[] = Array.isArray(type) ? type : [type];
  if (types.length === 0 || !types.every(isTypeName)) return undefined;
  const distinct = new Set(types);
  if (schema.nullable === true) distinct.add('null');
  if (distinct.has('number')) distinct.delete('integer');
  return [...distinct];
}

function isTypeName(name: unknown): name is TypeName {
  return knownTypes.includes(name);
}

/** The members of `enum`, or the one of `const`. */
export function valuesOf(schema: JsonSchema): readonly unknown[] | undefined {
  if (Object.hasOwn(schema, 'const')) return [schema.const];
  return Array.isArray(schema.enum) ? schema.enum : undefined;
}

/** Whether a value is of one of the types; no type has the infinities. */
export function isOfTypes(value: unknown, types: readonly TypeName[]): boolean {
  return types.some((type) => {
    switch (type) {
      case 'integer':
        return Number.isInteger(value);
      case 'number':
        return Number.isFinite(value);
      case 'null':
        return value === null;
      case 'array':
        return Array.isArray(value);
      case 'object':
        return isObject(value);
      case 'string':
      case 'boolean':
        return typeof value === type;
    }
  });
}

/**
 * The schema of what an object may hold besides its properties; undefined: nothing. Where a schema names properties and
 * says nothing of others, there are none, unless a keyword may name more. Where it names none, all are free, but for a
 * tool's arguments: it has no parameters.
 */
export function otherProperties(schema: JsonSchema, isArguments: boolean): unknown {
  const { properties, additionalProperties: others, dependentRequired } = schema;
  if (schema.patternProperties !== undefined) return true;
  if (others !== undefined) return others === false ? undefined : others;
  if (!isObject(properties)) return true;
  if (!isArguments && Object.keys(properties).length === 0) return true;
  const dependents: unknown[] = isObject(dependentRequired)
    ? Object.values(dependentRequired).flat()
    : [];
  const isOpen =
    ['$dynamicRef', 'if', 'then', 'else', 'dependentSchemas'].some((keyword) =>
      Object.hasOwn(schema, keyword),
    ) ||
    (schema.unevaluatedProperties ?? false) !== false ||
    dependents.some((name) => !Object.hasOwn(properties, String(name)));
  return isOpen ? true : undefined;
}

/** Keywords that map names to schemas, and those whose values are data. */
const maps = words('properties patternProperties $defs definitions dependentSchemas');
const data = words('const enum default example examples');

/** A schema with those changed that stand directly in it, under a keyword; itself if none is. */
export function mapSchemas(
  schema: JsonSchema,
  change: (inner: JsonSchema, keyword: string) => JsonSchema,
): JsonSchema {
  return mapMembers(schema, (value, keyword) => {
    const changeAny = (inner: unknown): unknown =>
      isObject(inner) ? change(inner, keyword) : inner;
    if (data.has(keyword)) return value;
    if (Array.isArray(value)) {
      const changed = value.map(changeAny);
      return changed.every((member, index) => member === value[index]) ? value : changed;
    }
    return maps.has(keyword) && isObject(value) ? mapMembers(value, changeAny) : changeAny(value);
  });
}

function mapMembers(
  object: JsonSchema,
  change: (value: unknown, key: string) => unknown,
): JsonSchema {
  const entries = Object.entries(object).map(([key, value]) => [key, change(value, key)] as const);
  return entries.every(([key, value]) => object[key] === value)
    ? object
    : Object.fromEntries(entries);
}

/** The schema at a local reference such as `#/$defs/Address`, or undefined. */
export function resolve(root: JsonSchema, reference: string): unknown {
  if (reference === '#') return root;
  if (!reference.startsWith('#/')) return undefined;
  let node: unknown = root;
  for (const part of reference.slice(2).split('/')) {
    const key = decode(part)?.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof node !== 'object' || node === null) return undefined;
    if (key === undefined || !Object.hasOwn(node, key)) return undefined;
    node = (node as Record<string, unknown>)[key];
  }
  return node;
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined; // a bad percent escape
  }
}

export function pointerStep(key: string): string {
  return `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** Where each object in a schema stands, as a JSON Pointer. */
export function pointersIn(root: JsonSchema): ReadonlyMap<unknown, string> {
  const pointers = new Map<unknown, string>();
  const visit = (node: unknown, pointer: string): void => {
    if (typeof node !== 'object' || node === null || pointers.has(node)) return;
    pointers.set(node, pointer);
    for (const [key, member] of Object.entries(node)) {
      visit(member, pointer + pointerStep(key));
    }
  };
  visit(root, '');
  return pointers;
}
