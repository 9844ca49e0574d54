import type { JsonSchema } from '#libs/contracts';
import { isObject } from '../json.js';
import { assertions, type TypeName, typesOf, valuesOf } from './json-schema.js';

/**
 * One schema for the values that two schemas allow both, or undefined where that takes more than putting their
 * keywords together. Objects hold no more than the properties that either names, as in the grammar.
 */
export function mergeSchemas(a: JsonSchema, b: JsonSchema): JsonSchema | undefined {
  if (closes(a, b) || closes(b, a)) return undefined;
  const merged = { ...a };
  for (const keyword of assertions(b)) {
    const both = Object.hasOwn(a, keyword)
      ? mergeKeyword(keyword, a[keyword], b[keyword])
      : b[keyword];
    if (both === undefined) return undefined;
    merged[keyword] = both;
  }
  if (a.type === undefined && b.type === undefined) return merged;
  const types = commonTypes(a, b);
  if (types.length === 0) return undefined;
  const { nullable: _, ...rest } = merged; // it is among the types
  return { ...rest, type: types };
}

/** Whether `a` refuses properties that `b` names: what a keyword means beside others does not survive a merge. */
function closes(a: JsonSchema, b: JsonSchema): boolean {
  if (a.additionalProperties === undefined || a.additionalProperties === true) return false;
  const known = isObject(a.properties) ? a.properties : {};
  const others = isObject(b.properties) ? Object.keys(b.properties) : [];
  return b.patternProperties !== undefined || others.some((name) => !Object.hasOwn(known, name));
}

function mergeKeyword(keyword: string, a: unknown, b: unknown): unknown {
  if (keyword === 'type' || JSON.stringify(a) === JSON.stringify(b)) return a;
  if (keyword === 'required' && Array.isArray(a) && Array.isArray(b)) {
    return [...new Set([...(a as unknown[]), ...(b as unknown[])])];
  }
  if (keyword !== 'properties' || !isObject(a) || !isObject(b)) return undefined;
  const isCompatible = Object.entries(b).every(
    ([name, schema]) =>
      !Object.hasOwn(a, name) || JSON.stringify(a[name]) === JSON.stringify(schema),
  );
  return isCompatible ? { ...a, ...b } : undefined;
}

function commonTypes(a: JsonSchema, b: JsonSchema): TypeName[] {
  const [left, right] = [typesOf(a) ?? [], typesOf(b) ?? []];
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
export function areDisjoint(a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return a === false || b === false;
  const values = valuesOf(a)?.map((value) => JSON.stringify(value));
  const others = valuesOf(b)?.map((value) => JSON.stringify(value));
  if (values !== undefined && others !== undefined) {
    // Equal objects may be written differently.
    const isScalar = (text: string | undefined): boolean => !/^[[{]/.test(text ?? '');
    return [...values, ...others].every(isScalar) && !values.some((text) => others.includes(text));
  }
  const areKnown = typesOf(a) !== undefined && typesOf(b) !== undefined;
  if (areKnown && commonTypes(a, b).length === 0) return true;
  return requiredOf(a).some(
    (name) =>
      requiredOf(b).includes(name) &&
      isOnlyObject(a) &&
      isOnlyObject(b) &&
      areDisjoint(propertyOf(a, name), propertyOf(b, name)),
  );
}

function requiredOf(schema: JsonSchema): unknown[] {
  return Array.isArray(schema.required) ? schema.required : [];
}

function isOnlyObject(schema: JsonSchema): boolean {
  return [schema.type].flat().join() === 'object' && schema.nullable !== true;
}

function propertyOf({ properties }: JsonSchema, name: unknown): unknown {
  const key = String(name);
  return isObject(properties) && Object.hasOwn(properties, key) ? properties[key] : true;
}
