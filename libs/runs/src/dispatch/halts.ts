import { HammerlineError } from '#libs/contracts';
import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';
import { isLedgerAway } from '../ledger/pool.js';
import { repeat } from '../repeat.js';
import type { RunEngine } from '../run-engine.js';
import { HALTED_CHANNEL } from './channels.js';
import { Subscriber } from './subscriber.js';

/** A little below the second within which work must stop: the query takes some of it. */
const CHECK_MS = 900;

/**
 * Stops the work of this process on runs that were cancelled, have expired or are over: told over Redis, and found out by
 * one query for all that is watched where that message was lost.
 */
export class Halts {
  readonly #subscriber: Subscriber;
  readonly #watched = new Map<string, { controller: AbortController; watchers: number }>();
  readonly #check: { stop(): Promise<void> };

  private constructor(options: { redis: Redis; engine: Pick<RunEngine, 'ledger'>; log: Logger }) {
    const { redis, engine, log } = options;
    this.#subscriber = new Subscriber(redis, (_channel, runIds) => this.#halt(runIds), log);
    this.#check = repeat(
      CHECK_MS,
      async () => {
        const runIds = [...this.#watched.keys()];
        if (runIds.length > 0) this.#halt(await engine.ledger.findHalted(runIds));
      },
      (error) => log[isLedgerAway(error) ? 'debug' : 'warn']({ err: error }, 'check failed'),
    );
  }

  /** @param options.redis a connection to the same Redis: it gets one of its own */
  static async open(options: {
    redis: Redis;
    engine: Pick<RunEngine, 'ledger'>;
    log: Logger;
  }): Promise<Halts> {
    const halts = new Halts(options);
    await halts.#subscriber.subscribe(HALTED_CHANNEL);
    return halts;
  }

  /**
   * `signal` aborts, with a HammerlineError of the code `cancelled` as its reason, once nobody may work on the run any more:
   * at once where Redis tells it, else within a second. Call `release` when the work is done.
   */
  watch(runId: string): { signal: AbortSignal; release(): void } {
    const watched = this.#watched.get(runId) ?? { controller: new AbortController(), watchers: 0 };
    this.#watched.set(runId, watched);
    watched.watchers += 1;
    let isReleased = false;
    return {
      signal: watched.controller.signal,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        watched.watchers -= 1;
        if (watched.watchers === 0) this.#watched.delete(runId);
      },
    };
  }

  async close(): Promise<void> {
    await this.#check.stop();
    this.#subscriber.close();
  }

  #halt(runIds: readonly unknown[]): void {
    for (const runId of runIds) {
      const watched = typeof runId === 'string' ? this.#watched.get(runId) : undefined;
      if (!watched || watched.controller.signal.aborted) continue;
      const message = 'The run is over or is being ended: nothing may be done for it any more.';
      watched.controller.abort(new HammerlineError('cancelled', message));
    }
  }
}
