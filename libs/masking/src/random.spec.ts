import { describe, expect, it } from 'vitest';
import { countBy, looksUniform } from '../../../test/support/chi-square.js';
import { Random } from './random.js';

const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

describe('Random', () => {
  it('draws what a reference xoshiro128** draws from the SHA-256 of the seed', () => {
    const random = new Random(12);
    expect(range(4).map(() => random.integer(0, 999_999_999))).toEqual([
      194_337_564, 507_754_879, 236_121_023, 391_860_353,
    ]);
  });

  it('gives equal draws to equal seeds, unrelated ones to others', () => {
    const draws = (seed: string | number): number[] => {
      const random = new Random(seed);
      return range(8).map(() => random.integer(0, 2 ** 32));
    };
    expect(draws(1)).toEqual(draws(1));
    const all = [1, 2, '1', '', 'a'].flatMap(draws);
    expect(new Set(all).size).toBe(all.length);
  });

  it('forks by label, whatever was drawn before', () => {
    const random = new Random('seed');
    const fresh = random.fork(3).float();
    random.float();
    expect(random.fork(3).float()).toBe(fresh);
    expect(random.fork(4).float()).not.toBe(fresh);
    expect(random.fork('3').float()).not.toBe(fresh);
    expect(random.fork(1).fork(2).float()).not.toBe(random.fork(2).fork(1).float());
  });

  it('draws floats in [0, 1), evenly', () => {
    const random = new Random('floats');
    const floats = range(10_000).map(() => random.float());
    expect(floats.every((float) => float >= 0 && float < 1)).toBe(true);
    expect(
      looksUniform(
        countBy(
          floats.map((float) => Math.floor(float * 100)),
          range(100),
        ),
      ),
    ).toBe(true);
  });

  it('draws integers evenly, both ends included', () => {
    const random = new Random('integers');
    const drawn = range(5_000).map(() => random.integer(-2, 4));
    expect([Math.min(...drawn), Math.max(...drawn)]).toEqual([-2, 4]);
    expect(looksUniform(countBy(drawn, [-2, -1, 0, 1, 2, 3, 4]))).toBe(true);
    expect(random.integer(7, 7)).toBe(7);
  });

  it('shuffles a copy, every order equally likely', () => {
    const random = new Random('orders');
    const items = ['a', 'b', 'c', 'd'];
    const orders = range(4_800).map(() => random.shuffle(items).join(''));
    const counts = countBy(orders, []);
    expect(counts).toHaveLength(24);
    expect(looksUniform(counts)).toBe(true);
    expect(items).toEqual(['a', 'b', 'c', 'd']);
    expect(random.shuffle([])).toEqual([]);
  });

  it('forks of neighbouring labels are independent of one another', () => {
    const random = new Random(0);
    const pairs = range(4_000).map((label) =>
      [0, 1].map((next) => random.fork(label + next).integer(0, 3)).join(''),
    );
    expect(looksUniform(countBy(pairs, []))).toBe(true);
  });
});
