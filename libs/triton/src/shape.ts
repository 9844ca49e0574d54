/**
 * Elements of a tensor of this shape: the product of its dimensions, 1 for a scalar's empty shape. NaN where that is no
 * count: a dimension is negative or no integer, or the product is beyond 2^53.
 */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) {
    if (!(size >= 0) || !Number.isInteger(size)) return NaN;
    count *= size;
  }
  return Number.isSafeInteger(count) ? count : NaN;
}

/** `[2, -1]`, as errors show a shape. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
