import { invalidArgument, type TritonError } from '../triton-error.js';

/** A request's bytes are its caller's, uncopied, until they leave: one that is shorter then cannot be sent any more. */
export const inputChanged =
  "an input's buffer was transferred or resized while its call was under way";

export function changedInput(): TritonError {
  return invalidArgument('inputs', inputChanged, 'leave it alone until the call is over');
}

export function byteLength(pieces: readonly Uint8Array[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}
