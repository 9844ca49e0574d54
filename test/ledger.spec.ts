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

describe('a batch of claims', () => {
  const claimAll = (ids: string[], over: { holder?: string } = {}) =>
    ledger.claimTurns(
      ids.map((runId) => ({ runId, token: uuidv7(), holder: over.holder ?? holder.id })),
    );
  const row = async (id: string): Promise<object> => {
    const { rows } = await pool.query('SELECT * FROM runs WHERE id = $1', [id]);
    return rows[0];
  };

  it('grants what the reducer grants, in the record, the row and the events', async () => {
    const [one, other] = [await accepted(), await accepted()];
    const token = uuidv7();
    const applied = await ledger.apply(one, claim(token));
    const [[, claimed] = []] = await ledger.claimTurns([
      { runId: other, token, holder: holder.id },
    ]);
    expect(claimed?.messages).toEqual([{ role: 'user', content: 'do it' }]);
    expect({ refused: undefined, run: { ...claimed?.run, id: one } }).toEqual({
      refused: applied.refused,
      run: applied.refused ? undefined : applied.run,
    });
    const stored = async (id: string): Promise<object> => ({
      ...(await row(id)),
      id: null,
      created_at: null,
      due_at: null,
    });
    expect(await stored(other)).toEqual(await stored(one));
    const events = async (id: string): Promise<object[]> =>
      (await readEvents(pool, TENANT, id, 0)).map((event) => ({ ...event, at: null }));
    expect(await events(other)).toEqual(await events(one));
  });

  it('leaves to the reducer whatever is not simply free', async () => {
    const set = async (columns: string): Promise<string> => {
      const id = await accepted();
      await pool.query(`UPDATE runs SET ${columns} WHERE id = $1`, [id]);
      return id;
    };
    const free = [await accepted(), await set('tries = 2, attempt = 9'), await accepted()];
    const others = [
      await set("due_at = now() + interval '1 minute'"),
      await set('tries = 3'),
      await set(`state = 'inferring', holder = '${uuidv7()}', token = '${uuidv7()}'`),
      await set("state = 'executing'"),
      await set("state = 'succeeded'"),
      uuidv7(),
    ];
    const before = await Promise.all(others.slice(0, -1).map(row));
    const claimed = await claimAll([...others, ...free].toSorted().toReversed());
    expect(new Set(claimed.keys())).toEqual(new Set(free));
    expect(await Promise.all(others.slice(0, -1).map(row))).toEqual(before);
  });

  it('has one winner for each turn, however many batches race', async () => {
    const ids = await Promise.all(Array.from({ length: 30 }, () => accepted()));
    const orders = Array.from({ length: 8 }, (_, at) => (at % 2 ? ids : ids.toReversed()));
    const holders = orders.map(() => uuidv7());
    const won = await Promise.all(
      orders.map((order, at) => claimAll(order, { holder: holders[at] ?? '' })),
    );
    expect(won.flatMap((claimed) => [...claimed.keys()]).toSorted()).toEqual(ids.toSorted());
    for (const [at, claimed] of won.entries()) {
      for (const [id, { run }] of claimed) {
        expect(run.holder).toBe(holders[at]);
        expect(await row(id)).toMatchObject({ holder: holders[at], attempt: 1, version: 2 });
      }
    }
  });

  it('does not wait for the disk, and leaves the connection as it was', async () => {
    const client = openPool({
      databaseUrl: postgres.url,
      service: 'test',
      max: 1,
      onError: () => undefined,
    });
    try {
      const one = openLedger(client, () => false, new AbortController().signal);
      // What is inserted is at the disk when a commit that waits returns.
      const isFlushed = async (): Promise<boolean> => {
        const { rows } = await client.query<{ flushed: boolean }>(
          'SELECT pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn() AS flushed',
        );
        return rows[0]?.flushed ?? true;
      };
      // Nor does Postgres itself bring it there meanwhile.
      await client.query("ALTER SYSTEM SET wal_writer_delay = '10s'");
      await client.query('SELECT pg_reload_conf()');
      const waited: boolean[] = [];
      for (let round = 0; round < 10; round += 1) {
        const runId = await accepted();
        await one.claimTurns([{ runId, token: uuidv7(), holder: holder.id }]);
        waited.push(await isFlushed());
      }
      expect(waited).toContain(false);
      const { rows } = await client.query('SHOW synchronous_commit');
      expect(rows[0]).toEqual({ synchronous_commit: 'on' });
    } finally {
      await client.end();
    }
  });
});

