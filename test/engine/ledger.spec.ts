import type { Hint } from '#libs/contracts';
import {
  ensureApiKey,
  openPool,
  readEvents,
  readRun,
  listRuns,
  tenantOfKey,
  type Ledger,
  type NewRun,
  type Pool,
  type RunInput,
} from '#libs/runs';
import { createLogger } from '#libs/telemetry';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sweep, type SweepOptions } from '../../libs/runs/src/dispatch/sweep.js';
import { openLedger } from '../../libs/runs/src/ledger/ledger.js';
import { ProcessEpoch } from '../../libs/runs/src/ledger/process-epoch.js';
import { RunEngine } from '../../libs/runs/src/run-engine.js';
import {
  executing,
  newRun,
  plannedCall,
  resolveTurn,
  startLedger,
  TENANT,
  withoutWalWriter,
  type TestLedger,
} from '../support/ledger.js';

let ground: TestLedger;
let pool: Pool;
let ledger: Ledger;
let holder: ProcessEpoch;
let judging = false;

beforeAll(async () => {
  ground = await startLedger();
  ({ pool } = ground);
  ({ ledger } = ground.open(() => judging));
  holder = await ProcessEpoch.start(pool, 'test');
});

afterAll(async () => {
  await holder?.stop();
  await ground?.stop();
});

async function accepted(over: Partial<NewRun> = {}): Promise<string> {
  const run = newRun(over);
  expect(await ledger.accept(run)).toEqual({ kind: 'accepted' });
  return run.id;
}

const claim = (token = uuidv7()): RunInput => ({ type: 'turn.claim', holder: holder.id, token });

/** A run whose turn resolved to so many calls; returns their ids. */
async function executingCalls(count: number): Promise<{ runId: string; callIds: string[] }> {
  const calls = Array.from({ length: count }, () => plannedCall());
  return { runId: await executing(ledger, calls), callIds: calls.map(({ id }) => id) };
}

