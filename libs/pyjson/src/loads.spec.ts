import { describe, expect, it } from 'vitest';
import { JsonError, loads } from './loads.js';
import { repr } from './repr.js';
import { PyFloat } from './value.js';

describe('loads', () => {
  // The right side is Python's `repr(json.loads(text))`.
  it.each([
    ['5', '5'],
    ['5.0', '5.0'],
    ['1e3', '1000.0'],
    ['1E+05', '100000.0'],
    ['-0', '0'],
    ['-0.0', '-0.0'],
    ['1e999', 'inf'],
    ['1e-400', '0.0'],
    ['9007199254740993', '9007199254740993'],
    ['-123456789012345678901234567890', '-123456789012345678901234567890'],
    ['[NaN, Infinity, -Infinity]', '[nan, inf, -inf]'],
    ['{"a": 1, "b": 2, "a": 3}', "{'a': 3, 'b': 2}"],
    ['{"b": 1, "10": 2, "2": 3}', "{'b': 1, '10': 2, '2': 3}"],
    ['{"__proto__": {"x": 1}, "toString": null}', "{'__proto__': {'x': 1}, 'toString': None}"],
    [' \t\r\n[ true , false ]\n', '[True, False]'],
    [String.raw`"\u00e9\u00E9\/\b\f\n\r\t\\\""`, String.raw`'éé/\x08\x0c\n\r\t\\"'`],
    [String.raw`"\ud83d\ude00 \ud83d \ude00"`, String.raw`'😀 \ud83d \ude00'`],
    ['"\u007f\u2028"', String.raw`'\x7f\u2028'`],
    ['[]', '[]'],
    ['{}', '{}'],
  ])('reads %s as Python does', (text, expected) => {
    expect(repr(loads(text))).toBe(expected);
  });

  it.each([
    '',
    ' ',
    '01',
    '1.',
    '.5',
    '+1',
    '-',
    '1_0',
    '٣',
    'True',
    'None',
    'nul',
    "'a'",
    '[1,]',
    '[1 2]',
    '[1',
    '{"a":1,}',
    '{1: 2}',
    '{"a" 1}',
    '{"a": 1',
    '"a',
    '"\u0001"',
    '"\n"',
    String.raw`"\x"`,
    String.raw`"\u12"`,
    String.raw`"\u 123"`,
    '"\\',
    '[] []',
    '// no\n1',
    '\u00a01',
    '\ufeff1',
  ])('refuses %j, as Python does', (text) => {
    expect(() => loads(text)).toThrow(JsonError);
  });

  it('says where the fault is', () => {
    expect(() => loads('[1, "a')).toThrow('a text that does not end at character 4');
    expect(() => loads('{"a": tru}')).toThrow(
      expect.objectContaining({ name: 'JsonError', position: 6 }),
    );
  });

  it('gives ints as numbers as far as they are exact, beyond as bigints, floats boxed', () => {
    expect(loads('[9007199254740991, 9007199254740992, 1.0]')).toEqual([
      9_007_199_254_740_991,
      9_007_199_254_740_992n,
      new PyFloat(1),
    ]);
    expect(Object.is(loads('-0'), 0)).toBe(true);
  });

  it('has the bounds of Python', () => {
    expect(loads('9'.repeat(4_300))).toBeTypeOf('bigint');
    expect(() => loads('9'.repeat(4_301))).toThrow(JsonError);
    expect(() => loads(`-${'9'.repeat(4_301)}`)).toThrow(JsonError);
    expect(() => loads('['.repeat(100_000))).toThrow(JsonError);
    expect(loads(`${'['.repeat(900)}${']'.repeat(900)}`)).toBeInstanceOf(Array);
  });

  it('reads 1 MB in linear time', () => {
    const text = `["${String.raw`\"`.repeat(250_000)}", "${'x'.repeat(500_000)}"]`;
    const start = performance.now();
    expect(loads(text)).toHaveLength(2);
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});
