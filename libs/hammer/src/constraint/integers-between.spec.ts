import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzzRuns } from '../../../../test/support/fuzz.js';
import { GbnfAcceptor } from '../../../../test/support/gbnf-acceptor.js';
import { integersBetween } from './integers-between.js';

const limit = 8_999_999_999_999_999;

function accepts(min: number, max: number): (text: string) => boolean {
  const range = integersBetween(min, max);
  if (range === undefined) return () => false;
  const acceptor = new GbnfAcceptor(`root ::= ${range}`);
  return (text) => acceptor.accepts(text);
}

describe('integersBetween', () => {
  it('has exactly the integers of a range', () => {
    const bound = fc.oneof(
      fc.integer({ min: -130, max: 130 }),
      fc.maxSafeInteger(),
      fc.integer({ min: 0, max: 15 }).map((digits) => 10 ** digits),
    );
    const property = fc.property(bound, bound, fc.array(bound), (a, b, more) => {
      const [min, max] = [Math.min(a, b), Math.max(a, b)];
      const isIn = accepts(min, max);
      const near = [min, max].flatMap((each) => [each - 1, each, each + 1]);
      for (const value of [...near, ...more, 0, Math.trunc(min / 2 + max / 2)]) {
        const expected = value >= Math.max(min, -limit) && value <= Math.min(max, limit);
        expect([min, max, value, isIn(String(value))]).toEqual([min, max, value, expected]);
      }
    });
    fc.assert(property, {
      numRuns: fuzzRuns(),
      seed: 7,
      examples: [
        [0, 0, []],
        [1, limit, []],
      ],
    });
  });

  it('has each integer in one form', () => {
    const isIn = accepts(-20, 120);
    for (const text of ['-0', '00', '01', '-01', '1.0', '+1', '1e1', ''])
      expect([text, isIn(text)]).toEqual([text, false]);
  });

  it('takes bounds that are no integers or too large, and has nothing where nothing is', () => {
    const isIn = accepts(0.5, 1e300);
    expect(['0', '1', String(limit), '9000000000000000'].map(isIn)).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(accepts(-Infinity, -1.5)('-2')).toBe(true);
    expect(integersBetween(0.2, 0.8)).toBeUndefined();
    expect(integersBetween(1e17, 1e18)).toBeUndefined();
  });

  it('is short', () => {
    expect(integersBetween(1, Infinity)).toBe('([1-9] [0-9]{0,14} | [1-8] [0-9]{15})');
    expect(integersBetween(0, 100)).toBe('("0" | [1-9] [0-9]{0,1} | "100")');
    expect((integersBetween(-limit + 12_345, limit - 54_321) ?? '').length).toBeLessThan(1_500);
  });
});
