import { type HammerlineError, invalidRequest } from '#libs/contracts';
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
 * @throws HammerlineError `invalid_request` for a row not in the form of {@link Sample}, by its index
 */
export function* maskRows<S extends Sample>(
  rows: Iterable<S>,
  options: MaskRowsOptions,
  first = 0,
): Generator<S> {
  let index = first;
  for (const row of rows) {
    yield maskRow(row, index, index, options);
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
    const shuffled = random.fork(`copy ${copy}`).shuffle([...rows.entries()]);
    for (const [at, [source, row]] of shuffled.entries()) {
      yield maskRow(row, copy * rows.length + at, source, options);
    }
  }
}

/**
 * @param index what its masks depend on
 * @param source where the row stands in what was given
 */
function maskRow<S extends Sample>(
  row: S,
  index: number,
  source: number,
  { seed, share = 2 / 3, mode = 'strict' }: MaskRowsOptions,
): S {
  if (!(share >= 0 && share <= 1)) throw shareFault(share);
  const random = new Random(seed).fork(index);
  return random.float() < share ? maskSample(row, random, mode, `/${source}`) : row;
}

/** A share that is no part of the whole. */
export function shareFault(share: number): HammerlineError {
  const detail = `is ${share}, which is no part of all rows`;
  return invalidRequest({ pointer: '/share', detail, mend: 'give a number from 0 to 1' });
}
