import { TritonError } from './triton-error.js';
import type { CallContext } from './transport.js';

/** The greatest delay of setTimeout. */
const longest = 2 ** 31 - 1;

/**
 * Watches a call's signal and deadline.
 *
 * @param giveUp called once, possibly at once, with `cancelled` (its cause is the signal's reason) or `deadline_exceeded`
 * @returns stops watching
 */
export function watchLimits(
  { signal, deadline }: CallContext,
  giveUp: (error: TritonError) => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  };
  function abort(): void {
    stop();
    giveUp(new TritonError('cancelled', 'the call was cancelled', { cause: signal?.reason }));
  }
  if (signal?.aborted) {
    abort();
    return stop;
  }
  signal?.addEventListener('abort', abort);
  if (deadline !== undefined) {
    const left = deadline - performance.now();
    const pass = (): void => {
      stop();
      giveUp(new TritonError('deadline_exceeded', 'the deadline has passed'));
    };
    if (left > 0) timer = setTimeout(pass, Math.min(left, longest));
    else pass();
  }
  return stop;
}
