import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';

const CHANNEL = 'hammerline:run-changed';

/** Behind the id of a run that is over. */
const ENDED = ' ended';

/**
 * Says that a run has new events, and whether it is over. A lost notice costs latency, never truth: who waits also looks
 * by itself.
 */
export async function publishRunChanged(
  redis: Redis,
  log: Logger,
  { runId, isOver }: { runId: string; isOver: boolean },
): Promise<void> {
  try {
    await redis.publish(CHANNEL, isOver ? runId + ENDED : runId);
  } catch (error) {
    log.debug({ err: error, runId }, 'notice not sent');
  }
}

interface Waiter {
  wake: () => void;
  awaits: 'change' | 'end';
}

/** Lets any number of waiters in this process wait for changes of runs, over one subscription. */
export class RunNotices {
  readonly #waiters = new Map<string, Set<Waiter>>();

  /** @param redis a connection of its own: a subscribed one can do nothing else */
  static async subscribe(redis: Redis): Promise<RunNotices> {
    const notices = new RunNotices();
    redis.on('message', (_channel: string, notice: string) => {
      const isOver = notice.endsWith(ENDED);
      const runId = isOver ? notice.slice(0, -ENDED.length) : notice;
      for (const { wake, awaits } of notices.#waiters.get(runId) ?? []) {
        if (isOver || awaits === 'change') wake();
      }
    });
    await redis.subscribe(CHANNEL);
    return notices;
  }

  /**
   * Starts listening at once; `changed()` then resolves at the next notice since the last `changed()`, after `atMostMs`,
   * or when `signal` aborts. Listen before reading the ledger and no change can fall between.
   *
   * @param awaits `end`: only the notice that the run is over
   */
  listen(
    runId: string,
    signal: AbortSignal,
    awaits: Waiter['awaits'] = 'change',
  ): { changed(atMostMs: number): Promise<void>; close(): void } {
    let pending = false;
    let wakeWaiter: (() => void) | undefined;
    const wake = (): void => {
      pending = true;
      wakeWaiter?.();
    };
    const waiter = { wake, awaits };
    const waiters = this.#waiters.get(runId) ?? new Set();
    this.#waiters.set(runId, waiters.add(waiter));
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
        waiters.delete(waiter);
        if (waiters.size === 0) this.#waiters.delete(runId);
      },
    };
  }
}
