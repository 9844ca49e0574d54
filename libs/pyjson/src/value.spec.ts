import { describe, expect, it } from 'vitest';
import { loads } from './loads.js';
import { isEqual, numeric } from './value.js';

describe('isEqual', () => {
  // The third column is what Python says.
  it.each([
    ['1', '1.0', true],
    ['1', 'true', true],
    ['0.0', 'false', true],
    ['-0.0', '0', true],
    ['"5"', '5', false],
    ['null', '0', false],
    ['null', 'false', false],
    ['""', 'null', false],
    ['9007199254740993', '9007199254740992.0', false],
    ['9007199254740992', '9007199254740992.0', true],
    ['NaN', 'NaN', false],
    ['[1, [true]]', '[1.0, [1]]', true],
    ['[1, 2]', '[2, 1]', false],
    ['[1]', '[1, 2]', false],
    ['[]', '{}', false],
    ['{"a": 1, "b": 2}', '{"b": 2.0, "a": 1}', true],
    ['{"a": 1}', '{"a": 1, "b": 2}', false],
    ['{"a": null}', '{"b": null}', false],
    ['{"__proto__": 1}', '{}', false],
    ['"a"', '"a"', true],
  ])('%s == %s is %s', (a, b, expected) => {
    expect(isEqual(loads(a), loads(b))).toBe(expected);
    expect(isEqual(loads(b), loads(a))).toBe(expected);
  });
});

describe('numeric', () => {
  it('takes ints, floats and bools, and nothing else', () => {
    const values = loads('[1, 1.5, 9007199254740993, true, false, "1", null, [], {}]') as unknown[];
    expect(values.map(numeric)).toEqual([
      1,
      1.5,
      9_007_199_254_740_993n,
      1,
      0,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
