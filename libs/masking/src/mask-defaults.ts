import { type PyDict, type PyFloat, type PyValue, str } from '#libs/pyjson';
import { correctedDefaults } from './corrected-defaults.js';
import type { MaskingMode } from './mask-sample.js';
import type { Random } from './random.js';
import type { SampleCall, SampleTool } from './sample.js';
import { strictDefaults } from './strict-defaults.js';

/** A default that can get another value: no list, object, null or empty text. */
export type Default = string | boolean | number | bigint | PyFloat;

/** Where a default stands. */
export interface DefaultPlace {
  readonly query: string;
  readonly schema: PyDict;
  /** Its parameter's mask, which no other parameter of the sample has (but for an odd chance). */
  readonly parameter: string;
  /** All calls of the sample. */
  readonly answers: readonly SampleCall[];
}

/** What the two modes differ in. */
export interface DefaultRules {
  /** Whether an argument with this value is a reason to change the default. */
  readonly isUse: (value: PyValue, old: Default) => boolean;
  /** Whether an argument with this value changes with it. */
  readonly follows: (value: PyValue, old: Default) => boolean;
  /** @returns nothing if the default is to stay */
  readonly draw: (old: Default, place: DefaultPlace, random: Random) => Default | undefined;
  readonly inDescription: (text: string, old: string, fresh: string) => string;
  readonly inQuery: (text: string, old: string, fresh: string) => string;
}

export const defaultRules: Readonly<Record<MaskingMode, DefaultRules>> = {
  strict: strictDefaults,
  corrected: correctedDefaults,
};

/**
 * Gives the defaults that the answers use another value, in the parameter, its description, the answers and the query,
 * so that the right value is to be read from the tool and not from memory. A text becomes five random symbols, an int
 * grows by 1 to 4, a float by less than 1. The modes:
 *
 * | | strict | corrected |
 * | --- | --- | --- |
 * | used by | arguments of the same text (`"5"`, 5) | arguments of the same type and value |
 * | what changes | arguments equal to Python (`1 == 1.0 == True`) | the same arguments |
 * | bool | becomes a float | stays: it has no third value |
 * | default in an `enum` | changes | stays: another value would be against the schema |
 * | in texts | every substring, "1" in "2010" too | whole words and numbers |
 * | in the query | capitalised, lower and upper form into those of the new value | in any case, into the new value |
 * | query says it in another form ("three", "2.5%", "5,000", "kings", "new_york") | label and query part | stays |
 * | query says it, and another argument holds it too | label and query part | stays |
 * | new value | any | stands nowhere else in query, answers and description, or the default stays |
 * | blanks and marks only | change | stay: they stand everywhere |
 *
 * Neither sees a paraphrase ("a week" for 7).
 *
 * @param sample tools and answers change in place
 * @returns the query that goes with them
 */
export function maskDefaults(
  sample: { query: string; tools: readonly SampleTool[]; answers: readonly SampleCall[] },
  random: Random,
  mode: MaskingMode,
): string {
  const rules = defaultRules[mode];
  const { tools, answers } = sample;
  let { query } = sample;
  for (const tool of tools) {
    for (const [parameter, schema] of tool.parameters) {
      const old = readDefault(schema);
      const calls = callsWith(tool, parameter, answers);
      if (old === undefined || !calls.some((call) => rules.isUse(call.value, old))) continue;
      const fresh = rules.draw(old, { query, schema, parameter, answers }, random);
      if (fresh === undefined) continue;
      const [oldText, freshText] = [str(old), str(fresh)];
      const description = schema.get('description');
      schema.set('default', fresh);
      if (typeof description === 'string') {
        schema.set('description', rules.inDescription(description, oldText, freshText));
      }
      for (const { call, value } of calls) {
        if (!rules.follows(value, old)) continue;
        call.arguments.set(parameter, fresh);
        query = rules.inQuery(query, oldText, freshText);
      }
    }
  }
  return query;
}

/** The default of a parameter, if it is one that can change. */
export function readDefault(schema: PyDict): Default | undefined {
  const value = schema.get('default');
  const isFixed = value === undefined || value === null || value === '';
  return isFixed || Array.isArray(value) || value instanceof Map ? undefined : value;
}

/** The calls of a tool that pass a parameter, each with its value. */
export function callsWith(
  tool: SampleTool,
  parameter: string,
  answers: readonly SampleCall[],
): { call: SampleCall; value: PyValue }[] {
  return answers.flatMap((call) => {
    const value = call.arguments.get(parameter);
    return call.name === tool.name && value !== undefined ? [{ call, value }] : [];
  });
}
