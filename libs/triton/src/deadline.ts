import { watchLimits } from './call-limits.js';
import type { CallContext } from './transport.js';

/** Node's timers take no longer delay: with a greater one they fire at once. */
export const LONGEST_DELAY = 2 ** 31 - 1;

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
