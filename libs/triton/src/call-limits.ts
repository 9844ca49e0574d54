import { TritonError } from './triton-error.js';
import type { CallContext } from './transport.js';

/** Node's timers take no longer delay, in milliseconds: with a greater one they fire at once. */
export const LONGEST_DELAY = 2 ** 31 - 1;

/**
 * Watches a call's signal and deadline.
 *
 * @param giveUp called once, possibly at once, with `cancelled` (its cause is the signal's reason) or `deadline_exceeded`
 * @returns stops watching
 */
export function watchLimits(
  { signal, deadline, timeoutMs, label = 'a call' }: CallContext,
  giveUp: (error: TritonError) => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  };
  function abort(): void {
    stop();
    const words = `${label}: cancelled by its signal`;
    giveUp(new TritonError('cancelled', words, { cause: signal?.reason }));
  }
  if (signal?.aborted) {
    abort();
    return stop;
  }
  signal?.addEventListener('abort', abort);
  const wait = (until: number): void => {
    const left = until - performance.now();
    if (left > 0) {
      timer = setTimeout(wait, Math.min(Math.ceil(left), LONGEST_DELAY), until);
      return;
    }
    stop();
    giveUp(new TritonError('deadline_exceeded', `${label}: ${lateness(timeoutMs)}`));
  };
  if (deadline !== undefined) wait(deadline);
  return stop;
}

function lateness(timeoutMs: number | undefined): string {
  if (timeoutMs === undefined) return 'the deadline has passed';
  const isWhole = timeoutMs % 1_000 === 0;
  return `no answer within ${isWhole ? `${timeoutMs / 1_000} s` : `${timeoutMs} ms`}`;
}

/**
 * Settles as the work does, unless the call is cancelled or its time is up before: for waits of this library itself, such
 * as for an address or for the next attempt. The work is not stopped.
 *
 * @throws TritonError `cancelled` or `deadline_exceeded`, with progress `unsent`
 */
export function whileWanted<T>(
  work: Promise<T>,
  { operation, context }: { operation: string; context: CallContext },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = watchLimits(context, (error) => reject(error.with({ operation })));
    work.then(resolve, reject).finally(stop);
  });
}
