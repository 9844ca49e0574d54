import {
  DEAD_LETTERS,
  HammerlineError,
  MAX_REPLAYED,
  type ReplayReport,
  type ReplayRequest,
} from '#libs/contracts';
import { activeTraceparent, ATTR, inSpan } from '#libs/telemetry';
import { SpanKind } from '@opentelemetry/api';
import { v7 as uuidv7 } from 'uuid';
import { WORK, type Work } from './ledger/find-work.js';
import type { Pool } from './ledger/pool.js';
import { fits, fitValues, idRange, newestOf } from './reads/run-filter.js';
import type { RunEngine } from './run-engine.js';

/** Most runs that a filter sifts at once, newest first. */
const MAX_SIFTED = 100_000;

/** That a run was replayed is a key of its own, so that of two requests at once only one does it. No client's key has a space. */
const REPLAY_KEY = (id: string): string => `'replay of ' || ${id}`;

/** Nobody makes these again unasked: they may have taken effect, or failed for a reason that a person should look at. */
const OPEN_ONCE = `(c.effect = 'once' AND c.state IN ('failed', 'outcome_unknown'))`;
/** Of an ended run's last turn: made again, as it never was made, or does no harm, or somebody says so. */
const madeAgain = (once: string): string =>
  `(c.state = 'cancelled' OR CASE WHEN c.effect = 'once' THEN ${OPEN_ONCE} AND ${once} = 'retry'
     ELSE c.state IN ('failed', 'outcome_unknown') END)`;

/** Where a replay begins: the last turn's question, its calls, or the question that comes after them. */
interface Planned {
  id: string;
  from: 'turn' | 'calls' | 'next';
}

type Counts = Omit<ReplayReport, 'limit' | 'complete' | 'runs'>;

export interface ReplayOptions extends ReplayRequest {
  tenantId: string;
  /** Name of the API key that asks. */
  by: string;
}

/**
 * Does ended runs again: each as a new run with the same request, toolset and budget that keeps what the first one came
 * to. Calls that succeeded are kept with their results and are not made again; where the last turn has calls to make, the
 * new run begins with those, else with a question to the model.
 *
 * Without a choice about `once` calls, runs that need one are left alone. A run is replayed once, unless it is named and
 * asked for `again`: the same request twice begins nothing twice.
 *
 * @throws HammerlineError `not_found` and `not_possible` for named runs that are not there, or not over
 */
export async function replayRuns(
  pool: Pool,
  engine: RunEngine,
  options: ReplayOptions,
): Promise<ReplayReport> {
  const { plan, ...report } = await planReplay(pool, options);
  const { tenantId, by, again = false, once } = options;
  if (options.dryRun || plan.length === 0) return { ...report, runs: [] };
  const wanted = await Promise.all(
    plan.map(async ({ id: replayOf, from }) => {
      const id = uuidv7();
      return { id, replayOf, from, traceparent: await newTrace(id) };
    }),
  );
  const { rows } = await pool.query<{ id: string; replayOf: string; work: Work | null }>(BEGIN, [
    JSON.stringify(wanted),
    tenantId,
    by,
    once ?? null,
    again,
  ]);
  await engine.offer(rows.flatMap(({ work }) => work ?? []));
  const begun = new Map(rows.map(({ id, replayOf }) => [id, replayOf]));
  return { ...report, runs: [...begun].map(([id, replayOf]) => ({ id, replayOf })) };
}

async function planReplay(
  pool: Pool,
  { tenantId, filter, once, again = false }: ReplayOptions,
): Promise<Omit<ReplayReport, 'runs'> & { plan: Planned[] }> {
  const { ids, ...rest } = filter;
  const fit = { ...rest, state: rest.state ?? (ids ? undefined : DEAD_LETTERS) };
  if (ids) await requireEnded(pool, tenantId, ids);
  const { from, below, isWhole } = ids
    ? { ...idRange({}), isWhole: true }
    : await newestOf(pool, tenantId, idRange(fit), MAX_SIFTED);
  const { rows } = await pool.query<Counts & { plan: Planned[] }>(PLAN, [
    tenantId,
    from,
    below,
    ids ?? null,
    once ?? null,
    again,
    ...fitValues(fit),
  ]);
  const [counted] = rows;
  if (!counted) throw new HammerlineError('internal', 'the ledger counted nothing');
  return { ...counted, limit: MAX_REPLAYED, complete: isWhole };
}

