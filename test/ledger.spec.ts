import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Hint } from '#libs/contracts';
import {
  checkLedger,
  ensureApiKey,
  migrate,
  openLedger,
  openPool,
  ProcessEpoch,
  readEvents,
  readRun,
  listRuns,
  sweep,
  tenantOfKey,
  type Ledger,
  type NewRun,
  type Pool,
  type RunInput,
  type SweepOptions,
} from '#libs/runs';
import { createLogger } from '#libs/telemetry';
import { v7 as uuidv7 } from 'uuid';
import type { Queue } from 'bullmq';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startPostgres } from '../scripts/postgres.mjs';
import type { Server } from '../scripts/server.mjs';

const TENANT = 'default';
const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-ledger-'));

let postgres: Server;
let pool: Pool;
let ledger: Ledger;
let holder: ProcessEpoch;
let judging = false;

beforeAll(async () => {
  postgres = await startPostgres({ dir: folder });
  pool = openPool({
    databaseUrl: postgres.url,
    service: 'test',
    max: 20,
    onError: () => undefined,
  });
  // Two gateways that start at once must both get through.
  await Promise.all([migrate(postgres.url), migrate(postgres.url)]);
  await checkLedger(pool, postgres.url);
  await ensureApiKey(pool, TENANT, 'key-of-default');
  await ensureApiKey(pool, 'other', 'key-of-other');
  ledger = openLedger(pool, () => judging, new AbortController().signal);
  holder = await ProcessEpoch.start(pool, 'test');
});

