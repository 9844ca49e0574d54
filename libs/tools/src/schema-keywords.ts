import { z } from 'zod';

export const schemaMaps = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
]);
export const schemaLists = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);
export const schemaSlots = new Set([
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

/**
 * Left out of what is read: notes to other readers, and what would make ajv resolve references elsewhere (`$id`),
 * throw (`id`, a lone `nullable`), or answer with a promise, which reads as "valid" (`$async`).
 */
export const dropped = new Set([
  '$schema',
  '$id',
  'id',
  '$comment',
  '$async',
  '$anchor',
  '$vocabulary',
  'optional',
  'nullable',
]);
export const refused = new Set([
  '$dynamicRef',
  '$dynamicAnchor',
  '$recursiveRef',
  '$recursiveAnchor',
  'dependencies',
]);

const count = z.int('must be a whole number').min(0, 'must not be negative');
const number = z.number('must be a number');
export const nameList = z
  .array(z.string('must be a list of names'), 'must be a list of names')
  .refine((list) => new Set(list).size === list.length, 'must not repeat a name');
const text = z.string('must be text');
const flag = z.boolean('must be true or false');
/** The values of keywords that hold no schemas. A keyword that is not here is a note, and kept as it is. */
export const keywords = new Map<string, z.ZodType>(
  Object.entries({
    description: text,
    title: text,
    format: text,
    pattern: text.refine(isPattern, 'is no regular expression (ECMAScript, Unicode)'),
    enum: z.array(z.unknown(), 'must be a list of values').min(1, 'must not be empty'),
    required: nameList,
    dependentRequired: z.record(z.string(), nameList, 'must map names to lists of names'),
    multipleOf: number.gt(0, 'must be over 0'),
    minimum: number,
    maximum: number,
    exclusiveMinimum: number,
    exclusiveMaximum: number,
    minLength: count,
    maxLength: count,
    minItems: count,
    maxItems: count,
    minProperties: count,
    maxProperties: count,
    minContains: count,
    maxContains: count,
    uniqueItems: flag,
    deprecated: flag,
    readOnly: flag,
    writeOnly: flag,
  }),
);

/** Whether text is a regular expression as JSON Schema has them: ECMAScript's, with the flag `u`. */
export function isPattern(pattern: string): boolean {
  try {
    return new RegExp(pattern, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}
