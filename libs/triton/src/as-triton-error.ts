import { TritonError, type TritonErrorOptions } from './triton-error.js';

/** Whatever was thrown, as our error, with what is known of its call; what is not ours is `internal`, and the cause. */
export function asTritonError(error: unknown, known: TritonErrorOptions): TritonError {
  if (error instanceof TritonError) return error.with(known);
  const message = error instanceof Error ? error.message : String(error);
  return new TritonError('internal', message, { ...known, cause: error });
}