const PLAN = `
  WITH matched AS MATERIALIZED (
    SELECT r.id, r.turn, r.until, r.budget, r.error FROM runs r
    WHERE r.tenant_id = $1 AND r.id >= $2 AND r.id < $3 AND r.ended_at IS NOT NULL
      AND ($4::uuid[] IS NULL OR r.id = ANY ($4)) AND ${fits(7)}
  ), judged AS MATERIALIZED (
    SELECT m.id, CASE
      WHEN NOT $6::boolean AND EXISTS (
        SELECT FROM idempotency_keys k WHERE k.tenant_id = $1 AND k.key = ${REPLAY_KEY('m.id')}) THEN 'replayed'
      WHEN strpos(m.error::text, '"code":"budget_spent"') > 0 THEN 'done'
      WHEN c.open_once AND $5::text IS NULL THEN 'needs_choice'
      -- All that the last turn has are calls that were held back: the model is asked anew.
      WHEN c.count = 0 THEN 'turn'
      WHEN c.made_again THEN 'calls'
      WHEN m.until = 'answer' AND m.turn < (m.budget->>'turns')::integer THEN 'next'
      ELSE 'done' END AS kind
    FROM matched m CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE c.state <> 'denied'), bool_or(${OPEN_ONCE}) AS open_once,
             bool_or(${madeAgain('$5')}) AS made_again
      FROM calls c WHERE c.run_id = m.id AND c.turn = m.turn) c
  ), planned AS (
    SELECT id, kind AS "from" FROM judged WHERE kind IN ('turn', 'calls', 'next') ORDER BY id LIMIT ${MAX_REPLAYED}
  )
  SELECT count(*)::integer AS matched,
         (count(*) FILTER (WHERE kind IN ('turn', 'calls', 'next')))::integer AS replayable,
         (count(*) FILTER (WHERE kind = 'needs_choice'))::integer AS "needsChoice",
         (count(*) FILTER (WHERE kind = 'replayed'))::integer AS "alreadyReplayed",
         (count(*) FILTER (WHERE kind = 'done'))::integer AS "nothingToDo",
         COALESCE((SELECT json_agg(planned ORDER BY id) FROM planned), '[]') AS plan
  FROM judged`;

/**
 * A call that is made again is a new one: with a new Idempotency-Key, and to be approved anew where its tool asks for that.
 * What is kept unknown counts as failed: nobody is going to find out for the new run.
 */
