import type { Message, Run, RunEvent, RunPage } from '#libs/contracts';
import { traceIdOf } from '#libs/telemetry';
import type { Pool } from './pool.js';

interface RunRow {
  id: string;
  state: Run['state'];
  version: number;
  mode: Run['mode'];
  toolset_name: string;
  messages: Message[];
  outcome: Run['outcome'] | null;
  model: string | null;
  confidence: number | null;
  calls: (Run['calls'][number] & { turn: number })[];
  error: Run['error'] | null;
  traceparent: string;
  created_at: Date;
  ended_at: Date | null;
}

const SELECT_RUNS = `
  SELECT r.*, i.messages, COALESCE((
    SELECT json_agg(json_build_object('id', id, 'turn', turn, 'name', name, 'arguments', arguments, 'effect', effect,
             'state', state, 'attempt', attempt, 'result', result, 'error', error) ORDER BY turn, position)
    FROM calls c WHERE c.run_id = r.id), '[]') AS calls
  FROM runs r JOIN inputs i ON i.run_id = r.id`;

/** One run of this tenant with its calls; undefined when there is none of this id. */
export async function readRun(pool: Pool, tenantId: string, id: string): Promise<Run | undefined> {
  const { rows } = await pool.query<RunRow>(`${SELECT_RUNS} WHERE r.tenant_id = $1 AND r.id = $2`, [
    tenantId,
    id,
  ]);
  return rows[0] && toRun(rows[0]);
}

/** A tenant's runs, newest first. @param before id of the last run of the page before */
export async function listRuns(
  pool: Pool,
  tenantId: string,
  page: { limit: number; before?: string | undefined },
): Promise<RunPage> {
  const { rows } = await pool.query<RunRow>(
    `${SELECT_RUNS} WHERE r.tenant_id = $1 AND ($2::uuid IS NULL OR r.id < $2) ORDER BY r.id DESC LIMIT $3`,
    [tenantId, page.before ?? null, page.limit + 1],
  );
  const runs = rows.slice(0, page.limit).map(toRun);
  const last = runs.at(-1);
  return { runs, ...(rows.length > page.limit && last && { next: last.id }) };
}

/** The events of a run after number `after`, in order; undefined when the tenant has no such run. */
export async function readEvents(
  pool: Pool,
  tenantId: string,
  runId: string,
  after: number,
): Promise<RunEvent[] | undefined> {
  const run = await readRun(pool, tenantId, runId);
  if (!run) return undefined;
  const { rows } = await pool.query<{
    seq: number;
    type: RunEvent['type'];
    at: Date;
    data: Record<string, unknown>;
  }>('SELECT seq, type, at, data FROM events WHERE run_id = $1 AND seq > $2 ORDER BY seq', [
    runId,
    after,
  ]);
  return rows.map(({ seq, type, at, data }) => ({
    seq,
    type,
    at: at.toISOString(),
    data: { ...data, ...payloadOf(type, data, run) },
  }));
}

/** Arguments and results are stored once, with the call; the events that tell of them carry them along. */
function payloadOf(
  type: RunEvent['type'],
  data: Record<string, unknown>,
  run: Run,
): Record<string, unknown> {
  if (type === 'turn.resolved') {
    return {
      calls: run.calls.map((call) => ({
        id: call.id,
        name: call.name,
        arguments: call.arguments,
        effect: call.effect,
      })),
    };
  }
  if (type === 'call.settled') {
    const call = run.calls.find(({ id }) => id === data['callId']);
    return call ? { result: call.result, error: call.error } : {};
  }
  return {};
}

function toRun(row: RunRow): Run {
  return {
    id: row.id,
    state: row.state,
    mode: row.mode,
    toolset: row.toolset_name,
    query: row.messages.findLast(({ role }) => role === 'user')?.content ?? '',
    ...(row.outcome && { outcome: row.outcome }),
    ...(row.model !== null && { model: row.model }),
    ...(row.confidence !== null && { confidence: row.confidence }),
    calls: row.calls.map((call) => ({
      id: call.id,
      name: call.name,
      arguments: call.arguments,
      effect: call.effect,
      state: call.state,
      attempt: call.attempt,
      ...(call.state === 'succeeded' && { result: call.result }),
      ...(call.error && { error: call.error }),
    })),
    ...(row.error && { error: row.error }),
    traceId: traceIdOf(row.traceparent),
    createdAt: row.created_at.toISOString(),
    ...(row.ended_at && { endedAt: row.ended_at.toISOString() }),
  };
}
