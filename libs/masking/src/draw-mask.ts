import { maskLengths, symbols, type MaskKind } from './alphabet.js';
import type { Random } from './random.js';

/** A mask as in training: its length and each of its symbols uniform, a digit or dot in front included. */
export function drawMask(kind: MaskKind, random: Random): string {
  const [least, most] = maskLengths[kind];
  const length = random.integer(least, most);
  return Array.from({ length }, () => random.pick(symbols)).join('');
}

/**
 * A mask for each distinct name, in their order.
 *
 * @param taken names that no mask may be, beside the names themselves and one another
 */
export function drawMasks(
  kind: MaskKind,
  names: Iterable<string>,
  taken: Iterable<string>,
  random: Random,
): Map<string, string> {
  const distinct = new Set(names);
  const used = new Set([...distinct, ...taken]);
  const masks = new Map<string, string>();
  for (const name of distinct) {
    let mask: string;
    do mask = drawMask(kind, random);
    while (used.has(mask));
    used.add(mask);
    masks.set(name, mask);
  }
  return masks;
}
