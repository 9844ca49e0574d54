import { parseJson } from '#libs/pyjson';
import { isObject } from './json.js';
import { readLiteral } from './tolerant-reader.js';

/** A call as the model wrote it: not validated, not authorised. */
export interface ParsedCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export type ParseResult =
  | { readonly ok: true; readonly calls: readonly ParsedCall[] }
  | { readonly ok: false; readonly reason: string };

/** Whether JSON may hold a number that is no finite double, or an integer that is no exact one. */
const hugeNumber = /\d{16}|\d[eE]\+?\d{3}/;

/** The end of a key, perhaps. */
const keyEnd = /"\s*:/g;

/**
 * The strict step of `readAnswer`: a JSON list of `{name, arguments}`, bare or in one Markdown fence, without a tag or
 * tagged `json`. It is strict about JSON, not about the tag: the parsers of the original client and of BFCL read no calls
 * in a fence tagged `json`. An empty list is the model's "no tool fits". Nothing is repaired: any other text is refused
 * with a reason that can be shown to the model, also one with a number that a double does not hold, which would be
 * rounded, or with a key given twice in one object, of which only the last would count.
 *
 * Keys such as `__proto__` in arguments stay ordinary own keys, as `JSON.parse` makes them.
 */
export function parseCalls(text: string): ParseResult {
  const json = unfence(text);
  let value: unknown;
  try {
    value = parseJson(json);
  } catch (error) {
    return refuse(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (hugeNumber.test(json) || mayRepeatKey(json, value)) {
    const { problem } = readLiteral(json);
    if (problem !== undefined) return refuse(problem);
  }
  if (!Array.isArray(value)) return refuse('not a list of calls');
  const calls: ParsedCall[] = [];
  for (const [index, element] of value.entries()) {
    const call = toCall(element);
    if (typeof call === 'string') return refuse(`call ${index + 1} ${call}`);
    calls.push(call);
  }
  return { ok: true, calls };
}

/** A call from `{name, arguments}`, or what is wrong with it. */
export function toCall(element: unknown): ParsedCall | string {
  if (!isObject(element)) return 'is not an object';
  // Own members only: a `__proto__` key must not lend an element the members that it lacks.
  const { name, arguments: values, ...others } = element;
  const surplus = Object.keys(others)[0];
  if (surplus !== undefined) return `has an unknown member "${surplus.slice(0, 60)}"`;
  if (typeof name !== 'string' || name === '') return 'has no name';
  if (!isObject(values)) return 'has no arguments object';
  return { name, arguments: values };
}

/** Whether the text has more ends of keys than its value has keys; a text in it may hold some, too. */
function mayRepeatKey(json: string, value: unknown): boolean {
  let surplus = json.match(keyEnd)?.length ?? 0;
  // No recursion: JSON.parse reads any depth.
  const pending = [value];
  for (const each of pending) {
    if (typeof each !== 'object' || each === null) continue;
    const members: unknown[] = Object.values(each);
    if (!Array.isArray(each)) surplus -= members.length;
    for (const member of members) if (typeof member === 'object') pending.push(member);
  }
  return surplus > 0;
}

function refuse(reason: string): ParseResult {
  return { ok: false, reason };
}

function unfence(text: string): string {
  const trimmed = text.trim();
  const isFenced = trimmed.length >= 6 && trimmed.startsWith('```') && trimmed.endsWith('```');
  return isFenced ? trimmed.slice(3, -3).replace(/^json/, '') : text;
}
