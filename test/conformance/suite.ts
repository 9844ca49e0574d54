import type { PyDict } from '#libs/pyjson';

/** A case that came out otherwise than the original. Both sides are texts, so that their difference can be shown. */
export interface Mismatch {
  readonly expected: string;
  readonly actual: string;
}

/** Runs the cases of one vector file. */
export interface Suite {
  /** File name within the folder of vectors. */
  readonly file: string;
  /** Nothing: the case agrees with the original. Absent: what it tests is not implemented. */
  readonly run?: (vector: PyDict) => Mismatch | undefined;
}
