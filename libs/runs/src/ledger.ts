import { HammerlineError, type Message, type MaskMode, type RunMode } from '#libs/contracts';
import { claimTurns, type ClaimedTurn, type TurnClaim } from './claim-turns.js';
import { isLedgerAway, type Pool } from './pool.js';
import { reduce, type CallRecord, type Refusal, type RunInput, type RunRecord } from './reducer.js';

/** Seconds without a heartbeat after which a process, and its hold on all it claimed, counts as dead. */
export const HOLDER_DEAD_AFTER_S = 5;
/** How long an acceptance waits for an absent Postgres. */
const ACCEPT_WITHIN_MS = 2_000;
/** Characters of a request that lists show. */
const MAX_SHOWN_QUERY = 1_000;

/** SQL: the process of epoch `holder` has beaten lately. */
export function holderAlive(holder: string): string {
  return `EXISTS (SELECT FROM processes p WHERE p.epoch = ${holder}
    AND p.seen_at > now() - interval '${HOLDER_DEAD_AFTER_S} s')`;
}

export interface NewRun {
  id: string;
  tenantId: string;
  mode: RunMode;
  mask: MaskMode;
  toolset: { name: string; hash: string; body: object };
  messages: Message[];
  traceparent: string;
  idempotency?: { key: string; bodyHash: Buffer } | undefined;
}

export type Acceptance =
  | { kind: 'accepted' }
  /** The same Idempotency-Key and body were accepted before, as this run. */
  | { kind: 'replayed'; runId: string }
  | { kind: 'conflict' };

export type Applied =
  | { refused: Refusal | 'no_such_run' }
  | { refused?: undefined; run: RunRecord; offers: string[]; dueInMs?: number | undefined };

export interface Ledger {
  /**
   * Commits a run, its input, its first event and its key in one statement. Returns only after the commit. A Postgres
   * that comes back within two seconds is waited for; after that it throws, and the run may or may not be there.
   */
  accept(run: NewRun): Promise<Acceptance>;
  /**
   * Takes one input through the reducer and commits the result, reducing again when another process was faster.
   * While Postgres is away it waits: what a process has done must not be lost because the ledger restarts.
   *
   * @param known the run as the caller last had it, which saves a round trip if nobody has moved it on since
   */
  apply(runId: string, input: RunInput, known?: RunRecord): Promise<Applied>;
  /** Claims all of these turns that nobody holds, in one round trip, by run id. Waits for an absent Postgres. */
  claimTurns(claims: readonly TurnClaim[]): Promise<Map<string, ClaimedTurn>>;
  messages(runId: string): Promise<Message[]>;
  /** Body of a toolset as it was accepted; throws `internal` when the ledger has none of this hash. */
  toolset(hash: string): Promise<unknown>;
}

/**
 * @param judge whether holders without a heartbeat may be called dead now (see ProcessEpoch)
 * @param signal ends the waiting for an absent Postgres when the process stops
 */
export function openLedger(pool: Pool, judge: () => boolean, signal: AbortSignal): Ledger {
  return {
    accept: (run) => acceptSurely(pool, run),
    apply: (runId, input, known) =>
      patiently(signal, () => applyOnce(pool, judge, runId, input, known)),
    claimTurns: (claims) => patiently(signal, () => claimTurns(pool, claims)),
    messages: (runId) =>
      patiently(signal, async () => {
        const { rows } = await pool.query<{ messages: Message[] }>(
          'SELECT messages FROM inputs WHERE run_id = $1',
          [runId],
        );
        if (!rows[0]) throw new HammerlineError('internal', `run ${runId} has no input`);
        return rows[0].messages;
      }),
    toolset: (hash) =>
      patiently(signal, async () => {
        const { rows } = await pool.query<{ body: unknown }>(
          'SELECT body FROM toolsets WHERE hash = $1',
          [hash],
        );
        if (!rows[0]) throw new HammerlineError('internal', `no toolset has the hash ${hash}`);
        return rows[0].body;
      }),
  };
}

