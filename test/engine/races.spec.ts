import { TERMINAL_RUN_STATES, type CallResult } from '#libs/contracts';
import { argumentsHash, readEvents, readRun, type Ledger, type RunInput } from '#libs/runs';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shuffled, seededRandom } from '../support/seeded-random.js';
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

const succeeded: CallResult = { state: 'succeeded', result: 'done' };
const ALIVE = (): boolean => false;
const ALL_DEAD = (): boolean => true;

let ground: TestLedger;

beforeAll(async () => {
  ground = await startLedger();
});

afterAll(() => ground?.stop());

async function eventTypes(runId: string): Promise<string[]> {
  const events = await readEvents(ground.pool, TENANT, runId, 0);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  return events.map(({ type }) => type);
}

async function claimCall(ledger: Ledger, runId: string, callId: string): Promise<string> {
  const token = uuidv7();
  await ledger.apply(runId, { type: 'call.claim', callId, holder: uuidv7(), token });
  return token;
}

it('cancel, expiry, claim, last outcome and approval at once: one end, told once, whoever comes first', async () => {
  const processes = [ground.open().ledger, ground.open().ledger, ground.open().ledger];
  const [ledger] = processes as [Ledger];
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = seededRandom(seed);
    const started = plannedCall({ effect: 'once' });
    const ready = plannedCall({ effect: 'once' });
    const awaiting = plannedCall({ approval: 'always' });
    const runId = await executing(ledger, [started, ready, awaiting]);
    const token = await claimCall(ledger, runId, started.id);
    if (seed % 2) {
      const overdue = "UPDATE runs SET deadline_at = now() - interval '1 s' WHERE id = $1";
      await ground.pool.query(overdue, [runId]);
    }
    const claim = { holder: uuidv7(), token: uuidv7() };
    const approval = { by: 'somebody', argumentsHash: argumentsHash(awaiting) };
    const inputs: RunInput[] = [
      { type: 'run.cancel', by: 'somebody' },
      { type: 'run.expire' },
      { type: 'call.claim', callId: ready.id, ...claim },
      { type: 'call.settle', callId: started.id, token, result: succeeded },
      { type: 'call.approve', callId: awaiting.id, ...approval },
    ];
    await Promise.all(
      shuffled(inputs, random).map((input, at) =>
        (processes[at % 3] ?? ledger).apply(runId, input),
      ),
    );
    // What was claimed before the end is waited for.
    const settle = { callId: ready.id, token: claim.token, result: succeeded };
    await ledger.apply(runId, { type: 'call.settle', ...settle });
    const run = await readRun(ground.pool, TENANT, runId);
    const types = await eventTypes(runId);
    const windsUp = types.findIndex((type) => /^run\.(cancelling|expiring)$/.test(type));
    // Only what was started can have an effect, and only what was not is called off.
    const calls = run?.calls.map(({ state, attempt }) =>
      attempt > 0 ? state === 'succeeded' : state === 'cancelled',
    );
    expect({
      seed,
      types,
      isOver: TERMINAL_RUN_STATES.has(run?.state ?? 'queued'),
      ends: types.filter((type) => type === 'run.ended').length,
      last: types.at(-1),
      startedLate: windsUp >= 0 && types.slice(windsUp).includes('call.claimed'),
      calls,
    }).toEqual({
      seed,
      types,
      isOver: true,
      ends: 1,
      last: 'run.ended',
      startedLate: false,
      calls: [true, true, true],
    });
  }
});

