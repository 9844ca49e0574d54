import type { JsonSchema } from '#libs/contracts';
import { isObject } from '../json.js';
import { assertions, type TypeName, typesOf, valuesOf } from './json-schema.js';

/** Counts the steps of work on a schema: keywords, names, values, characters. */
type Spend = (steps: number) => void;

/**
 * One schema for the values that all of some schemas allow, or undefined where that takes more than putting their
 * keywords together. Objects hold no more than the properties that any of them names, as in the grammar. Notes are kept
 * of the first.
 */
export function mergeSchemas(schemas: readonly JsonSchema[], spend: Spend): JsonSchema | undefined {
  const valuesByKeyword = new Map<string, unknown[]>();
  for (const schema of schemas) {
    spend(weightOf(schema));
    for (const keyword of assertions(schema)) {
      const values = valuesByKeyword.get(keyword);
      if (values === undefined) valuesByKeyword.set(keyword, [schema[keyword]]);
      else values.push(schema[keyword]);
    }
  }
  const merged: Record<string, unknown> = { ...schemas[0] };
  for (const [keyword, values] of valuesByKeyword) {
    const value = mergeValues(keyword, values, spend);
    if (value === undefined) return undefined;
    merged[keyword] = value;
  }
  if (areClosed(schemas, merged.properties)) return undefined;
  if (!valuesByKeyword.has('type')) return merged;
  const types = schemas.map((schema) => typesOf(schema) ?? []).reduce(commonTypes);
  if (types.length === 0) return undefined;
  const { nullable: _, ...rest } = merged; // it is among the types
  return { ...rest, type: types };
}

/** Steps that it takes to copy a schema: keywords, which are copied several times, names and values. */
function weightOf(schema: JsonSchema): number {
  let weight = 1;
  for (const [keyword, value] of Object.entries(schema)) {
    weight += 8;
    if (Array.isArray(value)) weight += value.length;
    else if (keyword === 'properties' && isObject(value)) weight += Object.keys(value).length;
  }
  return weight;
}

function mergeValues(keyword: string, values: readonly unknown[], spend: Spend): unknown {
  const [first, ...others] = values;
  if (others.length === 0 || keyword === 'type') return first;
  if (keyword === 'required' && values.every(Array.isArray)) return [...new Set(values.flat())];
  if (keyword === 'properties' && values.every(isObject)) return mergeProperties(values, spend);
  return others.every((other) => areSame(first, other, spend)) ? first : undefined;
}

function mergeProperties(maps: readonly JsonSchema[], spend: Spend): JsonSchema | undefined {
  const merged = new Map<string, unknown>();
  for (const [name, schema] of maps.flatMap(Object.entries)) {
    if (!merged.has(name)) merged.set(name, schema);
    else if (!areSame(merged.get(name), schema, spend)) return undefined;
  }
  return Object.fromEntries(merged);
}

function areSame(a: unknown, b: unknown, spend: Spend): boolean {
  if (a === b) return true;
  const [text, other] = [JSON.stringify(a), JSON.stringify(b)];
  spend(text.length + other.length);
  return text === other;
}

/**
 * Whether a schema refuses properties that another one names: what a keyword means beside others does not survive a
 * merge. `all`: the properties of all.
 */
function areClosed(schemas: readonly JsonSchema[], all: unknown): boolean {
  const names = Object.keys(isObject(all) ? all : {});
  const withPatterns = schemas.filter(({ patternProperties }) => patternProperties !== undefined);
  return schemas.some((schema) => {
    const { additionalProperties: others, properties } = schema;
    if (others === undefined || others === true) return false;
    const known = isObject(properties) ? properties : {};
    return (
      withPatterns.some((other) => other !== schema) ||
      names.some((name) => !Object.hasOwn(known, name))
    );
  });
}

function commonTypes(left: readonly TypeName[], right: readonly TypeName[]): TypeName[] {
  const has = (types: readonly TypeName[], type: TypeName): boolean =>
    types.includes(type) || (type === 'integer' && types.includes('number'));
  return [
    ...new Set([
      ...left.filter((type) => has(right, type)),
      ...right.filter((type) => has(left, type)),
    ]),
  ];
}

/** Whether no value fits both schemas, as far as types, `const`, `enum` and required properties tell. */
export function areDisjoint(a: unknown, b: unknown, spend: Spend): boolean {
  if (!isObject(a) || !isObject(b)) return a === false || b === false;
  spend(weightOf(a) + weightOf(b));
  const [values, others] = [valuesOf(a), valuesOf(b)];
  if (values !== undefined && others !== undefined) {
    const distinct = new Set(values);
    // Equal objects may be written differently.
    return [...values, ...others].every(isScalar) && !others.some((value) => distinct.has(value));
  }
  const [types, otherTypes] = [typesOf(a), typesOf(b)];
  if (types && otherTypes && commonTypes(types, otherTypes).length === 0) return true;
  if (!isOnlyObject(a) || !isOnlyObject(b)) return false;
  const required = requiredOf(b);
  return [...requiredOf(a)].some(
    (name) => required.has(name) && areDisjoint(propertyOf(a, name), propertyOf(b, name), spend),
  );
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}

function requiredOf({ required }: JsonSchema): ReadonlySet<unknown> {
  return new Set<unknown>(Array.isArray(required) ? required : []);
}

function isOnlyObject(schema: JsonSchema): boolean {
  return [schema.type].flat().join() === 'object' && schema.nullable !== true;
}

function propertyOf({ properties }: JsonSchema, name: unknown): unknown {
  const key = String(name);
  return isObject(properties) && Object.hasOwn(properties, key) ? properties[key] : true;
}