async function acceptSurely(pool: Pool, run: NewRun): Promise<Acceptance> {
  const giveUpAt = performance.now() + ACCEPT_WITHIN_MS;
  for (let first = true; ; first = false) {
    try {
      // The statement before may have committed and only its answer was lost: then the run is there, under its id.
      if (!first && (await exists(pool, run.id))) return { kind: 'accepted' };
      return await accept(pool, run);
    } catch (error) {
      if (!isLedgerAway(error) || performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function exists(pool: Pool, runId: string): Promise<boolean> {
  const { rows } = await pool.query('SELECT FROM runs WHERE id = $1', [runId]);
  return rows.length > 0;
}

/** What lists show of a request: the last user message, cut, without what a `text` column cannot hold. */
function shownQuery(messages: readonly Message[]): string {
  const last = messages.findLast(({ role }) => role === 'user')?.content ?? '';
  return last.slice(0, MAX_SHOWN_QUERY).toWellFormed().replaceAll('\0', '\u{FFFD}');
}

async function accept(pool: Pool, run: NewRun): Promise<Acceptance> {
  const { rows } = await pool.query<{ accepted: boolean }>({
    name: 'accept',
    text: `
      WITH keyed AS (
        INSERT INTO idempotency_keys (tenant_id, key, body_hash, run_id)
        SELECT $2, $10::text, $11::bytea, $1 WHERE $10::text IS NOT NULL
        ON CONFLICT DO NOTHING RETURNING run_id
      ), fresh AS (
        SELECT 1 WHERE $10::text IS NULL OR EXISTS (SELECT FROM keyed)
      ), kept AS (
        INSERT INTO toolsets (hash, body) SELECT $6, $7::json FROM fresh ON CONFLICT DO NOTHING
      ), accepted AS (
        INSERT INTO runs (id, tenant_id, state, version, mode, mask, toolset_name, toolset_hash, traceparent,
                          turn, attempt, due_at)
        SELECT $1, $2, 'queued', 1, $3, $4, $5, $6, $8, 1, 0, now() FROM fresh RETURNING id
      ), noted AS (
        INSERT INTO inputs (run_id, tenant_id, messages, query) SELECT id, $2, $9::json, $12 FROM accepted
      ), recorded AS (
        INSERT INTO events (run_id, seq, tenant_id, type, data)
        SELECT id, 1, $2, 'run.accepted', json_build_object('mode', $3::text, 'toolset', $5::text) FROM accepted
      )
      SELECT EXISTS (SELECT FROM accepted) AS accepted`,
    values: [
      run.id,
      run.tenantId,
      run.mode,
      run.mask,
      run.toolset.name,
      run.toolset.hash,
      JSON.stringify(run.toolset.body),
      run.traceparent,
      JSON.stringify(run.messages),
      run.idempotency?.key ?? null,
      run.idempotency?.bodyHash ?? null,
      shownQuery(run.messages),
    ],
  });
  if (rows[0]?.accepted) return { kind: 'accepted' };
  const before = await pool.query<{ run_id: string; same: boolean }>(
    'SELECT run_id, body_hash = $3 AS same FROM idempotency_keys WHERE tenant_id = $1 AND key = $2',
    [run.tenantId, run.idempotency?.key, run.idempotency?.bodyHash],
  );
  const kept = before.rows[0];
  if (!kept) throw new HammerlineError('internal', 'the ledger neither accepted nor knew the run');
  return kept.same ? { kind: 'replayed', runId: kept.run_id } : { kind: 'conflict' };
}

async function applyOnce(
  pool: Pool,
  judge: () => boolean,
  runId: string,
  input: RunInput,
  known: RunRecord | undefined,
): Promise<Applied> {
  let before = known ?? (await load(pool, runId, judge()));
  for (let fresh = known === undefined; ; fresh = true) {
    if (!before) return { refused: 'no_such_run' };
    const step = reduce(before, input);
    if (!step.refused) {
      const { run, events, offers, dueInMs } = step;
      const committed = events.length === 0 || (await commit(pool, before, run, events, dueInMs));
      if (committed) {
        return { run: { ...run, version: before.version + events.length }, offers, dueInMs };
      }
    } else if (fresh) return { refused: step.refused };
    before = await load(pool, runId, judge());
  }
}

async function load(pool: Pool, runId: string, judge: boolean): Promise<RunRecord | undefined> {
  const held = (holder: string): string =>
    `(${holder} IS NOT NULL AND (NOT $2::boolean OR ${holderAlive(holder)}))`;
  const { rows } = await pool.query<RunRecord>({
    name: 'load',
    text: `
      SELECT id, tenant_id AS "tenantId", state, version, mode, mask, toolset_hash AS "toolsetHash", traceparent,
             turn, attempt, tries, token, holder, ${held('r.holder')} AS held, due_at <= now() AS due,
             outcome, model, confidence, error,
             COALESCE((
               SELECT json_agg(json_build_object(
                        'id', id, 'turn', turn, 'position', position, 'name', name, 'arguments', arguments,
                        'effect', effect, 'state', state, 'attempt', attempt, 'token', token, 'holder', holder,
                        'held', ${held('c.holder')}, 'result', result, 'error', error) ORDER BY position)
               FROM calls c WHERE c.run_id = r.id AND c.turn = r.turn), '[]') AS calls
      FROM runs r WHERE id = $1`,
    values: [runId, judge],
  });
  return rows[0];
}

/**
 * Writes a reduced run if nobody else has moved it on; false: read again. One statement, so all of it or nothing. The
 * version alone does not tell: a claim that a crash of Postgres undid had the version of the claim that came after it.
 */
async function commit(
  pool: Pool,
  before: RunRecord,
  after: RunRecord,
  events: { type: string; data: object }[],
  dueInMs: number | undefined,
): Promise<boolean> {
  const changed = after.calls.filter((call) => !before.calls.includes(call));
  const column = <T>(pick: (call: CallRecord) => T): T[] => changed.map(pick);
  const json = (value: unknown): string | null =>
    value === null || value === undefined ? null : JSON.stringify(value);
  const { rows } = await pool.query<{ moved: boolean }>({
    name: 'commit',
    text: `
      WITH moved AS (
        UPDATE runs SET version = $3, state = $4, turn = $5, attempt = $6, tries = $28, token = $7, holder = $8, outcome = $9,
               model = $10, confidence = $11, error = $12::json,
               due_at = CASE WHEN $13::float8 IS NULL THEN due_at ELSE now() + $13 * interval '1 ms' END,
               ended_at = CASE WHEN $4 IN ('succeeded', 'failed') THEN now() END
        WHERE id = $1 AND version = $2 AND token IS NOT DISTINCT FROM $29 RETURNING id, tenant_id
      ), placed AS (
        INSERT INTO calls (id, run_id, tenant_id, turn, position, name, arguments, effect, state, attempt, token,
                           holder, result, error)
        SELECT c.id, moved.id, moved.tenant_id, c.turn, c.position, c.name, c.arguments, c.effect, c.state,
               c.attempt, c.token, c.holder, c.result, c.error
        FROM moved, unnest($14::uuid[], $15::int[], $16::int[], $17::text[], $18::json[], $19::text[], $20::text[],
                           $21::int[], $22::uuid[], $23::uuid[], $24::json[], $25::json[])
          AS c(id, turn, position, name, arguments, effect, state, attempt, token, holder, result, error)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, attempt = excluded.attempt, token = excluded.token,
          holder = excluded.holder, result = excluded.result, error = excluded.error
      ), recorded AS (
        INSERT INTO events (run_id, seq, tenant_id, type, data)
        SELECT moved.id, $2 + e.n, moved.tenant_id, e.type, e.data
        FROM moved, unnest($26::text[], $27::json[]) WITH ORDINALITY AS e(type, data, n)
      )
      SELECT EXISTS (SELECT FROM moved) AS moved`,
    values: [
      before.id,
      before.version,
      before.version + events.length,
      after.state,
      after.turn,
      after.attempt,
      after.token,
      after.holder,
      after.outcome,
      after.model,
      after.confidence,
      json(after.error),
      dueInMs ?? null,
      column((call) => call.id),
      column((call) => call.turn),
      column((call) => call.position),
      column((call) => call.name),
      column((call) => JSON.stringify(call.arguments)),
      column((call) => call.effect),
      column((call) => call.state),
      column((call) => call.attempt),
      column((call) => call.token),
      column((call) => call.holder),
      column((call) => json(call.result)),
      column((call) => json(call.error)),
      events.map(({ type }) => type),
      events.map(({ data }) => JSON.stringify(data)),
      after.tries,
      before.token,
    ],
  });
  return rows[0]?.moved ?? false;
}

/** Repeats `work` until Postgres is back. Everything given to it is safe to repeat. */
async function patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 1_000)) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !isLedgerAway(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
