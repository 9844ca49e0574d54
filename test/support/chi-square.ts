/**
 * Whether counts come from equally likely cells: their chi-square lies within four standard deviations of its mean. A
 * right generator fails that once in some ten thousand seeds; a test keeps its seed.
 */
export function looksUniform(counts: readonly number[]): boolean {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const freedom = counts.length - 1;
  return expected >= 5 && Math.abs(chiSquare - freedom) < 4 * Math.sqrt(2 * freedom);
}

/** How often each cell occurs, those of `cells` that never do included. */
export function countBy<T>(values: Iterable<T>, cells: Iterable<T>): number[] {
  const counts = new Map<T, number>();
  for (const cell of cells) counts.set(cell, 0);
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts.values()];
}
