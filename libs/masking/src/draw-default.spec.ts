import { describe, expect, it } from 'vitest';
import { PyFloat } from '#libs/pyjson';
import { countBy, looksUniform } from '../../../test/support/chi-square.js';
import { drawDefault } from './draw-default.js';
import { symbols } from './alphabet.js';
import { Random } from './random.js';

function draws(old: string | number | bigint | PyFloat): unknown[] {
  const random = new Random('defaults');
  return Array.from({ length: 2_000 }, () => drawDefault(old, random));
}

describe('drawDefault', () => {
  it('adds 1 to 4 to an int, each equally often', () => {
    const drawn = draws(-2);
    const counts = countBy(drawn, [-1, 0, 1, 2]);
    expect(counts).toHaveLength(4);
    expect(looksUniform(counts)).toBe(true);
  });

  it('keeps all digits of a large int', () => {
    const last = Number.MAX_SAFE_INTEGER;
    const next = [1n, 2n, 3n, 4n].map((step) => BigInt(last) + step);
    expect(new Set(draws(last))).toEqual(new Set(next));
    expect(new Set(draws(-BigInt(last) - 1n))).toEqual(new Set([0, 1, 2, 3].map((n) => n - last)));
  });

  it('adds less than 1 to a float', () => {
    const steps = draws(new PyFloat(2.5)).map((drawn) =>
      drawn instanceof PyFloat ? Math.floor((drawn.value - 2.5) * 20) : -1,
    );
    const counts = countBy(
      steps,
      Array.from({ length: 20 }, (_, step) => step),
    );
    expect(counts).toHaveLength(20);
    expect(looksUniform(counts)).toBe(true);
  });

  it('makes five symbols of a text', () => {
    const drawn = draws('Oslo').map(String);
    expect(drawn.filter((text) => text.length !== 5)).toEqual([]);
    expect(looksUniform(countBy(drawn.join(''), symbols))).toBe(true);
  });
});
