import { HammerlineError, type Message } from '#libs/contracts';
import type { LRUCache } from 'lru-cache';
import type { RunRecord } from '../reducer/index.js';
import { jsonText } from './json-text.js';
import type { Pool } from './pool.js';

/** Characters of a request that lists show. */
const MAX_SHOWN_QUERY = 1_000;

/** A run to be accepted. */
export interface NewRun extends Pick<
  RunRecord,
  'id' | 'tenantId' | 'mode' | 'until' | 'budget' | 'mask' | 'priority' | 'cost' | 'traceparent'
> {
  expiresInS: number;
  toolset: { name: string; hash: string; body: object };
  messages: Message[];
  idempotency?: { key: string; bodyHash: Buffer } | undefined;
}

export type Acceptance =
  | { kind: 'accepted' }
  /** The same Idempotency-Key and body were accepted before, as this run. */
  | { kind: 'replayed'; runId: string }
  | { kind: 'conflict' };

/**
 * Accepts many runs in one statement: each with its input, its first event and its key. Safe to repeat with the same ids
 * where nobody knows whether it was committed: what is there already counts as accepted.
 *
 * @param knownToolsets hashes of toolsets that the ledger has: their bodies are not sent again. It is added to.
 */
export async function acceptRuns(
  pool: Pool,
  runs: readonly NewRun[],
  knownToolsets: LRUCache<string, true>,
): Promise<Acceptance[]> {
  const toolsets = new Map(
    runs
      .filter(({ toolset }) => !knownToolsets.has(toolset.hash))
      .map(({ toolset: { hash, body } }) => [hash, { hash, body: jsonText(body) }]),
  );
  const { rows } = await pool.query<{ id: string }>({
    name: 'accept-runs',
    // Keys and toolsets in order: two statements that add the same ones wait for each other, once.
    text: `
      WITH wanted AS MATERIALIZED (
        SELECT * FROM json_to_recordset($1) AS w(
          id uuid, "tenantId" text, mode text, until text, budget json, mask text, priority smallint, cost integer,
          "toolsetName" text, "toolsetHash" text, traceparent text, messages text, query text,
          "expiresInS" double precision, key text, "bodyHash" text)
      ), keyed AS (
        INSERT INTO idempotency_keys (tenant_id, key, body_hash, run_id)
        SELECT "tenantId", key, decode("bodyHash", 'hex'), id FROM wanted WHERE key IS NOT NULL ORDER BY 1, 2
        ON CONFLICT DO NOTHING RETURNING run_id
      ), fresh AS MATERIALIZED (
        SELECT * FROM wanted WHERE key IS NULL OR id IN (SELECT run_id FROM keyed)
      ), kept AS (
        INSERT INTO toolsets (hash, body)
        SELECT t.hash, t.body::json FROM json_to_recordset($2) AS t(hash text, body text) ORDER BY t.hash
        ON CONFLICT DO NOTHING
      ), accepted AS (
        INSERT INTO runs (id, tenant_id, state, version, mode, until, budget, mask, priority, cost, toolset_name,
                          toolset_hash, traceparent, turn, attempt, due_at, deadline_at)
        SELECT id, "tenantId", 'queued', 1, mode, until, budget, mask, priority, cost, "toolsetName", "toolsetHash",
               traceparent, 1, 0, now(), now() + "expiresInS" * interval '1 s'
        FROM fresh ON CONFLICT (id) DO NOTHING RETURNING id, tenant_id, mode, toolset_name
      ), noted AS (
        INSERT INTO inputs (run_id, tenant_id, messages, query)
        SELECT id, "tenantId", messages::json, query FROM fresh WHERE id = ANY (ARRAY(SELECT id FROM accepted))
      ), recorded AS (
        INSERT INTO events (run_id, seq, tenant_id, type, data)
        SELECT id, 1, tenant_id, 'run.accepted', json_build_object('mode', mode, 'toolset', toolset_name) FROM accepted
      )
      SELECT id FROM accepted`,
    values: [JSON.stringify(runs.map(rowOf)), JSON.stringify([...toolsets.values()])],
  });
  for (const hash of toolsets.keys()) knownToolsets.set(hash, true);
  const accepted = new Set(rows.map(({ id }) => id));
  const others = runs.filter(({ id }) => !accepted.has(id));
  const before = others.length > 0 ? await findBefore(pool, others) : new Map<string, Acceptance>();
  return runs.map(({ id }) => {
    const acceptance = accepted.has(id) ? ({ kind: 'accepted' } as const) : before.get(id);
    if (acceptance) return acceptance;
    throw new HammerlineError('internal', 'the ledger neither accepted nor knew a run');
  });
}

function rowOf({ toolset, messages, idempotency, ...run }: NewRun): object {
  return {
    ...run,
    toolsetName: toolset.name,
    toolsetHash: toolset.hash,
    messages: jsonText(messages),
    query: shownQuery(messages),
    key: idempotency?.key,
    bodyHash: idempotency?.bodyHash.toString('hex'),
  };
}

/** What lists show of a request: the last user message, cut, without what a `text` column cannot hold. */
export function shownQuery(messages: readonly Message[]): string {
  const last = messages.findLast(({ role }) => role === 'user')?.content ?? '';
  return last.slice(0, MAX_SHOWN_QUERY).toWellFormed().replaceAll('\0', '\u{FFFD}');
}

/** What was accepted earlier: this very run, or another one under its key. */
async function findBefore(pool: Pool, runs: readonly NewRun[]): Promise<Map<string, Acceptance>> {
  const { rows } = await pool.query<{ id: string; runId: string; isSame: boolean }>({
    name: 'find-accepted',
    text: `
      SELECT w.id, COALESCE(k.run_id, r.id) AS "runId", COALESCE(k.body_hash = decode(w."bodyHash", 'hex'), true) AS "isSame"
      FROM json_to_recordset($1) AS w(id uuid, "tenantId" text, key text, "bodyHash" text)
      LEFT JOIN idempotency_keys k ON k.tenant_id = w."tenantId" AND k.key = w.key
      LEFT JOIN runs r ON r.id = w.id
      WHERE k.run_id IS NOT NULL OR r.id IS NOT NULL`,
    values: [JSON.stringify(runs.map(rowOf))],
  });
  return new Map(
    rows.map(({ id, runId, isSame }): [string, Acceptance] => [
      id,
      !isSame
        ? { kind: 'conflict' }
        : runId === id
          ? { kind: 'accepted' }
          : { kind: 'replayed', runId },
    ]),
  );
}
