import type { Call, Run, RunEvent, RunPage } from '#libs/contracts';
import { traceIdOf } from '#libs/telemetry';
import type { Pool } from '../ledger/pool.js';
import type { Reply } from '../reducer/index.js';

type CallRow = Omit<Call, 'result' | 'error'> & { result?: unknown; error: Call['error'] | null };

interface RunRow {
  id: string;
  state: Run['state'];
  mode: Run['mode'];
  toolset_name: string;
  query: string;
  outcome: Run['outcome'] | null;
  model: string | null;
  confidence: number | null;
  reply: Reply | null;
  priority: number;
  replay_of: string | null;
  deadline_at: Date;
  calls: CallRow[];
  error: Run['error'] | null;
  traceparent: string;
  created_at: Date;
  ended_at: Date | null;
}

/** @param results whether calls carry their results, which can be large */
function selectRuns(results: boolean): string {
  // Columns by name: a prepared statement fails when a migration adds to what it returns.
  return `
    SELECT r.id, r.state, r.mode, r.toolset_name, r.outcome, r.model, r.confidence, r.reply, r.error, r.traceparent,
           r.priority, r.replay_of, r.created_at, r.deadline_at, r.ended_at, i.query, COALESCE((
      SELECT json_agg(json_build_object('id', id, 'name', name, 'arguments', arguments, 'effect', effect,
               'state', state, 'attempt', attempt, 'turn', turn, 'error', error${results ? ", 'result', result" : ''})
             ORDER BY turn, position)
      FROM calls c WHERE c.run_id = r.id), '[]') AS calls
    FROM runs r JOIN inputs i ON i.run_id = r.id`;
}

/** One run of this tenant with its calls; undefined when there is none of this id. */
export async function readRun(pool: Pool, tenantId: string, id: string): Promise<Run | undefined> {
  const { rows } = await pool.query<RunRow>({
    name: 'read-run',
    text: `${selectRuns(true)} WHERE r.tenant_id = $1 AND r.id = $2`,
    values: [tenantId, id],
  });
  return rows[0] && toRun(rows[0]);
}

/** A tenant's runs, newest first, without results. @param before id of the last run of the page before */
export async function listRuns(
  pool: Pool,
  tenantId: string,
  page: { limit: number; before?: string | undefined },
): Promise<RunPage> {
  const { rows } = await pool.query<RunRow>(
    `${selectRuns(false)} WHERE r.tenant_id = $1 AND ($2::uuid IS NULL OR r.id < $2) ORDER BY r.id DESC LIMIT $3`,
    [tenantId, page.before ?? null, page.limit + 1],
  );
  const runs = rows.slice(0, page.limit).map(toRun);
  const last = runs.at(-1);
  return { runs, ...(rows.length > page.limit && last && { next: last.id }) };
}

/** The events of a tenant's run after number `after`, in order; none when there is no such run. */
export async function readEvents(
  pool: Pool,
  tenantId: string,
  runId: string,
  after: number,
): Promise<RunEvent[]> {
  const { rows: events } = await pool.query<Omit<RunEvent, 'at'> & { at: Date }>(
    'SELECT seq, type, at, data FROM events WHERE tenant_id = $1 AND run_id = $2 AND seq > $3 ORDER BY seq',
    [tenantId, runId, after],
  );
  if (events.length === 0) return [];
  // After the events: what they tell of is then surely there.
  const { rows: calls } = await pool.query<CallRow>(
    `SELECT id, name, arguments, effect, state, attempt, turn, result, error FROM calls
     WHERE tenant_id = $1 AND run_id = $2 ORDER BY turn, position`,
    [tenantId, runId],
  );
  return events.map(({ seq, type, at, data }) => ({
    seq,
    type,
    at: at.toISOString(),
    data: { ...data, ...payloadOf(type, data, calls) },
  }));
}

/** Arguments and results are stored once, with the call; the events that tell of them carry them along. */
function payloadOf(
  type: RunEvent['type'],
  data: Record<string, unknown>,
  calls: readonly CallRow[],
): Record<string, unknown> {
  if (type === 'turn.resolved') {
    return {
      calls: calls.map((call) => ({
        id: call.id,
        name: call.name,
        arguments: call.arguments,
        effect: call.effect,
      })),
    };
  }
  if (type !== 'call.settled') return {};
  const call = calls.find(({ id }) => id === data['callId']);
  return {
    ...(call?.state === 'succeeded' && { result: call.result }),
    ...(call?.error && { error: call.error }),
  };
}

function toRun(row: RunRow): Run {
  return {
    id: row.id,
    state: row.state,
    mode: row.mode,
    toolset: row.toolset_name,
    query: row.query,
    ...(row.outcome && { outcome: row.outcome }),
    ...(row.model !== null && { model: row.model }),
    ...(row.confidence !== null && { confidence: row.confidence }),
    ...(row.reply && { answer: row.reply.text }),
    ...(row.reply?.missing && { missing: row.reply.missing }),
    calls: row.calls.map(({ result, error, ...call }) => ({
      ...call,
      ...(call.state === 'succeeded' && result !== undefined && { result }),
      ...(error && { error }),
    })),
    ...(row.error && { error: row.error }),
    traceId: traceIdOf(row.traceparent),
    priority: row.priority,
    ...(row.replay_of && { replayOf: row.replay_of }),
    createdAt: row.created_at.toISOString(),
    deadline: row.deadline_at.toISOString(),
    ...(row.ended_at && { endedAt: row.ended_at.toISOString() }),
  };
}
