import { isInt, writeFloat } from './dumps.js';
import { PyFloat } from './value.js';

// Python's str.isprintable: no control, format, surrogate, private or unassigned character, no space but U+0020. What is
// assigned depends on the version of Unicode: Python 3.11 has 14, Node 24 has 17.
const unprintable = /(?! )[\p{C}\p{Z}]/gu;
const hasUnprintable = /(?! )[\p{C}\p{Z}]/u;
const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const floatWords = { nan: 'nan', infinity: 'inf' };

/** Python's `str()` of what `loads` or `JSON.parse` gives (see `dumps`): a text is itself, all else is `repr`. */
export function str(value: unknown): string {
  return typeof value === 'string' ? value : repr(value);
}

/** Python's `repr()`: `True`, `None`, `1.0`, `'text'`, `[1, 'a']`, `{'k': 1}`. */
export function repr(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return reprText(value);
    case 'number':
      return isInt(value) ? String(value) : writeFloat(value, floatWords);
    case 'bigint':
      return String(value);
    case 'boolean':
      return value ? 'True' : 'False';
    case 'object':
      break;
    case 'undefined':
    case 'function':
    case 'symbol':
      return 'None';
  }
  if (value === null) return 'None';
  if (value instanceof PyFloat) return writeFloat(value.value, floatWords);
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  const members = value instanceof Map ? [...value] : Object.entries(value);
  return `{${members
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => `${repr(key)}: ${repr(member)}`)
    .join(', ')}}`;
}

function reprText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let body = text.includes('\\') ? text.replaceAll('\\', '\\\\') : text;
  if (quote === "'" && body.includes("'")) body = body.replaceAll("'", "\\'");
  if (hasUnprintable.test(body)) body = body.replace(unprintable, escape);
  return quote + body + quote;
}

function escape(character: string): string {
  const known = named[character];
  if (known !== undefined) return known;
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}
