import type { Logger } from '#libs/telemetry';
import { isLedgerAway, type Pool } from '../ledger/pool.js';
import { HOLDER_DEAD_AFTER_S } from '../ledger/run-rows.js';
import { deleteEnded } from '../ledger/retention.js';
import type { RunInput } from '../reducer/index.js';
import { repeat } from '../repeat.js';
import type { RunEngine } from '../run-engine.js';
import type { Dispatcher } from './dispatcher.js';

const SWEEP_EVERY_MS = 1_000;
/** Most rows that a sweep looks at, or moves. */
const BATCH = 1_000;
/** Every so many sweeps it looks for what dead processes held even where none is known to have died. */
const LOOK_EVERY = 30;

export interface SweepOptions {
  pool: Pool;
  engine: RunEngine;
  /** Where the work is offered. */
  redis: Pick<Dispatcher, 'isReachable' | 'findLoss' | 'noteFilled'>;
  /** Whether this process may call silent holders dead (see ProcessEpoch): until then it does not know enough to sweep. */
  mayJudge: () => boolean;
  /** Days that ended runs are kept; undefined: for ever. */
  retentionDays: number | undefined;
  log: Logger;
}

/**
 * Offers again what was lost, ends what is overdue, deletes what is old. Every process runs it; the ledger lets one of them
 * through a second.
 */
export function startSweep(options: SweepOptions): { stop(): Promise<void> } {
  // Not all at the same beat, or the same process would win each time.
  const everyMs = SWEEP_EVERY_MS * (1 + Math.random() / 4);
  return repeat(
    everyMs,
    () => sweep(options),
    (error) => options.log[isLedgerAway(error) ? 'debug' : 'warn']({ err: error }, 'sweep failed'),
  );
}

/** One sweep, if it is this process's turn. What needs no Redis is done without it. */
export async function sweep(options: SweepOptions): Promise<void> {
  const { pool, engine, redis, mayJudge, retentionDays } = options;
  if (!mayJudge()) return;
  const mine = await takeTurn(pool);
  if (!mine) return;
  const looksAtAll = mine.number % LOOK_EVERY === 1;
  await applyToAll(options, await engine.ledger.findOverdue(BATCH), { type: 'run.expire' });
  // A tenant that was deleted has nobody left who would want its runs done.
  if (looksAtAll) {
    const by = 'the deletion of its tenant';
    await applyToAll(options, await engine.ledger.findOrphaned(BATCH), { type: 'run.cancel', by });
  }
  if (redis.isReachable) {
    const hasDied = await someHaveDied(pool);
    if (looksAtAll || hasDied) await engine.offerAgain(await engine.ledger.findAbandoned(BATCH));
    await offerReady(options, mine.cursor);
  }
  if (retentionDays !== undefined) await deleteEnded(pool, retentionDays, BATCH);
}

/** One run that cannot be moved must not keep the others from it. */
async function applyToAll(
  { engine, log }: SweepOptions,
  runIds: readonly string[],
  input: RunInput,
): Promise<void> {
  const applied = await Promise.allSettled(runIds.map((runId) => engine.apply(runId, input)));
  for (const [at, one] of applied.entries()) {
    if (one.status === 'rejected') {
      log.warn({ err: one.reason, runId: runIds[at], input: input.type }, 'a run was not moved on');
    }
  }
}

/** A page of the open runs, the next one in the next sweep; where Redis has lost what waited in it, all of them at once. */
async function offerReady(
  { pool, engine, redis }: SweepOptions,
  from: string | undefined,
): Promise<void> {
  const loss = await redis.findLoss();
  let cursor = loss === undefined ? from : undefined;
  for (;;) {
    const page = await engine.ledger.findReady(cursor, BATCH);
    await engine.offerAgain(page.work);
    cursor = page.cursor;
    if (loss === undefined || cursor === undefined) break;
  }
  if (loss !== undefined) await redis.noteFilled(loss);
  await pool.query("UPDATE sweeps SET cursor = $1 WHERE name = 'ready'", [cursor ?? null]);
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
async function someHaveDied(pool: Pool): Promise<boolean> {
  await pool.query("DELETE FROM processes WHERE seen_at < now() - interval '1 minute'");
  const { rowCount } = await pool.query(
    `SELECT FROM processes WHERE seen_at <= now() - interval '${HOLDER_DEAD_AFTER_S} s' LIMIT 1`,
  );
  return rowCount !== 0;
}
