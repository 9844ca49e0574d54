import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Run } from '#libs/contracts';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startStack, type Stack } from '../support/stack.js';
import { startToolServer, type ToolServer } from '../support/tool-server.js';

/** Longer than a process may be silent before others call it dead. */
const LEASE_MS = 6_000;
const PAY = { query: 'Pay the invoice A-17.', toolset: 'desk' };
const LIGHT = { query: 'Switch the light in the kitchen on.', toolset: 'desk' };

let folder: string;
let tools: ToolServer;
let stack: Stack;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'hammerline-desk-'));
  tools = await startToolServer();
  const file = path.join(folder, 'desk.json');
  writeFileSync(file, JSON.stringify(deskToolset(tools.url)));
  stack = await startStack({ toolsets: [file] });
});

afterAll(async () => {
  await stack?.stop();
  await tools?.stop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  tools.effects.length = 0;
});

/** A run whose call has reached its tool, which answers at `tools.release()`. */
async function submitAndHold(body: object): Promise<Run> {
  tools.hold();
  const arrived = tools.arrival(1);
  const run = await stack.submit(body);
  await arrived;
  return run;
}

/** What every run of this file must keep, whatever was killed. */
async function expectDenseEvents(id: string): Promise<void> {
  const events = await stack.events(id);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.filter(({ type }) => type === 'run.ended')).toHaveLength(1);
}

describe('kill -9', () => {
  it('of the worker in the middle of a turn: another takes the turn over, the call is made once', async () => {
    const run = await stack.submit(PAY);
    await stack.event(run.id, 'turn.claimed');
    await stack.apps.worker.kill();
    stack.apps.worker = await stack.startApp('worker');
    const ended = await stack.ended(run.id);
    expect(ended).toMatchObject({ state: 'succeeded', calls: [{ name: 'pay_invoice' }] });
    expect(tools.effects.map(({ key }) => key)).toEqual([ended.calls[0]?.id]);
    const claims = (await stack.events(run.id)).filter(({ type }) => type === 'turn.claimed');
    expect(claims.map(({ data }) => data['attempt'])).toEqual([1, 2]);
    await expectDenseEvents(run.id);
  });

  it('of the executor after a once call was sent: outcome_unknown, never sent again; a person decides', async () => {
    const run = await submitAndHold(PAY);
    await stack.apps.executor.kill();
    tools.release();
    stack.apps.executor = await stack.startApp('executor');
    await stack.event(run.id, 'call.unknown');
    const seen = (await (await stack.request(`/v1/runs/${run.id}`)).json()) as Run;
    expect(seen).toMatchObject({
      state: 'executing',
      calls: [{ state: 'outcome_unknown', attempt: 1, error: { code: 'outcome_unknown' } }],
    });
    const decided = await stack.request(`/v1/runs/${run.id}/calls/${seen.calls[0]?.id}/outcome`, {
      method: 'POST',
      body: JSON.stringify({ outcome: 'succeeded', result: { paid: true } }),
    });
    expect(decided.status).toBe(200);
    expect(await stack.ended(run.id)).toMatchObject({
      state: 'succeeded',
      calls: [{ state: 'succeeded', result: { paid: true }, attempt: 1 }],
    });
    expect(tools.effects).toHaveLength(1);
    await expectDenseEvents(run.id);
  });

  it('of the executor during an idempotent call: made again under the same key', async () => {
    const run = await submitAndHold(LIGHT);
    await stack.apps.executor.kill();
    tools.release();
    stack.apps.executor = await stack.startApp('executor');
    const ended = await stack.ended(run.id);
    expect(ended).toMatchObject({
      state: 'succeeded',
      calls: [{ state: 'succeeded', attempt: 2 }],
    });
    expect(new Set(tools.effects.map(({ key }) => key))).toEqual(new Set([ended.calls[0]?.id]));
    await expectDenseEvents(run.id);
  });

  it('of the gateway after it accepted a run: the run ends, and the same key finds it again', async () => {
    const headers = { 'idempotency-key': 'gateway-killed' };
    const run = await stack.submit(PAY, headers);
    await stack.apps.gateway.kill();
    stack.apps.gateway = await stack.startApp('gateway');
    expect((await stack.submit(PAY, headers)).id).toBe(run.id);
    expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
    expect(tools.effects).toHaveLength(1);
  });
});

describe('Redis', () => {
  it('emptied while runs are queued: every run still ends, each effect once', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => stack.submit(PAY)));
    await stack.event(runs[0]?.id ?? '', 'turn.claimed');
    const redis = new Redis(stack.redis.url);
    await redis.flushall();
    redis.disconnect();
    for (const { id } of runs) {
      expect(await stack.ended(id)).toMatchObject({ state: 'succeeded' });
      await expectDenseEvents(id);
    }
    expect(new Set(tools.effects.map(({ key }) => key)).size).toBe(3);
    expect(tools.effects).toHaveLength(3);
  });

  it('killed and restarted in the middle of a run: the run ends', async () => {
    const run = await stack.submit(PAY);
    await stack.event(run.id, 'turn.claimed');
    await stack.redis.kill();
    await stack.redis.restart();
    expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
    expect(tools.effects).toHaveLength(1);
  });
});

