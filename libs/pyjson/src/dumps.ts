import { PyFloat } from './value.js';

// DEL and "/" stay: Python leaves them alone.
const escapable = /["\\\u0000-\u001f]/;
const escapableOrWide = /["\\\u0000-\u001f\u0080-\uffff]/;
const allEscapable = new RegExp(escapable, 'g');
const allEscapableOrWide = new RegExp(escapableOrWide, 'g');
const short: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/**
 * Writes a value as Python's `json.dumps` does: on one line, `, ` and `: ` between the parts, everything beyond ASCII
 * escaped unless `ensureAscii` is false.
 *
 * Besides what `loads` gives it takes what `JSON.parse` gives: plain objects, whose `undefined` members are left out,
 * and any number, which is an int if it is a safe integer (but for -0) and a float otherwise. What JSON cannot say is
 * written as `null`.
 */
export function dumps(value: unknown, { ensureAscii = true } = {}): string {
  return write(value, ensureAscii);
}

function write(value: unknown, ascii: boolean): string {
  switch (typeof value) {
    case 'string':
      return quote(value, ascii);
    case 'number':
      return isInt(value) ? String(value) : writeFloat(value, jsonWords);
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      break;
    default:
      return 'null';
  }
  if (value === null) return 'null';
  if (value instanceof PyFloat) return writeFloat(value.value, jsonWords);
  let text = '';
  if (Array.isArray(value)) {
    for (const member of value as unknown[]) text += (text && ', ') + write(member, ascii);
    return `[${text}]`;
  }
  if (value instanceof Map) {
    for (const [key, member] of value as Map<string, unknown>)
      text += `${text && ', '}${quote(key, ascii)}: ${write(member, ascii)}`;
    return `{${text}}`;
  }
  for (const key of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined) text += `${text && ', '}${quote(key, ascii)}: ${write(member, ascii)}`;
  }
  return `{${text}}`;
}

function quote(text: string, ascii: boolean): string {
  const isPlain = ascii ? !escapableOrWide.test(text) : !escapable.test(text);
  return `"${isPlain ? text : text.replace(ascii ? allEscapableOrWide : allEscapable, escape)}"`;
}

function escape(unit: string): string {
  return short[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Whether a JavaScript number stands for a Python int. */
export function isInt(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

export interface FloatWords {
  readonly nan: string;
  readonly infinity: string;
}
const jsonWords: FloatWords = { nan: 'NaN', infinity: 'Infinity' };

/** Python's shortest form: fixed from 1e-4 up to 1e16, always with a point or an exponent of two digits or more. */
export function writeFloat(value: number, { nan, infinity }: FloatWords): string {
  if (Number.isNaN(value)) return nan;
  if (!Number.isFinite(value)) return value < 0 ? `-${infinity}` : infinity;
  if (Object.is(value, -0)) return '-0.0';
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e16)) {
    const text = String(value);
    return text.includes('.') ? text : `${text}.0`;
  }
  const [mantissa = '', exponent = ''] = value.toExponential().split('e');
  return `${mantissa}e${exponent.charAt(0)}${exponent.slice(1).padStart(2, '0')}`;
}
