import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';

const CHANNEL = 'hammerline:run-changed';

/** Says that a run has new events. A lost notice costs latency, never truth: who waits also looks by itself. */
export async function publishRunChanged(redis: Redis, log: Logger, runId: string): Promise<void> {
  try {
    await redis.publish(CHANNEL, runId);
  } catch (error) {
    log.debug({ err: error, runId }, 'notice not sent');
  }
}

/** Lets any number of waiters in this process wait for changes of runs, over one subscription. */
export class RunNotices {
  readonly #waiters = new Map<string, Set<() => void>>();

  /** @param redis a connection of its own: a subscribed one can do nothing else */
  static async subscribe(redis: Redis): Promise<RunNotices> {
    const notices = new RunNotices();
    redis.on('message', (_channel: string, runId: string) => {
      for (const wake of notices.#waiters.get(runId) ?? []) wake();
    });
    await redis.subscribe(CHANNEL);
    return notices;
  }

  /**
   * Starts listening at once; `changed()` then resolves at the next notice since the last `changed()`, after `atMostMs`,
   * or when `signal` aborts. Listen before reading the ledger and no change can fall between.
   */
  listen(
    runId: string,
    signal: AbortSignal,
  ): { changed(atMostMs: number): Promise<void>; close(): void } {
    let pending = false;
    let wakeWaiter: (() => void) | undefined;
    const wake = (): void => {
      pending = true;
      wakeWaiter?.();
    };
    const waiters = this.#waiters.get(runId) ?? new Set();
    this.#waiters.set(runId, waiters.add(wake));
    signal.addEventListener('abort', wake, { once: true });
    return {
      changed: async (atMostMs) => {
        if (!pending && !signal.aborted) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, atMostMs);
            wakeWaiter = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
        wakeWaiter = undefined;
        pending = false;
      },
      close: () => {
        signal.removeEventListener('abort', wake);
        waiters.delete(wake);
        if (waiters.size === 0) this.#waiters.delete(runId);
      },
    };
  }
}
