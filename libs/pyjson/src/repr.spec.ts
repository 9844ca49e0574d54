import { describe, expect, it } from 'vitest';
import { loads } from './loads.js';
import { repr, str } from './repr.js';
import { PyFloat } from './value.js';

describe('repr', () => {
  // The right side is Python's `repr(json.loads(text))`.
  it.each([
    ['true', 'True'],
    ['null', 'None'],
    ['1e16', '1e+16'],
    ['[]', '[]'],
    ['{}', '{}'],
    ['[1, 1.0, "a", [null], {"k": false}]', "[1, 1.0, 'a', [None], {'k': False}]"],
    [`"it's"`, `"it's"`],
    [String.raw`"it's \"so\""`, String.raw`'it\'s "so"'`],
    [String.raw`"a\\b\n\r\t"`, String.raw`'a\\b\n\r\t'`],
    [String.raw`"\u0000\u001b\u007f\u0085\u00a0\u00ad"`, String.raw`'\x00\x1b\x7f\x85\xa0\xad'`],
    [
      String.raw`"\u0378\u200b\u2028\u3000\ue000\ufeff"`,
      String.raw`'\u0378\u200b\u2028\u3000\ue000\ufeff'`,
    ],
    ['"\u{e0001}\u{f0000}"', String.raw`'\U000e0001\U000f0000'`],
    [String.raw`"\ud800"`, String.raw`'\ud800'`],
    ['"é 日 😀 "', "'é 日 😀 '"],
    ['{"it\'s": {"10": [1], "2": 0}}', `{"it's": {'10': [1], '2': 0}}`],
  ])('writes %s as Python does', (text, expected) => {
    expect(repr(loads(text))).toBe(expected);
  });

  it('writes what JSON.parse gives', () => {
    expect(repr({ a: [1, 0.5, undefined], b: undefined, __proto__: { c: 1 } })).toBe(
      "{'a': [1, 0.5, None]}",
    );
    expect(repr(JSON.parse('{"__proto__": 1}'))).toBe("{'__proto__': 1}");
  });

  it('writes infinities and NaN in small letters', () => {
    expect(repr([NaN, Infinity, -Infinity].map((value) => new PyFloat(value)))).toBe(
      '[nan, inf, -inf]',
    );
  });
});

describe('str', () => {
  it('gives a text as it is, and anything else as repr does', () => {
    expect(str("it's\n")).toBe("it's\n");
    expect(str(["it's\n"])).toBe(String.raw`["it's\n"]`);
    expect(str(new PyFloat(1))).toBe('1.0');
    expect(str(null)).toBe('None');
  });
});
