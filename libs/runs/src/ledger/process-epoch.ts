import { v7 as uuidv7 } from 'uuid';
import { HOLDER_DEAD_AFTER_S } from './run-rows.js';
import type { Pool } from './pool.js';

const BEAT_EVERY_MS = 1_000;
/** Below HOLDER_DEAD_AFTER_S: a process must doubt itself before others call it dead. */
const FRESH_FOR_MS = 4_000;

/**
 * This process in the ledger: one row at a time, one heartbeat a second, the lease on everything it has claimed. Leases are judged
 * by the ledger's clock, its own freshness by the monotonic one.
 */
export class ProcessEpoch {
  #id = uuidv7();
  #lastBeat = -Infinity;
  #contactSince = Infinity;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();

  readonly #pool: Pool;
  readonly #service: string;

  private constructor(pool: Pool, service: string) {
    this.#pool = pool;
    this.#service = service;
  }

  static async start(pool: Pool, service: string): Promise<ProcessEpoch> {
    const epoch = new ProcessEpoch(pool, service);
    await epoch.#beat();
    epoch.#schedule();
    return epoch;
  }

  /** Named by all that this process claims. Another one after a silence in which others may have called it dead. */
  get id(): string {
    return this.#id;
  }

  /** False once others may have called this process dead: it must start no effect then. */
  isFresh(): boolean {
    return performance.now() - this.#lastBeat < FRESH_FOR_MS;
  }

  /**
   * Whether this process may call others dead: only after unbroken contact with the ledger. When Postgres was away,
   * everyone's heartbeat is old, and the living need time to beat again.
   */
  mayJudge(): boolean {
    return this.isFresh() && performance.now() - this.#contactSince > HOLDER_DEAD_AFTER_S * 1_000;
  }

  /** Ends the lease at once, so that what a drained process left is taken over without waiting. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#beating;
    const longAgo = "UPDATE processes SET seen_at = now() - interval '30 s' WHERE epoch = $1";
    await this.#pool.query(longAgo, [this.id]);
  }

  /** The ledger's clock alone says whether others may have called this process dead: then it begins anew. */
  async #beat(): Promise<void> {
    const sentAt = performance.now();
    const { rowCount } = await this.#pool.query({
      name: 'beat',
      text: `UPDATE processes SET seen_at = now()
             WHERE epoch = $1 AND seen_at > now() - interval '${HOLDER_DEAD_AFTER_S} s'`,
      values: [this.#id],
    });
    if (rowCount === 0) await this.#begin();
    if (this.#contactSince === Infinity || !this.isFresh()) this.#contactSince = sentAt;
    this.#lastBeat = sentAt;
  }

  /** What was claimed before may be somebody else's by now: it must not look held again. */
  async #begin(): Promise<void> {
    const id = uuidv7();
    await this.#pool.query('INSERT INTO processes (epoch, service) VALUES ($1, $2)', [
      id,
      this.#service,
    ]);
    this.#id = id;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat()
        .catch(() => {
          this.#contactSince = Infinity;
        })
        .finally(() => {
          if (this.#timer) this.#schedule();
        });
    }, BEAT_EVERY_MS);
  }
}