it('accepts a run whole: the run, its input and its first event', async () => {
  const id = await accepted();
  expect(await readRun(pool, TENANT, id)).toMatchObject({ id, state: 'queued', query: 'do it' });
  expect(await ledger.turnInput(id)).toEqual({
    messages: [{ role: 'user', content: 'do it' }],
    earlier: [],
  });
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
  const claimAll = async (
    ids: string[],
    { by = ledger, holderId = holder.id }: { by?: Ledger; holderId?: string } = {},
  ) => {
    const claims = ids.map((runId) => ({ runId, token: uuidv7(), holder: holderId }));
    const claimed = await Promise.all(claims.map((one) => by.claimTurn(one)));
    return claimed.filter((turn) => turn !== undefined);
  };
  const row = async (id: string): Promise<object> => {
    const { rows } = await pool.query('SELECT * FROM runs WHERE id = $1', [id]);
    return rows[0];
  };

  it('grants what the reducer grants, in the record, the row and the events', async () => {
    const [one, other] = [await accepted(), await accepted()];
    const token = uuidv7();
    const applied = await ledger.apply(one, claim(token));
    const claimed = await ledger.claimTurn({ runId: other, token, holder: holder.id });
    expect(claimed?.messages).toEqual([{ role: 'user', content: 'do it' }]);
    if (applied.refused) throw new Error(applied.refused);
    // What the ledger sees as it reads is of another moment.
    const { held: _held, msLeft: _ms, ...run } = applied.run;
    expect({ ...claimed?.run, id: one }).toMatchObject(run);
    const stored = async (id: string): Promise<object> => ({
      ...(await row(id)),
      id: null,
      created_at: null,
      due_at: null,
      deadline_at: null,
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
      await set("deadline_at = now() - interval '1 s'"),
      uuidv7(),
    ];
    const before = await Promise.all(others.slice(0, -1).map(row));
    const claimed = await claimAll([...others, ...free].toSorted().toReversed());
    expect(new Set(claimed.map(({ run }) => run.id))).toEqual(new Set(free));
    expect(await Promise.all(others.slice(0, -1).map(row))).toEqual(before);
  });

  it('has one winner for each turn, however many batches race', async () => {
    const ids = await Promise.all(Array.from({ length: 30 }, () => accepted()));
    const orders = Array.from({ length: 8 }, (_, at) => (at % 2 ? ids : ids.toReversed()));
    const holders = orders.map(() => uuidv7());
    const won = await Promise.all(
      orders.map((order, at) => {
        const by = openLedger(pool, () => judging, new AbortController().signal);
        return claimAll(order, { by, holderId: holders[at] ?? '' });
      }),
    );
    expect(won.flatMap((claimed) => claimed.map(({ run }) => run.id)).toSorted()).toEqual(
      ids.toSorted(),
    );
    for (const [at, claimed] of won.entries()) {
      for (const { run } of claimed) {
        expect(run.holder).toBe(holders[at]);
        expect(await row(run.id)).toMatchObject({ holder: holders[at], attempt: 1, version: 2 });
      }
    }
  });

  it('does not wait for the disk, and leaves the connection as it was', async () => {
    const client = openPool({
      databaseUrl: ground.postgres.url,
      service: 'test',
      max: 1,
      onError: () => undefined,
    });
    try {
      const one = openLedger(client, () => false, new AbortController().signal);
      const runId = await accepted();
      await withoutWalWriter(pool, async (isFlushed) => {
        await one.claimTurn({ runId, token: uuidv7(), holder: holder.id });
        expect(await isFlushed()).toBe(false);
      });
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
    const claimed = await ledger.claimTurn({ runId, token, holder: holder.id });
    const asked: string[] = [];
    const watched = {
      query: (query: { name: string; text: string }) => {
        asked.push(query.name);
        return pool.query(query);
      },
    } as unknown as Pool;
    const watching = openLedger(watched, () => false, new AbortController().signal);
    const resolved = await watching.apply(runId, resolveTurn(token, []), claimed?.run);
    expect(resolved).toMatchObject({ run: { state: 'succeeded', outcome: 'irrelevant' } });
    expect(asked).toEqual(['commit-runs']);
  });

  it('is judged by the run as it is when somebody else has moved it on', async () => {
    const runId = await accepted();
    const dead = uuidv7();
    const token = uuidv7();
    const stale = await ledger.claimTurn({ runId, token, holder: dead });
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
      (await ledger.claimTurn({ runId, token, holder: holder.id }))?.run;
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
    expect(delayed).toMatchObject({
      hints: [{ kind: 'turn', dueInMs: 0 }],
      run: { state: 'queued', attempt: 1, tries: 0 },
    });
    expect((await readEvents(pool, TENANT, runId, 2)).at(0)).toMatchObject({
      type: 'turn.delayed',
      data: { error },
    });
  });
});

it('settles calls of one run concurrently, joins once, and keeps the events dense', async () => {
  const { runId, callIds } = await executingCalls(8);
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
  const { runId, callIds } = await executingCalls(1);
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
  await ground.postgres.kill();
  const claimed = ledger.apply(id, claim());
  await ground.postgres.restart();
  expect((await claimed).refused).toBeUndefined();
});

it('accepts once even when Postgres dies while it is asked', async () => {
  const run = newRun();
  await ground.postgres.kill();
  const accepting = ledger.accept(run);
  await ground.postgres.restart();
  expect(await accepting).toEqual({ kind: 'accepted' });
  expect(await readEvents(pool, TENANT, run.id, 0)).toHaveLength(1);
});

it('refuses a key that is another tenant’s', async () => {
  await expect(ensureApiKey(pool, 'rotating', 'key-of-other')).rejects.toThrow(
    /belongs to another/,
  );
});

it('revokes the configured key when another one is configured, and takes it back', async () => {
  await ensureApiKey(pool, 'rotating', 'the first key');
  await ensureApiKey(pool, 'rotating', 'the second key');
  expect(await tenantOfKey(pool, 'the first key')).toBeUndefined();
  expect(await tenantOfKey(pool, 'the second key')).toMatchObject({ tenantId: 'rotating' });
  await ensureApiKey(pool, 'rotating', 'the first key');
  expect(await tenantOfKey(pool, 'the first key')).toMatchObject({ tenantId: 'rotating' });
  expect(await tenantOfKey(pool, 'the second key')).toBeUndefined();
});

describe('the sweep', () => {
  const log = createLogger('test', 'fatal');
  let offered: Hint[] = [];
  /** Sweeps as if the last sweep and every commit were long ago. */
  const sweepNow = async (over: Partial<SweepOptions> = {}): Promise<Hint[]> => {
    offered = [];
    await pool.query("UPDATE sweeps SET swept_at = now() - interval '1 h', number = 0");
    await pool.query("UPDATE runs SET due_at = due_at - interval '1 h' WHERE state = 'queued'");
    await pool.query("UPDATE calls SET ready_at = ready_at - interval '1 h'");
    await sweep({ ...options(), ...over });
    return offered;
  };
  const options = (): SweepOptions => ({
    pool,
    engine: new RunEngine({
      ledger,
      dispatch: {
        offer: async () => undefined,
        offerAgain: async ({ hint }) => {
          offered.push(hint);
        },
      },
      announce: { changed: () => undefined, halted: () => undefined },
      log,
    }),
    redis: {
      isReachable: true,
      findLoss: () => Promise.resolve('emptied'),
      noteFilled: () => Promise.resolve(),
    },
    mayJudge: () => true,
    retentionDays: undefined,
    log,
  });

  beforeEach(async () => {
    await pool.query("UPDATE runs SET state = 'failed', ended_at = now() WHERE ended_at IS NULL");
  });

  it('offers what waits, page by page, and all of it at once where Redis was emptied', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) ids.push(await accepted());
    expect((await sweepNow()).map(({ runId }) => runId)).toEqual(ids);
  });

  it('does not offer what is on its way, held, or due later', async () => {
    await accepted();
    const held = await accepted();
    await ledger.apply(held, claim());
    const later = await accepted();
    await pool.query("UPDATE runs SET due_at = now() + interval '1 day' WHERE id = $1", [later]);
    await pool.query("UPDATE sweeps SET swept_at = now() - interval '1 h'");
    offered = [];
    await sweep(options());
    expect(offered).toEqual([]);
  });

  it('offers a dead holder’s work, and a living one’s never', async () => {
    const abandoned = await accepted();
    await ledger.apply(abandoned, { type: 'turn.claim', holder: uuidv7(), token: uuidv7() });
    const held = await accepted();
    await ledger.apply(held, claim());
    const { runId, callIds } = await executingCalls(1);
    const [callId = ''] = callIds;
    await ledger.apply(runId, { type: 'call.claim', callId, holder: uuidv7(), token: uuidv7() });
    const hints = await sweepNow();
    expect(hints).toHaveLength(2);
    expect(hints).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: 'turn', runId: abandoned }),
        expect.objectContaining({ kind: 'call', runId, callId }),
      ]),
    );
  });

  it('ends what is overdue: calls that have not started are not made', async () => {
    const queued = await accepted();
    const { runId } = await executingCalls(1);
    const overdue = "UPDATE runs SET deadline_at = now() - interval '1 s' WHERE id = ANY ($1)";
    await pool.query(overdue, [[queued, runId]]);
    await sweepNow();
    expect(await readRun(pool, TENANT, queued)).toMatchObject({
      state: 'expired',
      error: { code: 'expired' },
    });
    expect(await readRun(pool, TENANT, runId)).toMatchObject({
      state: 'expired',
      calls: [{ state: 'cancelled' }],
    });
  });

  it('deletes what ended long ago, and nothing else', async () => {
    const old = await accepted({
      idempotency: { key: 'old', bodyHash: Buffer.from('old') },
      toolset: { name: 'old', hash: 'of-old', body: { tools: [] } },
    });
    const recent = await accepted();
    const open = await accepted();
    await ledger.apply(old, { type: 'run.cancel', by: 'test' });
    await ledger.apply(recent, { type: 'run.cancel', by: 'test' });
    await pool.query("UPDATE runs SET ended_at = now() - interval '8 days' WHERE id = $1", [old]);
    await sweepNow({ retentionDays: 7 });
    expect(await readRun(pool, TENANT, old)).toBeUndefined();
    expect(await readEvents(pool, TENANT, old, 0)).toEqual([]);
    expect((await readRun(pool, TENANT, recent))?.state).toBe('cancelled');
    expect((await readRun(pool, TENANT, open))?.state).toBe('queued');
    const { rows } = await pool.query('SELECT hash FROM toolsets WHERE hash = ANY ($1)', [
      ['of-old', 'h1'],
    ]);
    expect(rows).toEqual([{ hash: 'h1' }]);
    // A process that knows the toolset from before sends it anew.
    const again = await accepted({ toolset: { name: 'old', hash: 'of-old', body: { tools: [] } } });
    expect((await readRun(pool, TENANT, again))?.state).toBe('queued');
  });

  it('cancels what a deleted tenant left', async () => {
    await ensureApiKey(pool, 'leaving', 'key-of-leaving');
    const left = await accepted({ tenantId: 'leaving' });
    const other = await accepted();
    await pool.query("UPDATE tenants SET deleted_at = now() WHERE id = 'leaving'");
    expect(await tenantOfKey(pool, 'key-of-leaving')).toBeUndefined();
    await sweepNow();
    expect((await readRun(pool, 'leaving', left))?.state).toBe('cancelled');
    expect((await readRun(pool, TENANT, other))?.state).toBe('queued');
  });

  it('ends what is overdue without Redis, too, and offers nothing then', async () => {
    const overdue = await accepted();
    const waiting = await accepted();
    await pool.query("UPDATE runs SET deadline_at = now() - interval '1 s' WHERE id = $1", [
      overdue,
    ]);
    const { redis } = options();
    expect(await sweepNow({ redis: { ...redis, isReachable: false } })).toEqual([]);
    expect((await readRun(pool, TENANT, overdue))?.state).toBe('expired');
    expect((await sweepNow()).map(({ runId }) => runId)).toEqual([waiting]);
  });

  it('gets past a run that it cannot move', async () => {
    const strange = await accepted();
    const overdue = await accepted();
    await pool.query("UPDATE runs SET deadline_at = now() - interval '1 s' WHERE ended_at IS NULL");
    await pool.query("UPDATE runs SET state = 'of a later version' WHERE id = $1", [strange]);
    await sweepNow();
    expect((await readRun(pool, TENANT, overdue))?.state).toBe('expired');
    expect(await ledger.apply(strange, { type: 'run.cancel', by: 'test' })).toEqual({
      refused: 'unknown_state',
    });
  });

  it('leaves its turn to another process while it may not judge', async () => {
    const id = await accepted();
    expect(await sweepNow({ mayJudge: () => false })).toEqual([]);
    await sweep(options());
    expect(offered.map(({ runId }) => runId)).toEqual([id]);
  });

  it('runs once a second in the whole fleet', async () => {
    await accepted();
    await sweepNow();
    offered = [];
    await sweep(options());
    expect(offered).toEqual([]);
  });
});

