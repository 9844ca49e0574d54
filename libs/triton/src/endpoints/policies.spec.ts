import { describe, expect, it } from 'vitest';
import { leastOutstanding, type Policy, roundRobin } from './policies.js';

function picks(policy: Policy, loads: readonly number[], times: number): number[] {
  const candidates = loads.map((inFlight, at) => ({ address: `s${at}:1`, seed: at, inFlight }));
  return Array.from({ length: times }, () => policy(candidates, undefined));
}

describe('roundRobin', () => {
  it('asks one after the other, whatever they have to do', () => {
    expect(picks(roundRobin(), [9, 0, 0], 5)).toEqual([0, 1, 2, 0, 1]);
  });
});

describe('leastOutstanding', () => {
  it('asks whoever has the fewest calls under way', () => {
    expect(picks(leastOutstanding(), [3, 1, 2], 2)).toEqual([1, 1]);
  });

  it('lets those with equally few take turns, wherever they stand', () => {
    expect(picks(leastOutstanding(), [0, 0, 0], 4)).toEqual([0, 1, 2, 0]);
    expect(picks(leastOutstanding(), [0, 0, 5, 5], 4)).toEqual([0, 1, 0, 1]);
    expect(picks(leastOutstanding(), [5, 0, 5, 0], 4)).toEqual([1, 3, 1, 3]);
  });
});
