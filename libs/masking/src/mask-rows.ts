import { type MaskingMode, maskSample } from './mask-sample.js';
import { Random } from './random.js';
import type { Sample } from './sample.js';

export interface MaskRowsOptions {
  /** Equal seeds and rows give equal results. */
  readonly seed: number | string;
  /** Probability that a row is masked; the paper's "masking ratio". */
  readonly share?: number;
  readonly mode?: MaskingMode;
}

/**
 * Masks each row with probability `share`; the others come back as they are. What becomes of a row depends on the seed,
 * its index and itself alone, so that rows can be masked in parts. Rows are read as results are taken.
 *
 * @param first index of the first row, where the rows are a part
 */
export function* maskRows<S extends Sample>(
  rows: Iterable<S>,
  { seed, share = 2 / 3, mode = 'strict' }: MaskRowsOptions,
  first = 0,
): Generator<S> {
  let index = first;
  for (const row of rows) {
    const random = new Random(seed).fork(index);
    yield random.float() < share ? maskSample(row, random, mode, `/${index}`) : row;
    index++;
  }
}

/** The paper's training set: `copies` of all rows, each in another random order, with fresh masks. */
export function* trainingRows<S extends Sample>(
  rows: readonly S[],
  { copies = 3, ...options }: MaskRowsOptions & { readonly copies?: number },
): Generator<S> {
  const random = new Random(options.seed);
  for (let copy = 0; copy < copies; copy++) {
    const shuffled = random.fork(`copy ${copy}`).shuffle(rows);
    yield* maskRows(shuffled, options, copy * rows.length);
  }
}