describe('a once call whose process died', () => {
  it('between claim and answer: unknown, and the late answer with its token tells what became of it', async () => {
    const call = plannedCall({ effect: 'once' });
    const { ledger } = ground.open(ALIVE);
    const runId = await executing(ledger, [call]);
    const token = await claimCall(ledger, runId, call.id);
    const { ledger: judge } = ground.open(ALL_DEAD);
    const again = {
      type: 'call.claim',
      callId: call.id,
      holder: uuidv7(),
      token: uuidv7(),
    } as const;
    await judge.apply(runId, again);
    expect(await readRun(ground.pool, TENANT, runId)).toMatchObject({
      state: 'executing',
      calls: [{ state: 'outcome_unknown', attempt: 1 }],
    });
    await ledger.apply(runId, { type: 'call.settle', callId: call.id, token, result: succeeded });
    expect(await readRun(ground.pool, TENANT, runId)).toMatchObject({
      state: 'succeeded',
      calls: [{ state: 'succeeded', result: 'done', attempt: 1 }],
    });
  });

  it('and whose run has ended meanwhile: the answer is kept as evidence, and changes nothing', async () => {
    const call = plannedCall({ effect: 'once' });
    const { ledger } = ground.open(ALL_DEAD);
    const runId = await executing(ledger, [call]);
    const token = await claimCall(ledger, runId, call.id);
    await ledger.apply(runId, { type: 'run.cancel', by: 'somebody' });
    await claimCall(ledger, runId, call.id);
    const ended = await readRun(ground.pool, TENANT, runId);
    expect(ended).toMatchObject({ state: 'cancelled', calls: [{ state: 'outcome_unknown' }] });
    await ledger.apply(runId, { type: 'call.settle', callId: call.id, token, result: succeeded });
    expect(await readRun(ground.pool, TENANT, runId)).toEqual(ended);
    const last = (await readEvents(ground.pool, TENANT, runId, 0)).at(-1);
    expect(last).toMatchObject({
      type: 'call.evidence',
      data: { state: 'succeeded', result: 'done' },
    });
  });

  it('is made again by a person only, and only once its process cannot be making it any more', async () => {
    const call = plannedCall({ effect: 'once' });
    const { ledger } = ground.open(ALIVE);
    const runId = await executing(ledger, [call]);
    const token = await claimCall(ledger, runId, call.id);
    const { ledger: judge } = ground.open(ALL_DEAD);
    await claimCall(judge, runId, call.id);
    const decision = { state: 'retry' } as const;
    const retry = { type: 'call.decide', callId: call.id, by: 'somebody', decision } as const;
    expect(await ledger.apply(runId, retry)).toEqual({ refused: 'held' });
    expect(await judge.apply(runId, retry)).toMatchObject({ hints: [{ callId: call.id }] });
    await claimCall(judge, runId, call.id);
    // The first attempt's answer comes too late: another may be under way.
    await claimCall(judge, runId, call.id);
    const late = { type: 'call.settle', callId: call.id, token, result: succeeded } as const;
    expect(await ledger.apply(runId, late)).toEqual({ refused: 'fenced' });
  });
});

it('a once call whose process told that it does not know may be made again at once, at a person’s word', async () => {
  const call = plannedCall({ effect: 'once' });
  const { ledger } = ground.open(ALIVE);
  const runId = await executing(ledger, [call]);
  const token = await claimCall(ledger, runId, call.id);
  const error = { code: 'outcome_unknown', message: 'HTTP 500' } as const;
  const result = { state: 'outcome_unknown', error } as const;
  await ledger.apply(runId, { type: 'call.settle', callId: call.id, token, result });
  const decision = { state: 'retry' } as const;
  const retry = { type: 'call.decide', callId: call.id, by: 'somebody', decision } as const;
  expect(await ledger.apply(runId, retry)).toMatchObject({ hints: [{ callId: call.id }] });
});

it('what the model asked for stays told, also where a person lets a call go ahead with other arguments', async () => {
  const call = plannedCall({ approval: 'always' });
  const { ledger } = ground.open();
  const runId = await executing(ledger, [call]);
  const told = await readEvents(ground.pool, TENANT, runId, 0);
  await ledger.apply(runId, {
    type: 'call.approve',
    callId: call.id,
    by: 'somebody',
    argumentsHash: argumentsHash(call),
    edited: { b: 44 },
  });
  expect((await readEvents(ground.pool, TENANT, runId, 0)).slice(0, told.length)).toEqual(told);
  expect((await readRun(ground.pool, TENANT, runId))?.calls).toMatchObject([
    { state: 'ready', arguments: { b: 44 }, askedArguments: { b: 1, a: 2 } },
  ]);
});

it('a row that Postgres refuses fails alone: what is flushed with it is committed', async () => {
  const { ledger } = ground.open();
  const good = Array.from({ length: 20 }, () => newRun());
  const poison = newRun({ toolset: { name: 'desk\0', hash: 'h1', body: {} } });
  const first = ledger.accept(newRun());
  // All of these wait for the first, and are one batch.
  const batch = [...good.slice(0, 10), poison, ...good.slice(10)].map((run) => ledger.accept(run));
  const results = await Promise.allSettled([first, ...batch]);
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  expect(results[11]?.status).toBe('rejected');
  for (const { id } of good) expect(await eventTypes(id)).toEqual(['run.accepted']);
  expect(await readRun(ground.pool, TENANT, poison.id)).toBeUndefined();
});

