import { PyFloat } from './value.js';

// All but what stays as it is. DEL is escaped in the ASCII form only, "/" in neither.
const escapable = /[^ !#-[\]-\uffff]/g;
const escapableOrWide = /[^ !#-[\]-~]/g;
const short: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** Most keys of tools are these: to have them written already saves a third of the time. */
const frequentKeys: ReadonlyMap<string, string> = new Map(
  'name description parameters type properties required items enum default arguments'
    .split(' ')
    .map((name) => [name, `"${name}": `]),
);

/**
 * Writes a value as Python's `json.dumps` does: on one line, `, ` and `: ` between the parts, everything beyond ASCII
 * escaped unless `ensureAscii` is false.
 *
 * Besides what `loads` gives it takes what `JSON.parse` gives: plain objects and any number, which is an int if it is a
 * safe integer (but for -0) and a float otherwise. Members that are `undefined` are left out; what else JSON cannot say
 * is written as `null`.
 *
 * @throws RangeError for a value that holds itself, or nests so deeply that the stack is full
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
    case 'undefined':
    case 'function':
    case 'symbol':
      return 'null';
  }
  if (value === null) return 'null';
  if (value instanceof PyFloat) return writeFloat(value.value, jsonWords);
  let text = '';
  if (Array.isArray(value)) {
    for (const member of value as unknown[]) {
      const written = write(member, ascii);
      text = text === '' ? written : `${text}, ${written}`;
    }
    return `[${text}]`;
  }
  if (value instanceof Map) {
    for (const [name, member] of value as Map<string, unknown>) {
      if (member === undefined) continue;
      const written = key(name, ascii) + write(member, ascii);
      text = text === '' ? written : `${text}, ${written}`;
    }
    return `{${text}}`;
  }
  for (const name of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[name];
    if (member === undefined) continue;
    const written = key(name, ascii) + write(member, ascii);
    text = text === '' ? written : `${text}, ${written}`;
  }
  return `{${text}}`;
}

function key(name: string, ascii: boolean): string {
  return frequentKeys.get(name) ?? `${quote(name, ascii)}: `;
}

function quote(text: string, ascii: boolean): string {
  if (isPlain(text, ascii ? 0x7e : 0xffff)) return `"${text}"`;
  return `"${text.replace(ascii ? escapableOrWide : escapable, escape)}"`;
}

/** Whether a text needs no escape. A loop: most texts are short, where it beats a regular expression. */
function isPlain(text: string, highest: number): boolean {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x20 || unit > highest || unit === 0x22 || unit === 0x5c) return false;
  }
  return true;
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
