import type { Hint } from '#libs/contracts';
import type { Pool } from './pool.js';
import { HOLDER_DEAD_AFTER_S } from './run-rows.js';

/** Ready for less than this, work is still on its way: its first hint was sent with the commit. */
const GRACE_S = 1;

/** A turn or a call that may be taken, with what decides in which order. */
export interface Work {
  hint: Hint;
  tenantId: string;
  priority: number;
  /** Turns after the first go before fresh ones. */
  turn: number;
  /** Milliseconds since 1970, by the clock of whoever offers it: it orders a tenant's work, and decides nothing else. */
  deadlineAtMs: number;
  /** Tokens of a turn, as far as they can be told before. */
  cost: number;
}

export interface ReadyPage {
  work: Work[];
  /** Where the next page begins; undefined: at the beginning again. */
  cursor: string | undefined;
}

/** SQL: what run `r`, or its call `c` where there is one, is to be offered as. */
export const WORK = `json_build_object(
  'tenantId', r.tenant_id, 'priority', r.priority, 'turn', r.turn, 'cost', r.cost,
  'deadlineAtMs', round(extract(epoch FROM r.deadline_at) * 1000),
  'hint', CASE WHEN c.id IS NULL
    THEN json_build_object('kind', 'turn', 'runId', r.id, 'traceparent', r.traceparent)
    ELSE json_build_object('kind', 'call', 'runId', r.id, 'callId', c.id, 'traceparent', r.traceparent) END)`;

export async function findHalted(pool: Pool, runIds: readonly string[]): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'find-halted',
    text: `SELECT id FROM runs WHERE id = ANY ($1::uuid[])
             AND (ended_at IS NOT NULL OR state IN ('cancelling', 'expiring'))`,
    values: [runIds],
  });
  return rows.map(({ id }) => id);
}

export async function findOverdue(pool: Pool, limit: number): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'find-overdue',
    text: `SELECT id FROM runs
           WHERE ended_at IS NULL AND deadline_at <= now() AND state NOT IN ('cancelling', 'expiring')
           ORDER BY deadline_at LIMIT $1`,
    values: [limit],
  });
  return rows.map(({ id }) => id);
}

/** Open runs of tenants that were deleted. */
export async function findOrphaned(pool: Pool, limit: number): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'find-orphaned',
    text: `SELECT r.id FROM runs r JOIN tenants t ON t.id = r.tenant_id
           WHERE t.deleted_at IS NOT NULL AND r.ended_at IS NULL AND r.state NOT IN ('cancelling', 'expiring')
           LIMIT $1`,
    values: [limit],
  });
  return rows.map(({ id }) => id);
}

/** Looks at all open runs: to be asked where a process has died, and once in a while. */
export async function findAbandoned(pool: Pool, limit: number): Promise<Work[]> {
  const { rows } = await pool.query<{ work: Work }>({
    name: 'find-abandoned',
    text: `
      WITH alive AS MATERIALIZED (
        SELECT epoch FROM processes WHERE seen_at > now() - interval '${HOLDER_DEAD_AFTER_S} s'
      )
      SELECT ${WORK} AS work
      FROM runs r LEFT JOIN calls c ON c.run_id = r.id AND c.turn = r.turn AND c.state = 'started'
      WHERE r.ended_at IS NULL
        AND CASE WHEN r.state = 'inferring' THEN r.holder NOT IN (SELECT epoch FROM alive)
                 ELSE c.id IS NOT NULL AND c.holder NOT IN (SELECT epoch FROM alive) END
      LIMIT $1`,
    values: [limit],
  });
  return rows.map(({ work }) => work);
}

export async function findReady(
  pool: Pool,
  cursor: string | undefined,
  limit: number,
): Promise<ReadyPage> {
  const { rows } = await pool.query<{ work: Work | null; id: string }>({
    name: 'find-ready',
    text: `
      WITH page AS MATERIALIZED (
        SELECT * FROM runs WHERE ended_at IS NULL AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2
      )
      SELECT r.id, CASE WHEN r.state = 'queued' AND r.due_at < now() - interval '${GRACE_S} s' OR c.id IS NOT NULL
                   THEN ${WORK} END AS work
      FROM page r LEFT JOIN calls c ON c.run_id = r.id AND c.turn = r.turn
        AND (c.state = 'ready' OR c.state = 'outcome_unknown' AND c.has_probe)
        AND c.ready_at < now() - interval '${GRACE_S} s'
      ORDER BY r.id`,
    values: [cursor ?? null, limit],
  });
  const isLast = new Set(rows.map(({ id }) => id)).size < limit;
  return {
    work: rows.flatMap(({ work }) => work ?? []),
    cursor: isLast ? undefined : rows.at(-1)?.id,
  };
}
