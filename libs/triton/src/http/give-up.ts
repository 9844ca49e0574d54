import type { CallContext } from '../transport.js';
import { TritonError } from '../triton-error.js';

const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Calls `giveUp` once, as soon as the deadline has passed or the signal says so, which may be at once. The returned
 * function ends the watch.
 */
export function watch(
  { deadline, signal }: CallContext,
  giveUp: (error: TritonError) => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
  };
  const stop = (error: TritonError): void => {
    end();
    giveUp(error);
  };
  const cancel = (): void => stop(cancelled(signal?.reason));
  const wait = (until: number): void => {
    const left = until - performance.now();
    if (left <= 0) stop(new TritonError('deadline_exceeded', 'the deadline has passed'));
    else timer = setTimeout(wait, Math.min(Math.ceil(left), LONGEST_TIMER), until);
  };
  if (signal?.aborted === true) cancel();
  else {
    signal?.addEventListener('abort', cancel);
    if (deadline !== undefined) wait(deadline);
  }
  return end;
}

function cancelled(cause: unknown): TritonError {
  return new TritonError('cancelled', 'the call was cancelled', { cause });
}
