import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';
import { isLedgerAway, type Pool } from '../ledger/pool.js';
import { readRunVersions } from '../reads/run-versions.js';
import { repeat } from '../repeat.js';
import { isRunChange, shardChannel, type RunChange } from './channels.js';
import { Subscriber } from './subscriber.js';

/** The ledger is asked this often how far the watched runs have come: a lost notice costs that much, never more. */
const RECHECK_MS = 2_000;
/** A shard is heard so long after its last listener left: the next one need not wait for Redis. */
const KEEP_SHARD_MS = 60_000;

/** Hears of one run, from the moment it was made. */
export interface RunListener {
  /**
   * Resolves when the run is past number `after` (of those that await the end: and over), after `atMostMs`, or when its
   * signal aborts. A notice wakes once: whoever was woken reads the ledger.
   */
  changed(after: number, atMostMs?: number): Promise<void>;
  close(): void;
}

interface Shard {
  heard: Promise<void>;
  listeners: number;
  leaving: NodeJS.Timeout | undefined;
}

type Hear = (change: RunChange) => void;

/**
 * Lets any number of listeners in this process wait for changes of runs. They are told over Redis, and found out by one
 * query for all of them where a notice was lost.
 */
export class RunNotices {
  readonly #subscriber: Subscriber;
  readonly #shards = new Map<string, Shard>();
  readonly #listeners = new Map<string, Set<Hear>>();
  readonly #recheck: { stop(): Promise<void> };

  /** @param options.redis a connection to the same Redis: it gets one of its own */
  constructor({ redis, pool, log }: { redis: Redis; pool: Pool; log: Logger }) {
    const tell = (change: RunChange): void => {
      for (const hear of this.#listeners.get(change.runId) ?? []) hear(change);
    };
    const hear = (_channel: string, items: readonly unknown[]): void => {
      for (const item of items) if (isRunChange(item)) tell(item);
    };
    this.#subscriber = new Subscriber(redis, hear, log);
    this.#recheck = repeat(
      RECHECK_MS,
      async () => {
        const runIds = [...this.#listeners.keys()];
        if (runIds.length > 0) for (const one of await readRunVersions(pool, runIds)) tell(one);
      },
      (error) => log[isLedgerAway(error) ? 'debug' : 'warn']({ err: error }, 'recheck failed'),
    );
  }

  /**
   * Read the ledger after this resolves, and no change can fall between.
   *
   * @param runId a UUID
   * @param awaits `end`: only the notice that the run is over
   */
  async listen(
    runId: string,
    signal: AbortSignal,
    awaits: 'change' | 'end' = 'change',
  ): Promise<RunListener> {
    // As the ledger writes it.
    const id = runId.toLowerCase();
    let newest = 0;
    let wake: (() => void) | undefined;
    const leave = this.#add(id, ({ version, isOver }) => {
      if (awaits === 'end' && !isOver) return;
      newest = Math.max(newest, version);
      wake?.();
    });
    const abort = (): void => wake?.();
    signal.addEventListener('abort', abort, { once: true });
    const shard = this.#enter(shardChannel(id));
    await shard.heard;
    return {
      changed: async (after, atMostMs) => {
        await new Promise<void>((resolve) => {
          let timer: NodeJS.Timeout | undefined;
          wake = () => {
            if (newest <= after && !signal.aborted) return;
            clearTimeout(timer);
            resolve();
          };
          if (atMostMs !== undefined) timer = setTimeout(resolve, atMostMs);
          wake();
        });
        wake = undefined;
        newest = 0;
      },
      close: () => {
        signal.removeEventListener('abort', abort);
        leave();
        this.#leave(shardChannel(id), shard);
      },
    };
  }

  async close(): Promise<void> {
    await this.#recheck.stop();
    for (const { leaving } of this.#shards.values()) clearTimeout(leaving);
    this.#subscriber.close();
  }

  #add(runId: string, hear: Hear): () => void {
    const all = this.#listeners.get(runId) ?? new Set();
    this.#listeners.set(runId, all.add(hear));
    return () => {
      all.delete(hear);
      if (all.size === 0) this.#listeners.delete(runId);
    };
  }

  #enter(channel: string): Shard {
    let shard = this.#shards.get(channel);
    if (!shard) {
      shard = { heard: this.#subscriber.subscribe(channel), listeners: 0, leaving: undefined };
      this.#shards.set(channel, shard);
    }
    clearTimeout(shard.leaving);
    shard.listeners += 1;
    return shard;
  }

  #leave(channel: string, shard: Shard): void {
    shard.listeners -= 1;
    if (shard.listeners > 0) return;
    shard.leaving = setTimeout(() => {
      this.#shards.delete(channel);
      this.#subscriber.unsubscribe(channel);
    }, KEEP_SHARD_MS).unref();
  }
}
