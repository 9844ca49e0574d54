import type { Hint, HintKind } from '#libs/contracts';
import type { Logger } from '#libs/telemetry';
import { offer, type HintQueues } from './hint-queues.js';
import { holderAlive } from './ledger.js';
import { isLedgerAway, type Pool } from './pool.js';

const SWEEP_EVERY_MS = 1_000;
/** Rows ready for less are still on their way: their first hint was sent with the commit. */
const GRACE_S = 1;
/** Most rows looked at in one sweep, and most hints that a sweep lets pile up in a queue. */
const BATCH = 1_000;

export interface SweepOptions {
  pool: Pool;
  queues: HintQueues;
  /** Whether this process can sweep now: it reaches Redis, and may call silent holders dead (see ProcessEpoch). */
  able: () => boolean;
  log: Logger;
}

/**
 * Offers again what was lost: ready rows whose hint vanished with a Redis, and work whose holder died. Every process runs
 * it; the ledger lets one of them through a second.
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

/** One sweep, if it is this process's turn. Returns how many hints were sent. */
export async function sweep({ pool, queues, able, log }: SweepOptions): Promise<number> {
  if (!able()) return 0;
  const mine = await pool.query(
    `UPDATE sweeps SET swept_at = now()
     WHERE name = 'ready' AND swept_at <= now() - interval '${SWEEP_EVERY_MS * 0.9} ms'`,
  );
  if (mine.rowCount === 0) return 0;
  let sent = 0;
  for (const kind of ['turn', 'call'] as const) {
    const waiting = await queues[kind].getWaitingCount();
    const { ready, rows } = await findLost(pool, kind);
    // No hint of abandoned work waits: it is always offered. The hints that wait in Redis stand for as many of the other
    // rows; only what they cannot cover was lost.
    const abandoned = rows.filter((row) => row.abandoned);
    const offered = rows.filter((row) => !row.abandoned);
    const room = Math.max(0, BATCH - waiting);
    const lost = [...abandoned, ...offered.slice(0, Math.max(0, ready - waiting))].slice(0, room);
    if (lost.length > 0) log.info({ kind, count: lost.length }, 'offering lost work again');
    await Promise.all(lost.map((row) => offer(queues, log, row.hint, { parent: row.traceparent })));
    sent += lost.length;
  }
  return sent;
}

interface LostRow {
  hint: Hint;
  traceparent: string;
  /** Its holder died, so that no hint of it was sent. Whatever went back to a queue got one. */
  abandoned: boolean;
}

/** Rows that should have been taken by now, abandoned ones first, and how many rows are ready in all. */
async function findLost(pool: Pool, kind: HintKind): Promise<{ ready: number; rows: LostRow[] }> {
  const text =
    kind === 'turn'
      ? `SELECT id AS run_id, NULL::uuid AS call_id, traceparent,
                state = 'inferring' AS abandoned,
                (SELECT count(*)::int FROM runs WHERE state = 'queued' AND due_at <= now()) AS ready
         FROM runs r
         WHERE state IN ('queued', 'inferring')
           AND CASE state WHEN 'queued' THEN due_at < now() - interval '${GRACE_S} s'
               ELSE NOT ${holderAlive('r.holder')} END
         ORDER BY abandoned DESC, id LIMIT ${BATCH}`
      : `SELECT c.run_id, c.id AS call_id, r.traceparent, c.state = 'started' AS abandoned,
                (SELECT count(*)::int FROM calls WHERE state = 'ready') AS ready
         FROM calls c JOIN runs r ON r.id = c.run_id
         WHERE c.state IN ('ready', 'started')
           AND CASE c.state WHEN 'ready' THEN c.ready_at < now() - interval '${GRACE_S} s'
               ELSE NOT ${holderAlive('c.holder')} END
         ORDER BY abandoned DESC, c.id LIMIT ${BATCH}`;
  const { rows } = await pool.query<{
    run_id: string;
    call_id: string | null;
    traceparent: string;
    abandoned: boolean;
    ready: number;
  }>({ name: `find-lost-${kind}`, text });
  return {
    ready: rows[0]?.ready ?? 0,
    rows: rows.map((row) => ({
      hint: row.call_id
        ? { kind: 'call', runId: row.run_id, callId: row.call_id }
        : { kind: 'turn', runId: row.run_id },
      traceparent: row.traceparent,
      abandoned: row.abandoned,
    })),
  };
}