it('two processes that flush the same runs a thousand times: no deadlock, and every event once', async () => {
  const before = await deadlocks();
  const setUp = ground.open().ledger;
  const calls = Array.from({ length: 4 }, () => plannedCall());
  const runIds: string[] = [];
  for (let n = 0; n < 25; n += 1) {
    runIds.push(
      await executing(
        setUp,
        calls.map((call) => ({ ...call, id: uuidv7() })),
      ),
    );
  }
  const callsOf = new Map<string, string[]>();
  for (const id of runIds) {
    callsOf.set(id, (await readRun(ground.pool, TENANT, id))?.calls.map((call) => call.id) ?? []);
  }
  let flushes = 0;
  /** Each claims, hands back and settles all of the runs' calls, in an order of its own. */
  const work = async (seed: number): Promise<void> => {
    const random = seededRandom(seed);
    const { ledger, pool } = ground.open();
    watch(pool, (name) => {
      if (name === 'commit-runs') flushes += 1;
    });
    for (let round = 0; round < 300; round += 1) {
      if (flushes >= 1_000) return;
      await Promise.all(
        shuffled(runIds, random).map(async (runId) => {
          for (const callId of shuffled(callsOf.get(runId) ?? [], random)) {
            const token = await claimCall(ledger, runId, callId);
            await ledger.apply(runId, { type: 'call.release', callId, token });
          }
        }),
      );
    }
  };
  await Promise.all([work(1), work(2)]);
  expect(flushes).toBeGreaterThanOrEqual(1_000);
  expect(await deadlocks()).toBe(before);
  for (const runId of runIds) {
    const types = await eventTypes(runId);
    const claimed = types.filter((type) => type === 'call.claimed').length;
    expect(types.filter((type) => type === 'call.released')).toHaveLength(claimed);
    expect(claimed).toBeGreaterThan(0);
  }
}, 60_000);

async function deadlocks(): Promise<number> {
  const { rows } = await ground.pool.query<{ deadlocks: string }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  );
  return Number(rows[0]?.deadlocks);
}

it('inputs to one run that meet in a process are committed together, in order', async () => {
  const { ledger, pool } = ground.open();
  const calls = Array.from({ length: 6 }, () => plannedCall());
  const runId = await executing(ledger, calls);
  const tokens = await Promise.all(calls.map(({ id }) => claimCall(ledger, runId, id)));
  const commits = await countOf(pool, 'commit-runs', () =>
    Promise.all(
      calls.map(({ id: callId }, at) =>
        ledger.apply(runId, {
          type: 'call.settle',
          callId,
          token: tokens[at] ?? '',
          result: succeeded,
        }),
      ),
    ),
  );
  expect(commits).toBeLessThanOrEqual(2);
  expect(await readRun(ground.pool, TENANT, runId)).toMatchObject({ state: 'succeeded' });
  const types = await eventTypes(runId);
  expect(types.filter((type) => type === 'call.settled')).toHaveLength(6);
});

async function countOf(
  pool: TestLedger['pool'],
  name: string,
  work: () => Promise<unknown>,
): Promise<number> {
  let count = 0;
  watch(pool, (asked) => {
    if (asked === name) count += 1;
  });
  await work();
  return count;
}

/** Tells the name of each statement that is sent. */
function watch(pool: TestLedger['pool'], hear: (name: string | undefined) => void): void {
  const query = pool.query.bind(pool) as (...all: unknown[]) => Promise<unknown>;
  Object.assign(pool, {
    query: (...all: unknown[]) => {
      hear((all[0] as { name?: string }).name);
      return query(...all);
    },
  });
}

it('what a turn came to is on the disk, and each claim of a call, before anybody acts on it', async () => {
  const { ledger } = ground.open();
  await withoutWalWriter(ground.pool, async (isFlushed) => {
    for (const effect of ['read', 'idempotent', 'once'] as const) {
      const call = plannedCall({ effect });
      const runId = await executing(ledger, [call]);
      expect(await isFlushed()).toBe(true);
      const token = await claimCall(ledger, runId, call.id);
      expect(await isFlushed()).toBe(true);
      await ledger.apply(runId, { type: 'call.settle', callId: call.id, token, result: succeeded });
      expect(await isFlushed()).toBe(true);
    }
  });
});

it('a turn that went on is asked with what came of its calls', async () => {
  const { ledger } = ground.open();
  const run = newRun({ until: 'answer' });
  await ledger.accept(run);
  const call = plannedCall();
  const claim = async (): Promise<string> => {
    const token = uuidv7();
    const claimed = await ledger.claimTurn({ runId: run.id, token, holder: uuidv7() });
    expect(claimed).toBeDefined();
    return token;
  };
  await ledger.apply(run.id, resolveTurn(await claim(), [call]));
  const token = await claimCall(ledger, run.id, call.id);
  const settled = await ledger.apply(run.id, {
    type: 'call.settle',
    callId: call.id,
    token,
    result: succeeded,
  });
  expect(settled).toMatchObject({ run: { state: 'queued', turn: 2 }, hints: [{ kind: 'turn' }] });
  expect((await readRun(ground.pool, TENANT, run.id))?.calls).toMatchObject([
    { state: 'succeeded' },
  ]);
  const second = await ledger.claimTurn({ runId: run.id, token: uuidv7(), holder: uuidv7() });
  expect(second).toMatchObject({
    run: { turn: 2, attempt: 1, calls: [] },
    earlier: [{ turn: 1, name: 't', state: 'succeeded', result: 'done' }],
  });
});
