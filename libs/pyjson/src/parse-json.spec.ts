import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzzRuns } from '../../../test/support/fuzz.js';
import { parseJson } from './parse-json.js';

describe('parseJson', () => {
  it('is not misled by keys of texts before, as JSON.parse is', () => {
    const text = String.raw`{"name":"x","caf\u00e9":1}`;
    parseJson(String.raw`{"name":"x","caf\\":1}`);
    expect(Object.keys(parseJson(text) as object)).toEqual(['name', 'café']);
  });

  it('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(JSON.stringify(parseJson(text))).toBe(text);
      }),
      { numRuns: fuzzRuns(), seed: 1 },
    );
  });

  it('keeps prototype names as own keys', () => {
    const value = parseJson(String.raw`{"__proto__": {"a": "\n"}, "constructor": 1.50}`) as object;
    expect(Object.entries(value)).toEqual([
      ['__proto__', { a: '\n' }],
      ['constructor', 1.5],
    ]);
  });

  it.each(['', '{', String.raw`["\x"]`, '[NaN]', String.raw`{"\n": NaN}`, '[1,]'])(
    'refuses %j',
    (text) => {
      expect(() => parseJson(text)).toThrow(SyntaxError);
    },
  );
});
