import type { Call, Run, RunEvent, RunFilter, RunPage } from '#libs/contracts';
import { traceIdOf } from '#libs/telemetry';
import type { Pool } from '../ledger/pool.js';
import { argumentsHash, type Reply } from '../reducer/index.js';
import { fits, fitValues, idRange, newestOf } from './run-filter.js';

/** Most runs that are looked at for one page of those that fit a filter. */
const MAX_SIFTED = 5_000;

type CallRow = Omit<Call, 'result' | 'error' | 'askedArguments'> & {
  result?: unknown;
  asked?: Call['arguments'] | null;
  error: Call['error'] | null;
};

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
               'state', state, 'attempt', attempt, 'turn', turn, 'asked', asked, 'error', error${results ? ", 'result', result" : ''})
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

/** Body of the toolset that a tenant's run was accepted with; undefined when there is no such run. */
export async function readToolsetOf(pool: Pool, tenantId: string, id: string): Promise<unknown> {
  const { rows } = await pool.query<{ body: unknown }>(
    `SELECT t.body FROM runs r JOIN toolsets t ON t.hash = r.toolset_hash
     WHERE r.tenant_id = $1 AND r.id = $2`,
    [tenantId, id],
  );
  return rows[0]?.body;
}

/**
 * A tenant's runs that fit, newest first, without results. With a filter a page looks at 5,000 runs at most: it may then
 * hold fewer than `limit` of them, even none, and still have a `next`.
 *
 * @param page.before `next` of the page before
 */
export async function listRuns(
  pool: Pool,
  tenantId: string,
  page: { limit: number; before?: string | undefined; filter?: RunFilter },
): Promise<RunPage> {
  const { limit, before, filter = {} } = page;
  const range = idRange(filter, before);
  const isSifted = Object.values(filter).some((value) => value !== undefined);
  const { from, below, isWhole } = isSifted
    ? await newestOf(pool, tenantId, range, MAX_SIFTED)
    : { ...range, isWhole: true };
  const { rows } = await pool.query<RunRow>(
    `${selectRuns(false)} WHERE r.tenant_id = $1 AND r.id >= $2 AND r.id < $3 AND ${fits(5)}
     ORDER BY r.id DESC LIMIT $4`,
    [tenantId, from, below, limit + 1, ...fitValues(filter)],
  );
  const runs = rows.slice(0, limit).map(toRun);
  const next = rows.length > limit ? runs.at(-1)?.id : isWhole ? undefined : from;
  return { runs, ...(next !== undefined && { next }) };
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
    // What an event told stays as it was told: with the arguments that the model asked for.
    `SELECT id, name, COALESCE(asked, arguments) AS arguments, effect, state, attempt, turn, result, error FROM calls
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
      calls: calls
        .filter(({ turn }) => turn === data['turn'])
        .map((call) => ({
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
    calls: row.calls.map(({ result, error, asked, ...call }) => ({
      ...call,
      ...(asked && { askedArguments: asked }),
      ...(call.state === 'awaiting_approval' && { argumentsHash: argumentsHash(call) }),
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
