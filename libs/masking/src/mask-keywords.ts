/**
 * What a keyword of JSON Schema (2020-12, and its older forms) has to do with parameter names.
 *
 * - `properties`: a map from parameter names to the schemas of their values
 * - `dependents`: a map from parameter names to schemas of the same object, or to lists of names
 * - `definitions`: a map from other names (or patterns) to schemas
 * - `schemas`: a schema, or a list of them
 * - `names`: a list of parameter names
 * - `discriminator`: OpenAPI's note that names a parameter
 * - `reference`: a JSON Pointer that may lead through parameters
 * - `text`: words for the reader
 * - `sample`, `samples`: a value of the schema as a hint, or a list of them
 * - `literal`: values that arguments are compared with
 */
export type KeywordRole =
  | 'properties'
  | 'dependents'
  | 'definitions'
  | 'schemas'
  | 'names'
  | 'discriminator'
  | 'reference'
  | 'text'
  | 'sample'
  | 'samples'
  | 'literal';

const keywordsByRole: Record<KeywordRole, string> = {
  properties: 'properties',
  dependents: 'dependentSchemas dependentRequired dependencies',
  definitions: '$defs definitions patternProperties',
  schemas:
    'allOf anyOf oneOf not if then else items prefixItems additionalItems unevaluatedItems contains ' +
    'additionalProperties unevaluatedProperties propertyNames',
  names: 'required',
  discriminator: 'discriminator',
  reference: '$ref',
  text: 'description title',
  sample: 'default example',
  samples: 'examples',
  literal: 'enum const',
};

/** Roles by keyword. A keyword that is not here has nothing to do with names. */
export const keywordRoles: ReadonlyMap<string, KeywordRole> = new Map(
  Object.entries(keywordsByRole).flatMap(([role, keywords]) =>
    keywords.split(' ').map((keyword) => [keyword, role as KeywordRole]),
  ),
);

/** Keywords of role `schemas` or `dependents` whose schemas apply to the same value as the schema they stand in. */
export const inPlaceKeywords: ReadonlySet<string> = new Set(
  'allOf anyOf oneOf not if then else dependentSchemas dependencies'.split(' '),
);

/** Keywords that judge names by other means than listing them. */
export const patternKeywords = ['patternProperties', 'propertyNames'] as const;

/** Whether a value is a JSON object (not null, not a list). */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets an own member of any name: plain assignment of `__proto__` would set the prototype. */
export function setMember(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(target, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else target[name] = value;
}
