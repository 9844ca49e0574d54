import { TERMINAL_RUN_STATES } from '#libs/contracts';
import type { NewEvent, RunRecord } from '../reducer/index.js';
import { jsonText } from './json-text.js';
import type { Pool } from './pool.js';

/** How a run moved: as it was read, as it is to be, and what happened in between. */
export interface RunChange {
  before: RunRecord;
  after: RunRecord;
  /** At least one; each takes the next number. */
  events: readonly NewEvent[];
  /** When the turn, or a call, may be claimed next, in milliseconds from the commit. */
  dueInMs: ReadonlyMap<'turn' | (string & {}), number>;
}

/**
 * Writes many changes in one statement: all of them or none, except that a run which somebody else has moved on is left
 * alone. Each run is of another change. Returns once it is on the disk.
 *
 * The version alone does not tell whether a run was moved on: a claim that a crash of Postgres undid had the version of
 * the claim that came after it. So the token is compared, too.
 *
 * @returns for each change whether it was written
 */
export async function commitRuns(pool: Pool, changes: readonly RunChange[]): Promise<boolean[]> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'commit-runs',
    // Rows are locked in the order of their ids: two statements that change the same runs wait for each other, once.
    text: `
      WITH wanted AS MATERIALIZED (
        SELECT * FROM json_to_recordset($1) AS w(
          id uuid, "fromVersion" integer, "fromToken" uuid, version integer, state text, turn integer, attempt integer,
          tries integer, token uuid, holder uuid, outcome text, model text, confidence double precision, reply text,
          error text, "callsMade" integer, tokens integer, "dueInMs" double precision, "isOver" boolean, calls json,
          events json)
      ), free AS MATERIALIZED (
        SELECT w.* FROM runs r JOIN wanted w USING (id)
        WHERE r.version = w."fromVersion" AND r.token IS NOT DISTINCT FROM w."fromToken"
        ORDER BY r.id FOR NO KEY UPDATE OF r
      ), moved AS (
        UPDATE runs r SET version = w.version, state = w.state, turn = w.turn, attempt = w.attempt, tries = w.tries,
               token = w.token, holder = w.holder, outcome = w.outcome, model = w.model, confidence = w.confidence,
               reply = w.reply::json, error = w.error::json, calls_made = w."callsMade", tokens = w.tokens,
               due_at = CASE WHEN w."dueInMs" IS NULL THEN r.due_at ELSE now() + w."dueInMs" * interval '1 ms' END,
               ended_at = CASE WHEN w."isOver" THEN COALESCE(r.ended_at, now()) END
        FROM free w WHERE r.id = w.id RETURNING r.id, r.tenant_id, w."fromVersion", w.calls, w.events
      ), placed AS (
        INSERT INTO calls (id, run_id, tenant_id, turn, position, name, arguments, effect, approval, has_probe, state,
                           attempt, tries, token, holder, asked, result, error, ready_at)
        SELECT c.id, moved.id, moved.tenant_id, c.turn, c.position, c.name, c.arguments::json, c.effect,
               c.approval, c."hasProbe", c.state, c.attempt, c.tries, c.token, c.holder, c.asked::json, c.result::json, c.error::json,
               now() + COALESCE(c."dueInMs", 0) * interval '1 ms'
        FROM moved, json_to_recordset(moved.calls) AS c(
          id uuid, turn integer, position integer, name text, arguments text, effect text, approval text,
          "hasProbe" boolean, state text, attempt integer, tries integer, token uuid, holder uuid, asked text, result text, error text,
          "dueInMs" double precision)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, arguments = excluded.arguments, asked = excluded.asked,
          attempt = excluded.attempt, tries = excluded.tries, token = excluded.token, holder = excluded.holder, result = excluded.result,
          error = excluded.error, ready_at = excluded.ready_at
      ), recorded AS (
        INSERT INTO events (run_id, seq, tenant_id, type, data)
        SELECT moved.id, moved."fromVersion" + e.n, moved.tenant_id, e.type, e.data::json
        FROM moved, ROWS FROM (json_to_recordset(moved.events) AS (type text, data text)) WITH ORDINALITY AS e(type, data, n)
      )
      SELECT id FROM moved`,
    values: [JSON.stringify(changes.map(rowOf))],
  });
  const moved = new Set(rows.map(({ id }) => id));
  return changes.map(({ before }) => moved.has(before.id));
}

function rowOf({ before, after, events, dueInMs }: RunChange): object {
  const changed = after.calls.filter((call) => !before.calls.includes(call));
  return {
    id: before.id,
    fromVersion: before.version,
    fromToken: before.token,
    version: before.version + events.length,
    state: after.state,
    turn: after.turn,
    attempt: after.attempt,
    tries: after.tries,
    token: after.token,
    holder: after.holder,
    outcome: after.outcome,
    model: after.model,
    confidence: after.confidence,
    reply: jsonText(after.reply),
    error: jsonText(after.error),
    callsMade: after.callsMade,
    tokens: after.tokens,
    dueInMs: dueInMs.get('turn'),
    isOver: TERMINAL_RUN_STATES.has(after.state),
    calls: changed.map((call) => ({
      ...call,
      arguments: jsonText(call.arguments),
      asked: jsonText(call.asked),
      result: jsonText(call.result),
      error: jsonText(call.error),
      dueInMs: dueInMs.get(call.id),
    })),
    events: events.map(({ type, data }) => ({ type, data: jsonText(data) })),
  };
}
