import { HammerlineError } from '#libs/contracts';
import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';
import type { Pool } from './ledger/pool.js';
import { repeat } from './repeat.js';

const LOOK_AT_REDIS_MS = 1_000;
/** A million open runs are counted in 60 ms, or in half a second where Postgres has not vacuumed them yet. */
const COUNT_RUNS_MS = 10_000;
/** Of Redis's `maxmemory`. What is left is for what accepted runs still need. */
const MOST_MEMORY = 0.8;

interface AdmissionOptions {
  redis: Redis;
  pool: Pool;
  /** Most runs in the ledger that have not ended. */
  maxOpenRuns: number;
  log: Logger;
}

/**
 * Whether this process may accept runs: not while Redis or the ledger is nearly full. It looks from time to time, so that a
 * request costs nothing, and lets runs in again when there is room. What cannot be asked counts as not full: runs are
 * accepted while Redis is away, and a ledger that is away refuses them itself.
 *
 * The bound on open runs is loose: a fleet can pass it by what it accepts in ten seconds.
 */
export class Admission {
  readonly #log: Logger;
  /** Why not, by what is full. */
  readonly #reasons = new Map<'redis' | 'ledger', string>();
  readonly #loops: { stop(): Promise<void> }[];

  private constructor(log: Logger, looks: { everyMs: number; look: () => Promise<void> }[]) {
    this.#log = log;
    this.#loops = looks.map(({ everyMs, look }) => repeat(everyMs, look, () => undefined));
  }

  /** Resolves when it has looked for the first time. */
  static async open({ redis, pool, maxOpenRuns, log }: AdmissionOptions): Promise<Admission> {
    const lookAtRedis = (): Promise<void> => admission.#look('redis', () => redisFull(redis));
    const lookAtLedger = (): Promise<void> =>
      admission.#look('ledger', () => ledgerFull(pool, maxOpenRuns));
    const admission = new Admission(log, [
      { everyMs: LOOK_AT_REDIS_MS, look: lookAtRedis },
      { everyMs: COUNT_RUNS_MS, look: lookAtLedger },
    ]);
    await Promise.all([lookAtRedis(), lookAtLedger()]);
    return admission;
  }

  /** Why no run is accepted now; undefined: runs are. */
  refusal(): string | undefined {
    const [reason] = this.#reasons.values();
    return reason;
  }

  /** Throws `unavailable` while no run is accepted. */
  check(): void {
    const reason = this.refusal();
    if (reason === undefined) return;
    throw new HammerlineError(
      'unavailable',
      `${reason} Runs are accepted again when there is room.`,
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()));
  }

  async #look(what: 'redis' | 'ledger', look: () => Promise<string | undefined>): Promise<void> {
    const before = this.refusal();
    const reason = await look().catch(() => undefined);
    if (reason === undefined) this.#reasons.delete(what);
    else this.#reasons.set(what, reason);
    const after = this.refusal();
    if (before === undefined && after !== undefined)
      this.#log.warn({ reason: after }, 'no runs accepted');
    if (before !== undefined && after === undefined) this.#log.info('runs accepted again');
  }
}

async function redisFull(redis: Redis): Promise<string | undefined> {
  const info = await redis.info('memory');
  const bytes = (field: string): number =>
    Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1]);
  const [used, max] = [bytes('used_memory'), bytes('maxmemory')];
  // 0: no limit is set.
  if (max === 0 || used < MOST_MEMORY * max) return undefined;
  return `Redis holds ${used} bytes, over ${MOST_MEMORY * 100} % of its maxmemory (${max}).`;
}

async function ledgerFull(pool: Pool, maxOpenRuns: number): Promise<string | undefined> {
  const { rowCount } = await pool.query(
    'SELECT FROM runs WHERE ended_at IS NULL OFFSET $1 LIMIT 1',
    [maxOpenRuns - 1],
  );
  return rowCount === 0
    ? undefined
    : `${maxOpenRuns} runs are open, as many as MAX_OPEN_RUNS allows.`;
}
