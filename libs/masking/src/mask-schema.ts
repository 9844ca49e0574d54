import type { JsonSchema } from '#libs/contracts';

/** Keywords by where they hold schemas: under names of parameters, under other names, in a list, or directly. */
const parameterMaps = new Set(['properties', 'dependentSchemas']);
const otherMaps = new Set(['$defs', 'definitions', 'patternProperties']);
const lists = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);
const slots = new Set([
  'items',
  'additionalProperties',
  'contains',
  'not',
  'if',
  'then',
  'else',
  'propertyNames',
  'unevaluatedItems',
  'unevaluatedProperties',
]);

/** The names of parameters that a schema declares at any depth, first appearance first. */
export function parameterNames(schema: unknown): Set<string> {
  const names = new Set<string>();
  rewrite(schema, (name) => {
    names.add(name);
    return name;
  });
  return names;
}

/**
 * A copy of a schema with its parameters renamed at any depth, in `properties`, `required`, what depends on them and
 * references through them. Nothing else changes: not the order, descriptions, enums or defaults.
 *
 * @param masks masks by name; a name without one stays
 */
export function maskSchema(schema: JsonSchema, masks: ReadonlyMap<string, string>): JsonSchema {
  const mask = (name: string): string => masks.get(name) ?? name;
  return rewrite(schema, mask, mask) as JsonSchema;
}

/**
 * @param declared what becomes of a name that `properties` declares
 * @param mentioned what becomes of a name in other places
 */
function rewrite(
  schema: unknown,
  declared: (name: string) => string,
  mentioned: (name: string) => string = (name) => name,
): unknown {
  if (!isObject(schema)) return schema;
  const inner = (value: unknown): unknown => rewrite(value, declared, mentioned);
  return mapMembers(schema, (key, value) => {
    if (parameterMaps.has(key)) {
      const rename = key === 'properties' ? declared : mentioned;
      return [key, mapMembers(value, (name, member) => [rename(name), inner(member)])];
    }
    if (otherMaps.has(key))
      return [key, mapMembers(value, (name, member) => [name, inner(member)])];
    if (lists.has(key)) return [key, Array.isArray(value) ? value.map(inner) : value];
    if (slots.has(key)) return [key, inner(value)];
    if (key === 'required') return [key, mapNames(value, mentioned)];
    if (key === 'dependentRequired') {
      const members = mapMembers(value, (name, list) => [
        mentioned(name),
        mapNames(list, mentioned),
      ]);
      return [key, members];
    }
    if (key === '$ref')
      return [key, typeof value === 'string' ? maskReference(value, mentioned) : value];
    return [key, value];
  });
}

/** Follows a JSON Pointer as far as it stays among schemas, and renames the parameters on its way. */
function maskReference(reference: string, mask: (name: string) => string): string {
  if (!reference.startsWith('#/')) return reference;
  const steps = reference.slice(2).split('/');
  for (let at = 0; at < steps.length; at++) {
    const keyword = steps[at] ?? '';
    const name = steps[at + 1];
    if (slots.has(keyword)) continue;
    if (name === undefined) break;
    if (parameterMaps.has(keyword)) steps[at + 1] = encodeStep(mask(decodeStep(name)));
    else if (!otherMaps.has(keyword) && !lists.has(keyword)) break;
    at++; // past the name
  }
  return `#/${steps.join('/')}`;
}

function decodeStep(step: string): string {
  try {
    return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return step; // a bad percent escape: no name
  }
}

function encodeStep(name: string): string {
  return encodeURIComponent(name.toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1'));
}

function mapNames(value: unknown, mask: (name: string) => string): unknown {
  if (!Array.isArray(value)) return value;
  return value.map((name: unknown) => (typeof name === 'string' ? mask(name) : name));
}

/** Object.fromEntries makes own members of every name, also of `__proto__`. */
function mapMembers(
  value: unknown,
  map: (key: string, value: unknown) => [string, unknown],
): unknown {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => map(key, member)));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