it('Redis rolled back to an old state: what it offers again is done already, and nothing happens twice', async () => {
  const redis = new Redis(stack.redis.url);
  try {
    tools.hold();
    const arrived = tools.arrival(1);
    const runs = await Promise.all([1, 2, 3].map(() => stack.submit(PAY)));
    await arrived;
    const keys = await redis.keys('*');
    const dumps = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
    tools.release();
    for (const { id } of runs) expect(await stack.ended(id)).toMatchObject({ state: 'succeeded' });
    await redis.flushall();
    for (const [at, key] of keys.entries()) {
      const dump = dumps[at];
      if (dump) await redis.restore(key, 0, dump);
    }
    // What comes after goes the whole way, past all that came back.
    const next = await stack.submit(PAY);
    expect(await stack.ended(next.id)).toMatchObject({ state: 'succeeded' });
    expect(tools.effects).toHaveLength(4);
    expect(new Set(tools.effects.map(({ key }) => key)).size).toBe(4);
    for (const { id } of [...runs, next]) await expectDenseEvents(id);
  } finally {
    redis.disconnect();
  }
});

it('processes whose clocks are twenty minutes apart: the ledger’s clock alone counts', async () => {
  // Date is what a program sees of the clock; leases and deadlines must not follow it.
  const shifted = (minutes: number): NodeJS.ProcessEnv => {
    const code = `const now = Date.now; Date.now = () => now() + ${minutes * 60_000};`;
    return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
  };
  const { worker, executor } = stack.apps;
  await Promise.all([worker.stop(), executor.stop()]);
  stack.apps.worker = await stack.startApp('worker', shifted(10));
  stack.apps.executor = await stack.startApp('executor', shifted(-10));
  const run = await stack.submit({ ...PAY, expiresInS: 60 });
  expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
  expect(tools.effects).toHaveLength(1);
  await Promise.all([stack.apps.worker.stop(), stack.apps.executor.stop()]);
  stack.apps.worker = await stack.startApp('worker');
  stack.apps.executor = await stack.startApp('executor');
});

describe('Postgres', () => {
  async function goneForALease(): Promise<void> {
    await stack.postgres.kill();
    // No event tells that a lease has run out: the time itself is what is tested.
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS));
    await stack.postgres.restart();
  }

  it('restarted in the middle of a turn: the run ends, the call is made once', async () => {
    const run = await stack.submit(PAY);
    await stack.event(run.id, 'turn.claimed');
    await stack.postgres.restart();
    expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
    expect(tools.effects).toHaveLength(1);
    await expectDenseEvents(run.id);
  });

  it.each([
    ['restarted', () => stack.postgres.restart()],
    ['gone for longer than a lease', goneForALease],
  ])('%s while a once call is out: its result is kept, not unknown', async (_, trouble) => {
    const run = await submitAndHold(PAY);
    await trouble();
    tools.release();
    expect(await stack.ended(run.id)).toMatchObject({
      state: 'succeeded',
      calls: [{ state: 'succeeded', attempt: 1 }],
    });
    expect(tools.effects).toHaveLength(1);
  });

  it('killed: the gateway answers 503 and accepts nothing, then works again', async () => {
    await stack.postgres.kill();
    const refused = await stack.request('/v1/runs', { method: 'POST', body: JSON.stringify(PAY) });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject({ code: 'unavailable' });
    await stack.postgres.restart();
    const run = await stack.submit(PAY);
    expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
  });
});

it('SIGSTOP of the executor past its lease: another makes the call again, the late result changes nothing', async () => {
  tools.hold();
  const first = tools.arrival(1);
  const second = tools.arrival(2);
  const run = await stack.submit(LIGHT);
  await first;
  const stopped = stack.apps.executor;
  process.kill(stopped.pid, 'SIGSTOP');
  stack.apps.executor = await stack.startApp('executor');
  await second;
  tools.release();
  const ended = await stack.ended(run.id);
  expect(ended).toMatchObject({ state: 'succeeded', calls: [{ state: 'succeeded', attempt: 2 }] });
  const late = stack.logged('executor', 'the result changed nothing');
  process.kill(stopped.pid, 'SIGCONT');
  await late;
  expect(await stack.ended(run.id)).toEqual(ended);
  await expectDenseEvents(run.id);
  await stopped.stop();
});

it('SIGTERM in the middle of a call: the executor drains, records the result and exits 0', async () => {
  const run = await submitAndHold(PAY);
  const { executor } = stack.apps;
  const stopping = stack.logged('executor', 'stopping');
  const stopped = executor.stop();
  await stopping;
  tools.release();
  await stopped;
  expect(await executor.exited).toEqual({ code: 0, signal: null });
  expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
  stack.apps.executor = await stack.startApp('executor');
});

function deskToolset(url: string): object {
  const text = (description: string): object => ({ type: 'string', description });
  return {
    name: 'desk',
    version: '1',
    description: 'An invoice to pay and a light to switch.',
    tools: [
      {
        name: 'pay_invoice',
        description: 'Pay an invoice.',
        parameters: {
          type: 'object',
          properties: { invoice: text('Number of the invoice.') },
          required: ['invoice'],
        },
        executor: { kind: 'http', method: 'POST', url: `${url}/payments` },
      },
      {
        name: 'switch_light',
        description: 'Switch the light in a room on or off.',
        parameters: {
          type: 'object',
          properties: {
            room: text('Name of the room.'),
            state: { type: 'string', enum: ['on', 'off'], description: 'New state of the light.' },
          },
          required: ['room', 'state'],
        },
        effect: 'idempotent',
        executor: { kind: 'http', method: 'PUT', url: `${url}/light` },
      },
    ],
  };
}