describe('a change of a run that the caller knows', () => {
  it('is committed without reading it again', async () => {
    const runId = await accepted();
    const token = uuidv7();
    const [[, claimed] = []] = await ledger.claimTurns([{ runId, token, holder: holder.id }]);
    const asked: string[] = [];
    const watched = {
      query: (query: { name: string; text: string }) => {
        asked.push(query.name);
        return pool.query(query);
      },
    } as unknown as Pool;
    const watching = openLedger(watched, () => false, new AbortController().signal);
    const resolved = await watching.apply(
      runId,
      { type: 'turn.resolve', token, model: 'm', confidence: 1, confidenceThreshold: 0, calls: [] },
      claimed?.run,
    );
    expect(resolved).toMatchObject({ run: { state: 'succeeded', outcome: 'irrelevant' } });
    expect(asked).toEqual(['commit']);
  });

  it('is judged by the run as it is when somebody else has moved it on', async () => {
    const runId = await accepted();
    const dead = uuidv7();
    const token = uuidv7();
    const [[, stale] = []] = await ledger.claimTurns([{ runId, token, holder: dead }]);
    judging = true;
    try {
      expect((await ledger.apply(runId, claim())).refused).toBeUndefined();
    } finally {
      judging = false;
    }
    const delay: RunInput = {
      type: 'turn.delay',
      token,
      error: { code: 'model_unavailable', message: 'away' },
      dueInMs: 0,
    };
    expect(await ledger.apply(runId, delay, stale?.run)).toEqual({ refused: 'fenced' });
  });

  it('is refused to a claim that a crash of Postgres undid, also where the next has the same version', async () => {
    const runId = await accepted();
    const claimOnce = async (token: string) =>
      (await ledger.claimTurns([{ runId, token, holder: holder.id }])).get(runId)?.run;
    const [lostToken, token] = [uuidv7(), uuidv7()];
    const lost = await claimOnce(lostToken);
    // What is left of a commit that did not wait for the disk.
    await pool.query('DELETE FROM events WHERE run_id = $1 AND seq = 2', [runId]);
    await pool.query(
      `UPDATE runs SET state = 'queued', version = 1, attempt = 0, tries = 0, token = NULL, holder = NULL
       WHERE id = $1`,
      [runId],
    );
    const run = await claimOnce(token);
    expect(run?.version).toBe(lost?.version);
    const fail: RunInput = {
      type: 'turn.fail',
      token: lostToken,
      error: { code: 'model_refused', message: 'no' },
      retryable: false,
    };
    expect(await ledger.apply(runId, fail, lost)).toEqual({ refused: 'fenced' });
    const applied = await ledger.apply(runId, { ...fail, token }, run);
    expect(applied).toMatchObject({ run: { state: 'failed' } });
  });

  it('is not refused by what was known alone', async () => {
    const runId = await accepted();
    const before = await ledger.apply(runId, claim());
    const known = before.refused ? undefined : { ...before.run, state: 'succeeded' as const };
    const token = (before.refused ? undefined : before.run.token) ?? '';
    const error = { code: 'model_unavailable' as const, message: 'away' };
    const delayed = await ledger.apply(
      runId,
      { type: 'turn.delay', token, error, dueInMs: 0 },
      known,
    );
    expect(delayed).toMatchObject({ dueInMs: 0, run: { state: 'queued', attempt: 1, tries: 0 } });
    expect((await readEvents(pool, TENANT, runId, 2)).at(0)).toMatchObject({
      type: 'turn.delayed',
      data: { error },
    });
  });
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

  it.each<[string, (token: string) => RunInput]>([
    [
      'was handed back',
      (token) => ({
        type: 'turn.delay',
        token,
        error: { code: 'model_unavailable', message: 'away' },
        dueInMs: 0,
      }),
    ],
    [
      'failed and is tried again',
      (token) => ({
        type: 'turn.fail',
        token,
        error: { code: 'model_failed', message: 'no' },
        retryable: true,
      }),
    ],
  ])('counts a turn that %s among those that a waiting hint stands for', async (_, input) => {
    const id = await accepted();
    // Not its first try: that is no sign that its hint was lost.
    await pool.query('UPDATE runs SET attempt = 1, tries = 1 WHERE id = $1', [id]);
    const token = uuidv7();
    await ledger.apply(id, claim(token));
    await ledger.apply(id, input(token));
    waiting = 1;
    expect(await sweepNow()).toEqual([]);
    waiting = 0;
    expect(await sweepNow()).toMatchObject([{ kind: 'turn', runId: id }]);
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
