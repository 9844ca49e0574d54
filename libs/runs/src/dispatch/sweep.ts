import type { Logger } from '#libs/telemetry';
import { isLedgerAway, type Pool } from '../ledger/pool.js';
import { HOLDER_DEAD_AFTER_S } from '../ledger/run-rows.js';
import { deleteEnded } from '../ledger/retention.js';
import type { RunEngine } from '../run-engine.js';

const SWEEP_EVERY_MS = 1_000;
/** Most rows that a sweep looks at, or moves. */
const BATCH = 1_000;
/** Every so many sweeps it looks for what dead processes held even where none is known to have died. */
const LOOK_EVERY = 30;

export interface SweepOptions {
  pool: Pool;
  engine: RunEngine;
  /** Whether this process can sweep now: it reaches Redis, and may call silent holders dead (see ProcessEpoch). */
  able: () => boolean;
  /** Whether Redis has lost what waited in it since this was last asked. */
  wasEmptied: () => Promise<boolean>;
  /** Days that ended runs are kept; undefined: for ever. */
  retentionDays: number | undefined;
  log: Logger;
}

/**
 * Offers again what was lost, ends what is overdue, deletes what is old. Every process runs it; the ledger lets one of them
 * through a second.
 */
export function startSweep(options: SweepOptions): { stop(): Promise<void> } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();
  const schedule = (): void => {
    // Not all at the same beat, or the same process would win each time.
    timer = setTimeout(tick, SWEEP_EVERY_MS * (1 + Math.random() / 4));
  };
  const tick = (): void => {
    running = sweep(options)
      .catch((error: unknown) => {
        options.log[isLedgerAway(error) ? 'debug' : 'warn']({ err: error }, 'sweep failed');
      })
      .finally(() => {
        if (!stopped) schedule();
      });
  };
  schedule();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** One sweep, if it is this process's turn. */
export async function sweep(options: SweepOptions): Promise<void> {
  const { pool, engine, able, wasEmptied, retentionDays } = options;
  if (!able()) return;
  const mine = await takeTurn(pool);
  if (!mine) return;
  const { ledger } = engine;
  const overdue = await ledger.findOverdue(BATCH);
  await Promise.all(overdue.map((runId) => engine.apply(runId, { type: 'run.expire' })));
  const looksAtAll = mine.number % LOOK_EVERY === 1;
  if (looksAtAll || (await hasDead(pool))) await engine.offer(await ledger.findAbandoned(BATCH));
  if (looksAtAll) await cancelOrphaned(engine);
  // Where Redis was emptied, all at once; else a page, and the next one in the next sweep.
  const isAll = await wasEmptied();
  let cursor = isAll ? undefined : mine.cursor;
  for (;;) {
    const page = await ledger.findReady(cursor, BATCH);
    await engine.offer(page.work);
    cursor = page.cursor;
    if (!isAll || cursor === undefined) break;
  }
  await pool.query("UPDATE sweeps SET cursor = $1 WHERE name = 'ready'", [cursor ?? null]);
  if (retentionDays !== undefined) await deleteEnded(pool, retentionDays, BATCH);
}

/** A tenant that was deleted has nobody left who would want its runs done. */
async function cancelOrphaned(engine: RunEngine): Promise<void> {
  const orphaned = await engine.ledger.findOrphaned(BATCH);
  const input = { type: 'run.cancel', by: 'the deletion of its tenant' } as const;
  await Promise.all(orphaned.map((runId) => engine.apply(runId, input)));
}

async function takeTurn(
  pool: Pool,
): Promise<{ cursor: string | undefined; number: number } | undefined> {
  const { rows } = await pool.query<{ cursor: string | null; number: number }>(
    `UPDATE sweeps SET swept_at = now(), number = number + 1
     WHERE name = 'ready' AND swept_at <= now() - interval '${SWEEP_EVERY_MS * 0.9} ms'
     RETURNING cursor, number`,
  );
  const row = rows[0];
  return row && { cursor: row.cursor ?? undefined, number: row.number };
}

/** A dead process is known for a minute, in which what it held is found; then it is forgotten. */
async function hasDead(pool: Pool): Promise<boolean> {
  await pool.query("DELETE FROM processes WHERE seen_at < now() - interval '1 minute'");
  const { rowCount } = await pool.query(
    `SELECT FROM processes WHERE seen_at <= now() - interval '${HOLDER_DEAD_AFTER_S} s' LIMIT 1`,
  );
  return rowCount !== 0;
}
