import { Hint } from '#libs/contracts';
import type { Logger } from '#libs/telemetry';
import { offer, type HintQueues } from './hint-queues.js';
import { HOLDER_DEAD_AFTER_S } from './ledger.js';
import { isLedgerAway, type Pool } from './pool.js';

const SWEEP_EVERY_MS = 1_000;
/** Rows ready for less are still on their way: their first hint was sent with the commit. */
const GRACE_S = 1;
const BATCH = 1_000;

/**
 * Offers again what was lost: ready rows whose hint vanished with a Redis, retries that fell due, and work whose holder
 * died. Every process runs it; the ledger lets one of them through a second.
 *
 * @param mayJudge whether silent holders may be called dead now (see ProcessEpoch)
 */
export function startSweep(options: {
  pool: Pool;
  queues: HintQueues;
  mayJudge: () => boolean;
  log: Logger;
}): { stop(): Promise<void> } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const tick = (): void => {
    running = sweep(options)
      .catch((error: unknown) => {
        const level = isLedgerAway(error) ? 'debug' : 'warn';
        options.log[level]({ err: error }, 'sweep failed');
      })
      .finally(() => {
        if (!stopped) timer = setTimeout(tick, SWEEP_EVERY_MS);
      });
  };
  timer = setTimeout(tick, SWEEP_EVERY_MS);
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

async function sweep(options: {
  pool: Pool;
  queues: HintQueues;
  mayJudge: () => boolean;
  log: Logger;
}): Promise<void> {
  const { pool, queues, log } = options;
  const mine = await pool.query(
    `UPDATE sweeps SET swept_at = now()
     WHERE name = 'ready' AND swept_at <= now() - interval '${SWEEP_EVERY_MS * 0.9} ms'`,
  );
  if (mine.rowCount === 0) return;
  const rows = await findLost(pool, options.mayJudge());
  for (const kind of ['turn', 'call'] as const) {
    const lost = rows.filter((row) => row.hint.kind === kind);
    if (lost.length === 0) continue;
    // Hints that still wait in Redis stand for as many of these rows; only the rest can have been lost.
    const waiting = await queues[kind].getWaitingCount();
    const again = lost.slice(0, Math.max(0, lost.length - waiting));
    if (again.length > 0) log.info({ kind, count: again.length }, 'offering lost work again');
    await Promise.all(again.map((row) => offer(queues, log, row.hint, row.traceparent)));
  }
}

async function findLost(
  pool: Pool,
  mayJudge: boolean,
): Promise<{ hint: Hint; traceparent: string }[]> {
  const dead = `$1::boolean AND NOT EXISTS (
    SELECT FROM processes p WHERE p.epoch = holder AND p.seen_at > now() - interval '${HOLDER_DEAD_AFTER_S} s')`;
  const { rows } = await pool.query<{
    run_id: string;
    call_id: string | null;
    traceparent: string;
  }>({
    name: 'find-lost',
    text: `
      (SELECT id AS run_id, NULL::uuid AS call_id, traceparent FROM runs
       WHERE state IN ('queued', 'inferring')
         AND CASE state WHEN 'queued' THEN due_at < now() - interval '${GRACE_S} s' ELSE ${dead} END
       ORDER BY state = 'queued', id LIMIT ${BATCH})
      UNION ALL
      (SELECT c.run_id, c.id, r.traceparent FROM calls c JOIN runs r ON r.id = c.run_id
       WHERE c.state IN ('ready', 'started')
         AND CASE c.state WHEN 'ready' THEN c.ready_at < now() - interval '${GRACE_S} s'
             ELSE ${dead.replace('= holder', '= c.holder')} END
       ORDER BY c.state = 'ready', c.id LIMIT ${BATCH})`,
    values: [mayJudge],
  });
  return rows.map((row) => ({
    hint: row.call_id
      ? { kind: 'call', runId: row.run_id, callId: row.call_id }
      : { kind: 'turn', runId: row.run_id },
    traceparent: row.traceparent,
  }));
}
