import { loads } from './loads.js';
import { PyFloat, type PyValue } from './value.js';

/**
 * `JSON.parse`, but for a fault of V8 (Node 24 to 26 at least, nodejs/node#63785): once a text with the key `a\\` was
 * parsed, `{"a\u00e9": 1}` comes out with that key, for as long as the process lives and whoever sent either text. Only
 * keys with escapes are hit, so only texts that have a backslash are read by a reader of our own.
 *
 * @throws SyntaxError as `JSON.parse` does
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return text.includes('\\') ? toPlain(loads(text)) : value;
}

function toPlain(value: PyValue): unknown {
  if (value instanceof PyFloat) return value.value;
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(toPlain);
  if (!(value instanceof Map)) return value;
  // Own members, also `__proto__`.
  return Object.fromEntries(Array.from(value, ([key, member]) => [key, toPlain(member)]));
}