it('reads no table whole, though its statements were planned when there was little in them', async () => {
  const { ledger: fresh, pool: own } = ground.open();
  const wholeReadings = async (): Promise<unknown> => {
    await own.query('SELECT pg_stat_force_next_flush()');
    const { rows } = await pool.query(
      "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname IN ('runs', 'calls', 'events', 'inputs') ORDER BY 1",
    );
    return rows;
  };
  const before = await wholeReadings();
  // The sixth time Postgres keeps the plan.
  for (let times = 0; times < 7; times++) {
    const { id } = newRun();
    await fresh.accept(newRun({ id }));
    const turn = { runId: id, token: uuidv7(), holder: holder.id };
    const claimed = await fresh.claimTurn(turn);
    const call = plannedCall();
    await fresh.apply(id, resolveTurn(turn.token, [call]), claimed?.run);
    await fresh.apply(id, { ...turn, type: 'call.claim', callId: call.id });
    expect(await readRun(own, TENANT, id)).toMatchObject({ calls: [{ state: 'started' }] });
  }
  expect(await wholeReadings()).toEqual(before);
});

it('shows a tenant nothing of another', async () => {
  const id = await accepted();
  expect(await readRun(pool, 'other', id)).toBeUndefined();
  expect(await readEvents(pool, 'other', id, 0)).toEqual([]);
  const { runs } = await listRuns(pool, 'other', { limit: 100 });
  expect(runs.map((run) => run.id)).not.toContain(id);
  expect(await tenantOfKey(pool, 'key-of-other')).toMatchObject({ tenantId: 'other' });
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