const BEGIN = `
  WITH wanted AS MATERIALIZED (
    SELECT w.id AS new_id, w."from", w.traceparent AS new_trace, r.*
    FROM json_to_recordset($1) AS w(id uuid, "replayOf" uuid, "from" text, traceparent text)
    JOIN runs r ON r.id = w."replayOf" AND r.tenant_id = $2 AND r.ended_at IS NOT NULL
  ), keyed AS (
    INSERT INTO idempotency_keys (tenant_id, key, body_hash, run_id)
    SELECT tenant_id, ${REPLAY_KEY('id')}, ''::bytea, new_id FROM wanted ORDER BY 2
    ON CONFLICT (tenant_id, key) DO UPDATE SET run_id = excluded.run_id, created_at = now() WHERE $5::boolean
    RETURNING run_id
  ), fresh AS MATERIALIZED (
    SELECT * FROM wanted WHERE new_id IN (SELECT run_id FROM keyed)
  ), kept AS MATERIALIZED (
    SELECT gen_random_uuid() AS new_call, f.new_id, c.*, c.turn = f.turn AND ${madeAgain('$4::text')} AS again
    FROM fresh f JOIN calls c ON c.run_id = f.id AND (c.turn < f.turn OR f."from" <> 'turn')
  ), begun AS (
    INSERT INTO runs (id, tenant_id, state, version, mode, until, budget, mask, priority, cost, toolset_name,
                      toolset_hash, traceparent, turn, attempt, due_at, deadline_at, outcome, model, confidence,
                      calls_made, tokens, replay_of)
    SELECT new_id, tenant_id, CASE WHEN "from" = 'calls' THEN 'executing' ELSE 'queued' END, 1, mode, until, budget,
           mask, priority, cost, toolset_name, toolset_hash, new_trace, turn + ("from" = 'next')::integer, 0, now(),
           now() + (deadline_at - created_at), CASE WHEN "from" = 'calls' THEN outcome END,
           CASE WHEN "from" = 'calls' THEN model END, CASE WHEN "from" = 'calls' THEN confidence END,
           (SELECT count(*) FROM kept WHERE kept.new_id = fresh.new_id), tokens, id
    FROM fresh RETURNING *
  ), noted AS (
    INSERT INTO inputs (run_id, tenant_id, messages, query)
    SELECT r.id, r.tenant_id, i.messages, i.query FROM begun r JOIN inputs i ON i.run_id = r.replay_of
  ), copied AS (
    INSERT INTO calls (id, run_id, tenant_id, turn, position, name, arguments, effect, approval, has_probe, state,
                       attempt, result, error)
    SELECT new_call, new_id, tenant_id, turn, position, name, arguments, effect, approval, has_probe,
           CASE WHEN again AND (approval = 'always' OR approval = 'unsure' AND effect <> 'read') THEN 'awaiting_approval'
                WHEN again THEN 'ready' WHEN state = 'outcome_unknown' THEN 'failed' ELSE state END,
           CASE WHEN again THEN 0 ELSE attempt END, CASE WHEN NOT again THEN result END,
           CASE WHEN NOT again THEN error END
    FROM kept RETURNING id, run_id, state
  ), recorded AS (
    INSERT INTO events (run_id, seq, tenant_id, type, data)
    SELECT id, 1, tenant_id, 'run.accepted',
           json_build_object('mode', mode, 'toolset', toolset_name, 'replayOf', replay_of, 'by', $3::text)
    FROM begun
  )
  SELECT r.id, r.replay_of AS "replayOf", CASE WHEN r.state = 'queued' OR c.id IS NOT NULL THEN ${WORK} END AS work
  FROM begun r LEFT JOIN copied c ON c.run_id = r.id AND c.state = 'ready'
  ORDER BY r.replay_of`;

async function requireEnded(pool: Pool, tenantId: string, ids: readonly string[]): Promise<void> {
  const { rows } = await pool.query<{ id: string; isOver: boolean }>(
    'SELECT id, ended_at IS NOT NULL AS "isOver" FROM runs WHERE tenant_id = $1 AND id = ANY ($2::uuid[])',
    [tenantId, ids],
  );
  const found = new Set(rows.map(({ id }) => id));
  const unknown = ids.find((id) => !found.has(id.toLowerCase()));
  if (unknown !== undefined) {
    throw new HammerlineError('not_found', `There is no run ${unknown}. GET /v1/runs lists yours.`);
  }
  const open = rows.find(({ isOver }) => !isOver);
  if (open) {
    const message = `The run ${open.id} is not over: cancel it first, or wait for its end.`;
    throw new HammerlineError('not_possible', message);
  }
}

/** The root of a new run's own trace. */
function newTrace(runId: string): Promise<string> {
  const attributes = { [ATTR.genAiConversationId]: runId };
  return inSpan(
    'replay run',
    { kind: SpanKind.INTERNAL, attributes, parent: '' },
    async () => activeTraceparent() ?? '',
  );
}