afterAll(async () => {
  await holder?.stop();
  await pool?.end();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function newRun(over: Partial<NewRun> = {}): NewRun {
  return {
    id: uuidv7(),
    tenantId: TENANT,
    mode: 'execute',
    mask: 'auto',
    toolset: { name: 'desk', hash: 'h1', body: { tools: [] } },
    messages: [{ role: 'user', content: 'do it' }],
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    ...over,
  };
}

async function accepted(over: Partial<NewRun> = {}): Promise<string> {
  const run = newRun(over);
  expect(await ledger.accept(run)).toEqual({ kind: 'accepted' });
  return run.id;
}

const claim = (token = uuidv7()): RunInput => ({ type: 'turn.claim', holder: holder.id, token });

/** A run whose turn resolved to these calls; returns their ids. */
async function executing(count: number): Promise<{ runId: string; callIds: string[] }> {
  const runId = await accepted();
  const token = uuidv7();
  await ledger.apply(runId, claim(token));
  const callIds = Array.from({ length: count }, () => uuidv7());
  await ledger.apply(runId, {
    type: 'turn.resolve',
    token,
    model: 'm',
    confidence: 1,
    confidenceThreshold: 0,
    calls: callIds.map((id) => ({
      id,
      name: 't',
      arguments: { b: 1, a: 2 },
      effect: 'idempotent',
    })),
  });
  return { runId, callIds };
}

it('accepts a run whole: the run, its input and its first event', async () => {
  const id = await accepted();
  expect(await readRun(pool, TENANT, id)).toMatchObject({ id, state: 'queued', query: 'do it' });
  expect(await ledger.messages(id)).toEqual([{ role: 'user', content: 'do it' }]);
  expect(await readEvents(pool, TENANT, id, 0)).toMatchObject([{ seq: 1, type: 'run.accepted' }]);
});

it('accepts one Idempotency-Key once, however many requests race, and refuses another body', async () => {
  const idempotency = { key: 'k1', bodyHash: Buffer.from('same') };
  const runs = Array.from({ length: 12 }, () => newRun({ idempotency }));
  const results = await Promise.all(runs.map((run) => ledger.accept(run)));
  const winners = results.filter(({ kind }) => kind === 'accepted');
  expect(winners).toHaveLength(1);
  const winner = runs[results.findIndex(({ kind }) => kind === 'accepted')]?.id;
  expect(results.filter(({ kind }) => kind !== 'accepted')).toEqual(
    Array.from({ length: 11 }, () => ({ kind: 'replayed', runId: winner })),
  );
  const other = newRun({ idempotency: { key: 'k1', bodyHash: Buffer.from('other') } });
  expect(await ledger.accept(other)).toEqual({ kind: 'conflict' });
  const elsewhere = newRun({ tenantId: 'other', idempotency });
  expect(await ledger.accept(elsewhere)).toEqual({ kind: 'accepted' });
});

it('gives a turn to one of many claimants', async () => {
  const id = await accepted();
  const claims = await Promise.all(Array.from({ length: 10 }, () => ledger.apply(id, claim())));
  expect(claims.filter(({ refused }) => refused === undefined)).toHaveLength(1);
  expect(new Set(claims.map(({ refused }) => refused))).toEqual(new Set([undefined, 'held']));
});

it('settles calls of one run concurrently, joins once, and keeps the events dense', async () => {
  const { runId, callIds } = await executing(8);
  await Promise.all(
    callIds.map(async (callId) => {
      const token = uuidv7();
      await ledger.apply(runId, { type: 'call.claim', callId, holder: holder.id, token });
      await ledger.apply(runId, {
        type: 'call.settle',
        callId,
        token,
        result: { state: 'succeeded', result: { of: callId } },
      });
    }),
  );
  const run = await readRun(pool, TENANT, runId);
  expect(run?.state).toBe('succeeded');
  expect(run?.calls.map(({ result }) => result)).toEqual(callIds.map((of) => ({ of })));
  const events = (await readEvents(pool, TENANT, runId, 0)) ?? [];
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.filter(({ type }) => type === 'run.ended')).toHaveLength(1);
});

it('keeps key order and every character of arguments and results', async () => {
  const { runId, callIds } = await executing(1);
  const [callId = ''] = callIds;
  const token = uuidv7();
  await ledger.apply(runId, { type: 'call.claim', callId, holder: holder.id, token });
  const result = JSON.parse('{"z":1,"a":"\\u0000 \\ud800 ü","__proto__":{"x":1},"10":2}');
  await ledger.apply(runId, {
    type: 'call.settle',
    callId,
    token,
    result: { state: 'succeeded', result },
  });
  const [call] = (await readRun(pool, TENANT, runId))?.calls ?? [];
  expect(JSON.stringify(call?.arguments)).toBe('{"b":1,"a":2}');
  expect(JSON.stringify(call?.result)).toBe(JSON.stringify(result));
});

it('lets nobody take over while holders may not be judged, and a dead holder’s work once they may', async () => {
  const id = await accepted();
  await ledger.apply(id, { type: 'turn.claim', holder: uuidv7(), token: uuidv7() });
  expect(await ledger.apply(id, claim())).toEqual({ refused: 'held' });
  judging = true;
  try {
    expect((await ledger.apply(id, claim())).refused).toBeUndefined();
    expect(await ledger.apply(id, claim())).toEqual({ refused: 'held' });
  } finally {
    judging = false;
  }
});

it('waits for a Postgres that is gone', async () => {
  const id = await accepted();
  await postgres.kill();
  const claimed = ledger.apply(id, claim());
  await postgres.restart();
  expect((await claimed).refused).toBeUndefined();
});

it('accepts once even when Postgres dies while it is asked', async () => {
  const run = newRun();
  await postgres.kill();
  const accepting = ledger.accept(run);
  await postgres.restart();
  expect(await accepting).toEqual({ kind: 'accepted' });
  expect(await readEvents(pool, TENANT, run.id, 0)).toHaveLength(1);
});

it('revokes the configured key when another one is configured, and takes it back', async () => {
  await ensureApiKey(pool, 'rotating', 'the first key');
  await ensureApiKey(pool, 'rotating', 'the second key');
  expect(await tenantOfKey(pool, 'the first key')).toBeUndefined();
  expect(await tenantOfKey(pool, 'the second key')).toBe('rotating');
  await ensureApiKey(pool, 'rotating', 'the first key');
  expect(await tenantOfKey(pool, 'the first key')).toBe('rotating');
  expect(await tenantOfKey(pool, 'the second key')).toBeUndefined();
});

describe('the sweep', () => {
  let offered: Hint[] = [];
  let waiting = 0;
  const queue = {
    name: 'test',
    add: (_name: string, hint: Hint) => {
      offered.push(hint);
      return Promise.resolve({});
    },
    getWaitingCount: () => Promise.resolve(waiting),
  } as unknown as Queue;
  const options = {
    pool: {} as Pool,
    queues: { turn: queue, call: queue },
    able: () => true,
    log: createLogger('test', 'fatal'),
  };
  /** Sweeps as if the last sweep and every commit were long ago. */
  const sweepNow = async (over: Partial<SweepOptions> = {}): Promise<Hint[]> => {
    offered = [];
    await pool.query("UPDATE sweeps SET swept_at = now() - interval '1 h'");
    await pool.query("UPDATE runs SET due_at = due_at - interval '1 h' WHERE state = 'queued'");
    await pool.query("UPDATE calls SET ready_at = ready_at - interval '1 h'");
    await sweep({ ...options, pool, ...over });
    return offered;
  };

  beforeEach(async () => {
    waiting = 0;
    await pool.query("UPDATE runs SET state = 'failed' WHERE state IN ('queued', 'inferring')");
    await pool.query("UPDATE calls SET state = 'failed' WHERE state IN ('ready', 'started')");
  });

  it('offers what waits for a hint, but not what a waiting hint stands for', async () => {
    const ids = [await accepted(), await accepted(), await accepted()];
    expect((await sweepNow()).map(({ runId }) => runId)).toEqual(ids);
    waiting = 2;
    expect((await sweepNow()).map(({ runId }) => runId)).toEqual([ids[0]]);
    waiting = 3;
    expect(await sweepNow()).toEqual([]);
  });

  it('offers a dead holder’s work however many hints wait, and a living one’s never', async () => {
    const abandoned = await accepted();
    await ledger.apply(abandoned, { type: 'turn.claim', holder: uuidv7(), token: uuidv7() });
    const held = await accepted();
    await ledger.apply(held, claim());
    const { runId, callIds } = await executing(1);
    const [callId = ''] = callIds;
    await ledger.apply(runId, { type: 'call.claim', callId, holder: uuidv7(), token: uuidv7() });
    waiting = 500;
    expect(await sweepNow()).toMatchObject([
      { kind: 'turn', runId: abandoned },
      { kind: 'call', runId, callId },
    ]);
  });

  it('leaves its turn to another process when it cannot reach Redis or may not judge', async () => {
    const id = await accepted();
    expect(await sweepNow({ able: () => false })).toEqual([]);
    await sweep({ ...options, pool });
    expect(offered.map(({ runId }) => runId)).toEqual([id]);
  });

  it('runs once a second in the whole fleet', async () => {
    await accepted();
    await sweepNow();
    const again = await sweep({ ...options, pool });
    expect(again).toBe(0);
  });
});

it('shows a tenant nothing of another', async () => {
  const id = await accepted();
  expect(await readRun(pool, 'other', id)).toBeUndefined();
  expect(await readEvents(pool, 'other', id, 0)).toEqual([]);
  const { runs } = await listRuns(pool, 'other', { limit: 100 });
  expect(runs.map((run) => run.id)).not.toContain(id);
  expect(await tenantOfKey(pool, 'key-of-other')).toBe('other');
  expect(await tenantOfKey(pool, 'no such key')).toBeUndefined();
});

it('pages through all runs of a tenant, newest first, each once', async () => {
  const all: string[] = [];
  let before: string | undefined;
  do {
    const page = await listRuns(pool, TENANT, { limit: 3, before });
    all.push(...page.runs.map(({ id }) => id));
    before = page.next;
  } while (before !== undefined);
  expect(all).toEqual(all.toSorted().toReversed());
  expect(new Set(all).size).toBe(all.length);
  const { rows } = await pool.query('SELECT count(*)::int AS n FROM runs WHERE tenant_id = $1', [
    TENANT,
  ]);
  expect(all).toHaveLength(rows[0].n);
});
