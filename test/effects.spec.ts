import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { QUEUES, type Run, type RunEvent } from '#libs/contracts';
import {
  ensureApiKey,
  HINT_JOB_OPTIONS,
  IMPATIENT,
  openRedis,
  openRuns,
  QUEUE_PREFIX,
  readEvents,
  readRun,
  RunNotices,
  type RunInput,
  type Runs,
} from '#libs/runs';
import { createLogger } from '#libs/telemetry';
import { readToolset, type Toolset } from '#libs/tools';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startApp } from '../scripts/app.mjs';
import { freePort } from '../scripts/platform.mjs';
import type { Server } from '../scripts/server.mjs';
import { newRun, plannedCall, resolveTurn, TENANT } from './support/ledger.js';
import { startServers, type Servers } from './support/servers.js';
import { startToolServer, type ToolServer } from './support/tool-server.js';

const log = createLogger('test', 'fatal');

let servers: Servers;
let connection: Redis;
let queues: { turn: Queue; call: Queue };
/** Of the test, which stands in for gateway and worker. */
let runs: Runs;
let notices: RunNotices;
let tools: ToolServer;
/** Where nobody listens, until a test does. */
let closedPort: number;
let toolset: Toolset;
let executor: Server;
const others: Server[] = [];

beforeAll(async () => {
  servers = await startServers();
  const { folder, postgres, redis } = servers;
  connection = await openRedis(redis.url, IMPATIENT);
  const queue = (name: string): Queue =>
    new Queue(name, { connection, prefix: QUEUE_PREFIX, defaultJobOptions: HINT_JOB_OPTIONS });
  queues = { turn: queue(QUEUES.turn), call: queue(QUEUES.call) };
  const databaseUrl = postgres.url;
  runs = await openRuns({ service: 'test', databaseUrl, redis: connection, queues, log });
  notices = new RunNotices({ redis: connection, pool: runs.pool, log });
  await ensureApiKey(runs.pool, TENANT, 'a key of the tenant');
  tools = await startToolServer();
  closedPort = await freePort();
  toolset = deskToolset(tools.url, `http://127.0.0.1:${closedPort}`);
  mkdirSync(path.join(folder, 'files'));
  executor = await startExecutor();
});

afterAll(async () => {
  await Promise.all([executor, ...others].map((one) => one?.stop()));
  await tools?.stop();
  await notices?.close();
  await Promise.all(Object.values(queues ?? {}).map((queue) => queue.close()));
  await runs?.close();
  await servers?.stop();
});

beforeEach(() => {
  tools.effects.length = 0;
});

afterEach(() => tools.release());

function startExecutor(): Promise<Server> {
  return startApp({
    name: 'executor',
    script: 'dist/apps/executor/src/main.js',
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: servers.postgres.url,
      REDIS_URL: servers.redis.url,
      HAMMERLINE_FILES: path.join(servers.folder, 'files'),
      PORT: '0',
    },
    log: () => undefined,
  });
}

/** A run whose turn came to one call of each of these tools; returns its id. */
async function execute(...names: string[]): Promise<string> {
  const calls = names.map((name) => {
    const tool = toolset.tools.find((one) => one.name === name);
    if (!tool) throw new Error(`there is no tool ${name}`);
    const { effect, probe } = tool;
    const hasProbe = probe !== undefined;
    return plannedCall({ name, arguments: { invoice: `of-${name}` }, effect, hasProbe });
  });
  const run = newRun({ toolset: { name: toolset.name, hash: toolset.hash, body: toolset } });
  await runs.engine.accept(run);
  const token = uuidv7();
  await runs.engine.claimTurn({ runId: run.id, holder: runs.epoch.id, token });
  await apply(run.id, resolveTurn(token, calls));
  return run.id;
}

async function apply(runId: string, input: RunInput): Promise<void> {
  expect(await runs.engine.apply(runId, input)).toMatchObject({ run: { id: runId } });
}

const events = (runId: string): Promise<RunEvent[]> => readEvents(runs.pool, TENANT, runId, 0);

