import { isObject } from './json.js';

/** A call as the model wrote it: not validated, not authorised. */
export interface ParsedCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export type ParseResult =
  | { readonly ok: true; readonly calls: readonly ParsedCall[] }
  | { readonly ok: false; readonly reason: string };

/**
 * Reads a model's answer: a JSON list of `{name, arguments}`, bare or in one Markdown fence. An empty list is the
 * model's "no tool fits". Nothing is repaired: any other text is refused with a reason that can be shown to the model.
 *
 * Keys such as `__proto__` in arguments stay ordinary own keys, as `JSON.parse` makes them.
 */
export function parseCalls(text: string): ParseResult {
  let value: unknown;
  try {
    value = JSON.parse(unfence(text));
  } catch (error) {
    return refuse(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!Array.isArray(value)) return refuse('not a list of calls');
  const calls: ParsedCall[] = [];
  for (const [index, element] of value.entries()) {
    const at = `call ${index + 1}`;
    if (!isObject(element)) return refuse(`${at} is not an object`);
    // Own members only: a `__proto__` key must not lend an element the members that it lacks.
    const { name, arguments: values, ...others } = element;
    const surplus = Object.keys(others)[0];
    if (surplus !== undefined) return refuse(`${at} has an unknown member "${surplus}"`);
    if (typeof name !== 'string' || name === '') return refuse(`${at} has no name`);
    if (!isObject(values)) return refuse(`${at} has no arguments object`);
    calls.push({ name, arguments: values });
  }
  return { ok: true, calls };
}

function refuse(reason: string): ParseResult {
  return { ok: false, reason };
}

function unfence(text: string): string {
  return /^\s*```(?:json)?\s*\n?([\s\S]*?)```\s*$/.exec(text)?.[1] ?? text;
}
