/** `problem` is absent exactly if the text was read. `end`: behind it, or where reading failed. */
export interface TextReading {
  readonly value: string;
  readonly end: number;
  readonly problem?: string;
}

/** The first that fits counts. `plain`: what stands for itself inside. */
const quotes: readonly { open: string; close: string; plain: RegExp }[] = [
  { open: '"""', close: '"""', plain: /[^"\\]*/y },
  { open: "'''", close: "'''", plain: /[^'\\]*/y },
  { open: '"', close: '"', plain: /[^"\\]*/y },
  { open: "'", close: "'", plain: /[^'\\]*/y },
  // A straight quote inside is more likely a mixed-up end than part of the text.
  { open: '“', close: '”', plain: /[^“”"\\]*/y },
];
const quoteMarks: ReadonlySet<string> = new Set(quotes.map(({ open }) => open.charAt(0)));

const escapes: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);
const hexEscape =
  /\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U(00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}))/y;
const cutEscape = /\\(?:[uUx][0-9a-fA-F]{0,7})?$/y;

/**
 * Reads a text in quotes: straight, single, triple or curly ones, with the escapes that JSON, Python and JavaScript
 * agree on (Python's `\x` and `\U` too). An escape that they read differently or not at all is refused. Line breaks may
 * stand inside.
 *
 * @returns undefined if no text in quotes begins here
 */
export function readText(source: string, start: number): TextReading | undefined {
  if (!quoteMarks.has(source.charAt(start))) return undefined;
  const quote = quotes.find(({ open }) => source.startsWith(open, start));
  if (quote === undefined) return undefined;
  const { open, close, plain } = quote;
  let value = '';
  let end = start + open.length;
  for (;;) {
    plain.lastIndex = end;
    value += plain.exec(source)?.[0] ?? '';
    end = plain.lastIndex;
    if (source.startsWith(close, end)) return { value, end: end + close.length };
    const character = source.charAt(end);
    if (character === '\\') {
      const escape = readEscape(source, end, open);
      if (escape.problem !== undefined) return escape;
      value += escape.value;
      end = escape.end;
    } else if (character !== '' && close.length === 3) {
      value += character;
      end++;
    } else {
      return { value, end, problem: character === '' ? notEnding : 'mixed quotes' };
    }
  }
}

const notEnding = 'a text that does not end';

function readEscape(source: string, start: number, open: string): TextReading {
  hexEscape.lastIndex = start;
  const hex = hexEscape.exec(source);
  if (hex !== null) {
    const code = Number.parseInt(hex.slice(1).join(''), 16);
    return { value: String.fromCodePoint(code), end: hexEscape.lastIndex };
  }
  const letter = source.charAt(start + 1);
  const value = escapes.get(letter);
  // `'\/'` is one character in JavaScript and two in Python.
  if (value !== undefined && (letter !== '/' || !open.startsWith("'"))) {
    return { value, end: start + 2 };
  }
  cutEscape.lastIndex = start;
  return cutEscape.test(source)
    ? { value: '', end: source.length, problem: notEnding }
    : { value: '', end: start, problem: 'an unknown escape' };
}