/** The run's events, once one of this type is among them. */
async function eventsTo(runId: string, type: RunEvent['type']): Promise<RunEvent[]> {
  const signal = AbortSignal.timeout(60_000);
  const listener = await notices.listen(runId, signal);
  try {
    for (;;) {
      const seen = await events(runId);
      if (seen.some((event) => event.type === type)) return seen;
      if (signal.aborted)
        throw new Error(`no ${type} after ${seen.map((one) => one.type).join(', ')}`);
      await listener.changed(seen.length);
    }
  } finally {
    listener.close();
  }
}

async function read(runId: string): Promise<Run> {
  const run = await readRun(runs.pool, TENANT, runId);
  if (!run) throw new Error(`there is no run ${runId}`);
  return run;
}

async function ended(runId: string): Promise<Run> {
  await eventsTo(runId, 'run.ended');
  return read(runId);
}

const attempts = async (runId: string): Promise<unknown[]> =>
  (await events(runId)).flatMap(({ type, data }) =>
    type === 'call.claimed' ? [data['attempt']] : [],
  );

const keys = (): Set<string> => new Set(tools.effects.map(({ key }) => key));

describe('what may be made again', () => {
  it('a read that met 503 is', async () => {
    tools.script('/invoices?invoice=of-look_up', { status: 503 });
    const runId = await execute('look_up');
    expect(await ended(runId)).toMatchObject({
      state: 'succeeded',
      calls: [{ state: 'succeeded', result: { done: true } }],
    });
    expect(await attempts(runId)).toEqual([1, 2]);
    expect((await events(runId)).find(({ type }) => type === 'call.retried')).toMatchObject({
      data: { attempt: 1, error: { code: 'tool_failed', message: 'HTTP 503: null' } },
    });
    expect(tools.effects).toHaveLength(2);
    expect(keys().size).toBe(1);
  });

  it('a once call that was not sent is: its tool was not there, and then it is', async () => {
    const runId = await execute('pay_late');
    const [retried] = (await eventsTo(runId, 'call.retried')).slice(-1);
    expect(retried?.data['error']).toMatchObject({
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
    const late = await startToolServer(closedPort);
    try {
      expect(await ended(runId)).toMatchObject({ state: 'succeeded' });
      expect(late.effects).toHaveLength(1);
    } finally {
      await late.stop();
    }
  });

  it('a once call that met 500 is not: its run waits until a person has found out', async () => {
    tools.script('/payments', { status: 500, body: 'late' });
    const runId = await execute('pay');
    await eventsTo(runId, 'call.unknown');
    const run = await read(runId);
    expect(run).toMatchObject({
      state: 'executing',
      calls: [{ state: 'outcome_unknown', error: { message: 'HTTP 500: "late"' } }],
    });
    const callId = run.calls[0]?.id ?? '';
    await apply(runId, { type: 'call.decide', callId, by: 'Ann', decision: { state: 'failed' } });
    expect(await ended(runId)).toMatchObject({ state: 'failed', calls: [{ state: 'failed' }] });
    expect(tools.effects).toHaveLength(1);
  });
});

describe('a once call whose outcome is unknown, and whose tool can be asked', () => {
  it.each([
    ['has succeeded where the tool has it', 200, 'succeeded'],
    ['has failed where the tool never had it', 404, 'failed'],
  ] as const)('%s', async (_, status, state) => {
    tools.script('/settled', { status: 500 });
    tools.script('/settled/of-pay_and_ask', { status, body: { paid: 1 } });
    const runId = await execute('pay_and_ask');
    const run = await ended(runId);
    expect(run).toMatchObject({ state, calls: [{ state, attempt: 1 }] });
    const seen = tools.effects.map(({ method, path: at, key }) => ({ method, at, key }));
    const key = run.calls[0]?.id;
    expect(seen).toEqual([
      { method: 'POST', at: '/settled', key },
      { method: 'GET', at: '/settled/of-pay_and_ask', key },
    ]);
  });
});

it('a once call whose tool cannot say what became of it is asked about again later, not at once', async () => {
  tools.script('/settled', { status: 500 });
  tools.script('/settled/of-pay_and_ask', { status: 503 });
  const runId = await execute('pay_and_ask');
  await eventsTo(runId, 'call.probed');
  expect(await read(runId)).toMatchObject({
    state: 'executing',
    calls: [{ state: 'outcome_unknown', attempt: 1 }],
  });
  const { rows } = await runs.pool.query<{ ms: number }>(
    'SELECT extract(epoch FROM ready_at - now())::float * 1000 AS ms FROM calls WHERE run_id = $1',
    [runId],
  );
  expect(rows[0]?.ms).toBeGreaterThan(30_000);
  await apply(runId, { type: 'run.cancel', by: 'Ann' });
});

it('a cancelled run: what is out is ended at its socket, what waits is not begun', async () => {
  tools.hold();
  const arrived = tools.arrival(2);
  const runId = await execute('pay', 'look_up', 'pay_late');
  await arrived;
  await eventsTo(runId, 'call.retried');
  await apply(runId, { type: 'run.cancel', by: 'Ann' });
  await Promise.all(tools.effects.map(({ closed }) => closed));
  expect(await ended(runId)).toMatchObject({
    state: 'cancelled',
    error: { code: 'cancelled', message: 'Cancelled by Ann.' },
    calls: [
      { name: 'pay', state: 'outcome_unknown' },
      { name: 'look_up', state: 'failed', error: { code: 'cancelled' } },
      { name: 'pay_late', state: 'cancelled' },
    ],
  });
  expect(tools.effects).toHaveLength(2);
});

it('a once call whose process was frozen: its late result counts, after the run it is evidence', async () => {
  tools.hold();
  const arrived = tools.arrival(2);
  const [waited, cancelled] = [await execute('pay'), await execute('pay')];
  await arrived;
  process.kill(executor.pid, 'SIGSTOP');
  others.push(await startExecutor());
  await Promise.all([waited, cancelled].map((runId) => eventsTo(runId, 'call.unknown')));
  // The answers lie at its sockets before it can hear of the cancellation.
  tools.release();
  await Promise.all(tools.effects.map(({ answered }) => answered));
  await apply(cancelled, { type: 'run.cancel', by: 'Ann' });
  expect(await read(cancelled)).toMatchObject({ state: 'cancelled' });
  process.kill(executor.pid, 'SIGCONT');
  expect(await ended(waited)).toMatchObject({
    state: 'succeeded',
    calls: [{ state: 'succeeded', attempt: 1, result: { done: true } }],
  });
  const [evidence] = (await eventsTo(cancelled, 'call.evidence')).slice(-1);
  expect(evidence).toMatchObject({
    type: 'call.evidence',
    data: { name: 'pay', state: 'succeeded', result: { done: true } },
  });
  expect(await read(cancelled)).toMatchObject({
    state: 'cancelled',
    calls: [{ state: 'outcome_unknown' }],
  });
  expect(tools.effects).toHaveLength(2);
});

function deskToolset(url: string, away: string): Toolset {
  const tool = (name: string, method: 'GET' | 'POST', at: string, over: object = {}): object => ({
    name,
    description: 'For an invoice.',
    parameters: {
      type: 'object',
      properties: { invoice: { type: 'string' } },
      required: ['invoice'],
    },
    // Nothing but what a test does may end a call.
    timeoutMs: 300_000,
    executor: { kind: 'http', method, url: at },
    ...over,
  });
  return readToolset({
    name: 'desk',
    version: '1',
    tools: [
      tool('look_up', 'GET', `${url}/invoices`),
      tool('pay', 'POST', `${url}/payments`),
      tool('pay_late', 'POST', `${away}/payments`),
      tool('pay_and_ask', 'POST', `${url}/settled`, { probe: { url: `${url}/settled/{invoice}` } }),
    ],
  });
}
