import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Run } from '#libs/contracts';
import { Admission, IMPATIENT, openRedis } from '#libs/runs';
import { createLogger } from '#libs/telemetry';
import type { FastifyReply } from 'fastify';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { sendProblem } from '../apps/gateway/src/problem.js';
import { GroupCommit } from '../libs/runs/src/ledger/group-commit.js';
import { startApp } from '../scripts/app.mjs';
import { startRedis } from '../scripts/redis.mjs';
import type { Server } from '../scripts/server.mjs';
import { newRun, startLedger, type TestLedger } from './support/ledger.js';

const KEY = 'key-of-default-as-configured';
const log = createLogger('test', 'fatal');
const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-admission-'));

let ground: TestLedger;
let server: Server;
let redis: Redis;
let gateway: Server;

beforeAll(async () => {
  [ground, server] = await Promise.all([
    startLedger(),
    startRedis({ dir: path.join(folder, 'redis') }),
  ]);
  redis = await openRedis(server.url, IMPATIENT);
  gateway = await startApp({
    name: 'gateway',
    script: 'dist/apps/gateway/src/main.js',
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: ground.postgres.url,
      REDIS_URL: server.url,
      HAMMERLINE_API_KEY: KEY,
      HAMMERLINE_TOOLSETS: 'examples/office',
      PORT: '0',
    },
    log: () => undefined,
  });
});

afterEach(async () => {
  vi.useRealTimers();
  await redis.config('SET', 'maxmemory', '0');
});

afterAll(async () => {
  await gateway?.stop();
  redis?.disconnect();
  await Promise.all([ground?.stop(), server?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const ask = (): Promise<Response> =>
  fetch(new URL('/v1/runs', gateway.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'x', toolset: 'office' }),
  });
const read = (route: string): Promise<Response> =>
  fetch(new URL(route, gateway.url), { headers: { authorization: `Bearer ${KEY}` } });

/** Asks until the answer has this status. */
async function answered(status: number): Promise<Response> {
  for (;;) {
    const response = await ask();
    if (response.status === status) return response;
    await response.arrayBuffer();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function expectUnavailable(response: Response, detail: RegExp): Promise<void> {
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('1');
  expect(await response.json()).toMatchObject({
    code: 'unavailable',
    detail: expect.stringMatching(detail) as string,
  });
}

const openRuns = async (): Promise<number> => {
  const { rows } = await ground.pool.query<{ count: string }>(
    'SELECT count(*) FROM runs WHERE ended_at IS NULL',
  );
  return Number(rows[0]?.count);
};

describe('Redis filled by foreign keys', () => {
  it('stops admission before it is full, says why, lets all else through, and lets runs in again', async () => {
    const { id } = (await (await answered(202)).json()) as Run;
    await redis.config('SET', 'maxmemory', '32mb');
    const foreign = Array.from({ length: 27 }, (_, index) => `foreign-${index}`);
    // One by one: what is on its way counts, too.
    for (const key of foreign) await redis.set(key, 'x'.repeat(1 << 20));
    await expectUnavailable(
      await answered(503),
      /^Redis holds \d+ bytes, over 80 % of its maxmemory \(33554432\)/,
    );
    const before = await openRuns();
    await expectUnavailable(await ask(), /^Redis/);
    expect(await openRuns()).toBe(before);
    expect((await read(`/v1/runs/${id}`)).status).toBe(200);
    const ready = await read('/readyz');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({
      ready: true,
      refusing: expect.stringMatching(/^Redis holds/) as string,
    });
    await redis.del(foreign);
    await answered(202);
    expect(await (await read('/readyz')).json()).not.toHaveProperty('refusing');
  });
});

describe('a ledger', () => {
  it('with as many open runs as allowed takes none, until some have ended', async () => {
    const { pool, ledger } = ground.open();
    const run = newRun();
    await ledger.accept(run);
    const maxOpenRuns = await openRuns();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const roomy = await Admission.open({ redis, pool, maxOpenRuns: maxOpenRuns + 1, log });
    const full = await Admission.open({ redis, pool, maxOpenRuns, log });
    expect(roomy.refusal()).toBeUndefined();
    expect(() => full.check()).toThrow(/MAX_OPEN_RUNS/);
    await ledger.apply(run.id, { type: 'run.cancel', by: 'a test' });
    vi.advanceTimersByTime(10_000);
    while (full.refusal() !== undefined) await new Promise(setImmediate);
    full.check();
    await Promise.all([roomy.close(), full.close()]);
  });

  it('that is out of room is a 503 with a time to come back, and nothing is accepted', async () => {
    const before = await openRuns();
    await ground.pool.query(`
      CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
      CREATE TRIGGER disk_full BEFORE INSERT ON inputs EXECUTE FUNCTION disk_full();`);
    await expectUnavailable(await ask(), /./);
    expect(await openRuns()).toBe(before);
    await ground.pool.query('DROP TRIGGER disk_full ON inputs');
    await answered(202);
  });

  it('behind whose flush too much waits is a 503 with a time to come back', async () => {
    const commits = new GroupCommit<string, void>({
      send: () => new Promise(() => undefined),
      keyOf: (item) => item,
      maxBatch: 1,
      maxWaiting: 1,
    });
    void commits.submit('under way');
    void commits.submit('waits');
    const refused = await commits.submit('one too many').catch((error: unknown) => error);
    const answer: Record<string, unknown> = {};
    const reply = {
      status: (status: number) => Object.assign(answer, { status }) && reply,
      header: (name: string, value: string) => Object.assign(answer, { [name]: value }) && reply,
      send: (body: object) => Object.assign(answer, body) && reply,
    };
    sendProblem(reply as unknown as FastifyReply, refused as Parameters<typeof sendProblem>[1]);
    expect(answer).toMatchObject({ status: 503, 'retry-after': '1', code: 'unavailable' });
  });
});

it('what cannot be asked does not stop admission', async () => {
  const failing = { info: () => Promise.reject(new Error('away')) } as unknown as Redis;
  const { pool } = ground.open();
  const admission = await Admission.open({ redis: failing, pool, maxOpenRuns: 1_000_000, log });
  expect(admission.refusal()).toBeUndefined();
  await admission.close();
});
