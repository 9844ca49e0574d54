import { PyFloat, type PyDict, type PyValue } from './value.js';

/** Python's own bounds: its decoder recurses, and ints of more digits are refused as they take quadratic time. */
const maxDepth = 1_000;
const maxDigits = 4_300;

const number = /(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const plain = /[ !#-[\]-\uffff]*/y;
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const words: readonly [string, PyValue][] = [
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', new PyFloat(NaN)],
  ['Infinity', new PyFloat(Infinity)],
  ['-Infinity', new PyFloat(-Infinity)],
];

/** Text that Python's `json.loads` refuses. `position` counts UTF-16 units from 0. */
export class JsonError extends SyntaxError {
  readonly position: number;

  constructor(problem: string, position: number) {
    super(`${problem} at character ${position}`);
    this.name = 'JsonError';
    this.position = position;
  }
}

/**
 * Reads JSON as Python's `json.loads` does: `5` and `5.0` stay different, integers keep all digits, objects keep their
 * order, a repeated key its first place and last value, `NaN` and `Infinity` are taken, half a surrogate pair too.
 *
 * @throws JsonError for all other text, for more than 1,000 levels, and for an integer of more than 4,300 digits
 */
export function loads(text: string): PyValue {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) throw this.#error('more text than one value');
  }

  value(depth: number): PyValue {
    const code = this.#space();
    if (code === 0x22) return this.#string();
    if (code === 0x7b) return this.#object(this.#deeper(depth));
    if (code === 0x5b) return this.#list(this.#deeper(depth));
    number.lastIndex = this.#at;
    const match = number.exec(this.#text);
    return match === null ? this.#word() : this.#number(match);
  }

  #deeper(depth: number): number {
    if (depth === maxDepth) throw this.#error(`more than ${maxDepth} levels`);
    this.#at++;
    return depth + 1;
  }

  #object(depth: number): PyDict {
    const members: PyDict = new Map();
    if (this.#space() === 0x7d) {
      this.#at++;
      return members;
    }
    for (;;) {
      if (this.#space() !== 0x22) throw this.#error('no key in double quotes');
      const key = this.#string();
      if (this.#space() !== 0x3a) throw this.#error('no ":"');
      this.#at++;
      members.set(key, this.value(depth));
      const code = this.#space();
      if (code !== 0x2c && code !== 0x7d) throw this.#error('no "," or "}"');
      this.#at++;
      if (code === 0x7d) return members;
    }
  }

  #list(depth: number): PyValue[] {
    const members: PyValue[] = [];
    if (this.#space() === 0x5d) {
      this.#at++;
      return members;
    }
    for (;;) {
      members.push(this.value(depth));
      const code = this.#space();
      if (code !== 0x2c && code !== 0x5d) throw this.#error('no "," or "]"');
      this.#at++;
      if (code === 0x5d) return members;
    }
  }

  #string(): string {
    const start = ++this.#at;
    let read = '';
    for (;;) {
      plain.lastIndex = this.#at;
      plain.test(this.#text);
      const end = plain.lastIndex;
      const code = this.#text.charCodeAt(end);
      if (code === 0x22) {
        const rest = this.#text.slice(this.#at, end);
        this.#at = end + 1;
        return read + rest;
      }
      if (code !== 0x5c) {
        this.#at = end;
        throw Number.isNaN(code)
          ? new JsonError('a text that does not end', start - 1)
          : this.#error('a control character in a text');
      }
      read += this.#text.slice(this.#at, end);
      this.#at = end + 1;
      read += this.#escape();
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? '';
    if (letter === 'u') {
      const digits = this.#text.slice(this.#at + 1, this.#at + 5);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#error('an escape without four digits');
      this.#at += 5;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const escaped = escapes[letter];
    if (escaped === undefined) throw this.#error('an unknown escape');
    this.#at++;
    return escaped;
  }

  #number([text, integer = '', fraction, exponent]: RegExpExecArray): PyValue {
    // "-Infinity" is read before the number that its sign could begin, "-" alone is none.
    this.#at += text.length;
    if (fraction !== undefined || exponent !== undefined) return new PyFloat(Number(text));
    const value = Number(integer);
    if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
    if (integer.length - (integer.startsWith('-') ? 1 : 0) > maxDigits) {
      throw this.#error(`an integer of more than ${maxDigits} digits`);
    }
    return BigInt(integer);
  }

  #word(): PyValue {
    for (const [word, value] of words) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    throw this.#error('no value');
  }

  /** Passes white space; the code of the character behind it, NaN at the end. */
  #space(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code;
      this.#at++;
    }
  }

  #error(problem: string): JsonError {
    return new JsonError(problem, this.#at);
  }
}
