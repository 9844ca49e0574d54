import type { JsonSchema } from '#libs/contracts';
import { choice, jsonLiteral, repeat } from './gbnf-rules.js';
import { integersBetween } from './integers-between.js';
import type { TypeName } from './json-schema.js';

/** Called with a keyword that the grammar does not hold. */
type Note = (keyword: string) => void;

/** Most repetitions that are counted, of items or characters: llama.cpp makes a rule of each. */
const maxCounted = 64;

export const rangeKeywords = [
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
] as const;

/** An expression for strings, which counts characters as JSON Schema does: by code points. */
export function writeText(schema: JsonSchema, note: Note): string {
  const [min, max] = countsOf(schema, 'minLength', 'maxLength', note);
  if (min === 0 && max === Infinity) return 'string';
  return String.raw`"\"" ${repeat('char', min, max)} "\""`;
}

/** An expression for integers in a range. */
export function writeInteger(schema: JsonSchema, note: Note): string {
  const [minimum = -Infinity, maximum = Infinity, over = -Infinity, under = Infinity] =
    rangeKeywords.map((keyword) => {
      const value = schema[keyword];
      return typeof value === 'number' ? value : undefined;
    });
  const min = Math.max(minimum, Math.floor(over) + 1);
  const max = Math.min(maximum, Math.ceil(under) - 1);
  if (min === -Infinity && max === Infinity) return 'integer';
  const range = integersBetween(min, max);
  if (range === undefined) for (const keyword of rangeKeywords) note(keyword);
  return range ?? 'integer';
}

/** An expression for any of these values; a number that is whole, also as a float where that is allowed. */
export function writeValues(values: readonly unknown[], types: readonly TypeName[]): string {
  return choice(
    values.map((value) =>
      Number.isSafeInteger(value) && types.includes('number')
        ? `${jsonLiteral(value)} ".0"?`
        : jsonLiteral(value),
    ),
  );
}

/** The least and the greatest count that two keywords name, as far as the grammar counts. */
export function countsOf(
  schema: JsonSchema,
  lower: string,
  upper: string,
  note: Note,
): [min: number, max: number] {
  const [min, max] = [countOf(schema[lower]) ?? 0, countOf(schema[upper]) ?? Infinity];
  if (min > maxCounted || min > max) note(lower);
  if ((max > maxCounted && max < Infinity) || min > max) note(upper);
  if (min > max) return [0, Infinity];
  return [Math.min(min, maxCounted), max > maxCounted ? Infinity : max];
}

function countOf(value: unknown): number | undefined {
  return Number.isInteger(value) && Number(value) >= 0 ? Number(value) : undefined;
}
