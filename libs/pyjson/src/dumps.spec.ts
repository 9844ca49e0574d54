import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzzRuns } from '../../../test/support/fuzz.js';
import { dumps } from './dumps.js';
import { loads } from './loads.js';
import { isEqual, PyFloat, type PyValue } from './value.js';

describe('dumps', () => {
  // The right side is Python's `json.dumps(value)`.
  it.each([
    [1, '1.0'],
    [2.5, '2.5'],
    [-0, '-0.0'],
    [1e15, '1000000000000000.0'],
    [9_999_999_999_999_998, '9999999999999998.0'],
    [1e16, '1e+16'],
    [1e22, '1e+22'],
    [1e100, '1e+100'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [0.000_099, '9.9e-05'],
    [1e-7, '1e-07'],
    [5e-324, '5e-324'],
    [1.797_693_134_862_315_7e308, '1.7976931348623157e+308'],
    [123_456_789.123_456_79, '123456789.12345679'],
    [0.1 + 0.2, '0.30000000000000004'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [-Infinity, '-Infinity'],
  ])('writes the float %d as %s', (value, expected) => {
    expect(dumps(new PyFloat(value))).toBe(expected);
  });

  it.each([
    ['"\\\b\f\n\r\t/', String.raw`"\"\\\b\f\n\r\t/"`],
    ['\u0000\u001f\u007f\u0080', String.raw`"\u0000\u001f\u007f\u0080"`],
    ['é–日\u2028', String.raw`"\u00e9\u2013\u65e5\u2028"`],
    ['😀 \ud83d', String.raw`"\ud83d\ude00 \ud83d"`],
    ['~ !', '"~ !"'],
  ])('escapes %j in the ASCII form', (text, expected) => {
    expect(dumps(text)).toBe(expected);
  });

  it('leaves all but quotes, backslashes and controls in the raw form', () => {
    const text = 'é–日\u2028\u007f\u0080😀\ud83d/"\\\u0001\n';
    expect(dumps(text, { ensureAscii: false })).toBe(
      `"é–日\u2028\u007f\u0080😀\ud83d/${String.raw`\"\\\u0001\n`}"`,
    );
  });

  it('separates with a comma and a space, a colon and a space', () => {
    const text = '{"type": [1, 2.0, true, null, {}, []], "10": "x", "__proto__": {"é": -5}}';
    expect(dumps(loads(text), { ensureAscii: false })).toBe(text);
  });

  it('writes what JSON.parse gives: keys by their own names, safe integers as ints', () => {
    expect(dumps(JSON.parse('{"constructor": 1, "__proto__": {"a": 1.5}, "c": 1e20}'))).toBe(
      '{"constructor": 1, "__proto__": {"a": 1.5}, "c": 1e+20}',
    );
    expect(dumps([12_345_678_901_234_567_890n, -0])).toBe('[12345678901234567890, -0.0]');
  });

  it('leaves out undefined members, and writes null for what JSON cannot say', () => {
    expect(dumps({ a: undefined, b: [undefined, () => 1, Symbol('s')] })).toBe(
      '{"b": [null, null, null]}',
    );
  });

  it('gives a text that loads reads back to the same value, in either form', () => {
    fc.assert(
      fc.property(pyValue, (value) => {
        for (const ensureAscii of [true, false]) {
          const text = dumps(value, { ensureAscii });
          const read = loads(text);
          expect(isEqual(read, value)).toBe(true);
          expect(dumps(read, { ensureAscii })).toBe(text);
        }
      }),
      { seed: 4, numRuns: fuzzRuns() },
    );
  });

  it('agrees with JSON.parse on every value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(JSON.parse(dumps(plain))).toEqual(plain);
        expect(JSON.parse(dumps(plain, { ensureAscii: false }))).toEqual(plain);
      }),
      { seed: 4, numRuns: fuzzRuns() },
    );
  });
});

const key = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', '10', '2', '', 'name', 'required'),
  fc.string({ unit: 'binary', maxLength: 6 }),
);
const { pyValue } = fc.letrec<{ pyValue: PyValue }>((tie) => ({
  pyValue: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.string({ unit: 'binary' }),
    fc.maxSafeInteger().map((value) => (value === 0 ? 0 : value)),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }),
    fc.double({ noNaN: true }).map((value) => new PyFloat(value)),
    fc.array(tie('pyValue'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('pyValue')), { maxLength: 4 }).map((members) => new Map(members)),
  ),
}));
