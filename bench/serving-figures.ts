import type { Measure } from './harness.js';

/** Figures of rounds that are over, for `compare` and `measure` to take round by round. */
export function taken(figures: readonly number[]): Measure {
  const left = [...figures];
  return () => left.shift() ?? NaN;
}

export function inTurn(
  product: readonly number[],
  reference: readonly number[],
): { product: Measure; reference: Measure } {
  return { product: taken(product), reference: taken(reference) };
}
