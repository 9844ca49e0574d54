import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import {
  Halts,
  IMPATIENT,
  openRedis,
  readEvents,
  RunNotices,
  type Ledger,
  type NewRun,
  type Pool,
} from '#libs/runs';
import { createLogger } from '#libs/telemetry';
import type { Redis } from 'ioredis';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Announcer } from '../libs/runs/src/dispatch/announcer.js';
import { HALTED_CHANNEL, shardChannel } from '../libs/runs/src/dispatch/channels.js';
import { startApp } from '../scripts/app.mjs';
import { startRedis } from '../scripts/redis.mjs';
import type { Server } from '../scripts/server.mjs';
import { newRun, startLedger, TENANT, type TestLedger } from './support/ledger.js';
import { startTcpProxy, type TcpProxy } from './support/tcp-proxy.js';

const log = createLogger('test', 'fatal');
const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-notices-'));
const NEVER = new AbortController().signal;

let ground: TestLedger;
let pool: Pool;
let ledger: Ledger;
let server: Server;
let redis: Redis;
let announcer: Announcer;
const opened: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  [ground, server] = await Promise.all([
    startLedger(),
    startRedis({ dir: path.join(folder, 'redis') }),
  ]);
  ({ pool } = ground);
  ({ ledger } = ground.open());
  redis = await openRedis(server.url, IMPATIENT);
  announcer = new Announcer(redis, log);
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

afterAll(async () => {
  redis?.disconnect();
  await Promise.all([ground?.stop(), server?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

async function accepted(over: Partial<NewRun> = {}): Promise<string> {
  const run = newRun(over);
  await ledger.accept(run);
  return run.id;
}

/** Claims a run's turn and hands it back: two events. Nobody is told. */
async function step(runId: string): Promise<void> {
  const token = uuidv7();
  const error = { code: 'model_unavailable' as const, message: 'away' };
  await ledger.apply(runId, { type: 'turn.claim', holder: uuidv7(), token });
  await ledger.apply(runId, { type: 'turn.delay', token, error, dueInMs: 0 });
}

const cancel = (runId: string) => ledger.apply(runId, { type: 'run.cancel', by: 'a test' });

/** How many connections hear a channel. */
async function heardBy(channel: string): Promise<unknown> {
  const [, count] = await redis.pubsub('NUMSUB', channel);
  return count;
}

/** A ledger that cannot be asked: whoever is woken with it was told. */
const away = { query: () => Promise.reject(new Error('away')) } as unknown as Pool;

function openNotices(options: { pool?: Pool; redis?: Redis } = {}): RunNotices {
  const notices = new RunNotices({ redis, pool: away, log, ...options });
  opened.push(notices);
  return notices;
}

describe('a listener', () => {
  it('is heard from the moment it is there, on every shard', async () => {
    const notices = openNotices();
    const runIds = Array.from({ length: 100 }, () => uuidv7());
    const channels = new Set(runIds.map(shardChannel));
    expect(channels.size).toBeGreaterThan(32);
    await Promise.all(
      runIds.map(async (runId) => {
        const listener = await notices.listen(runId, NEVER);
        expect(await heardBy(shardChannel(runId))).toBe(1);
        announcer.changed({ runId, version: 2, isOver: false });
        await listener.changed(1);
      }),
    );
  });

  it('is not woken for what it has read, nor for the steps of a run whose end it awaits', async () => {
    const notices = openNotices();
    const runId = uuidv7();
    const woken: string[] = [];
    const watch = async (name: string, after: number, awaits: 'change' | 'end') => {
      const listener = await notices.listen(runId, NEVER, awaits);
      return listener.changed(after).then(() => woken.push(name));
    };
    const all = Promise.all([
      watch('read up to 3', 3, 'change'),
      watch('read up to 5', 5, 'change'),
      watch('awaits the end', 0, 'end'),
    ]);
    const probe = await notices.listen(runId, NEVER);
    for (const [version, isOver, expected] of [
      [3, false, []],
      [5, false, ['read up to 3']],
      [4, false, ['read up to 3']],
      [6, true, ['read up to 3', 'read up to 5', 'awaits the end']],
    ] as const) {
      announcer.changed({ runId, version, isOver });
      await probe.changed(0);
      await new Promise(setImmediate);
      expect(woken).toEqual(expected);
    }
    await all;
  });

  it('learns of what came while it was reading', async () => {
    const notices = openNotices();
    const runId = uuidv7();
    const listener = await notices.listen(runId, NEVER);
    const probe = await notices.listen(runId, NEVER);
    announcer.changed({ runId, version: 7, isOver: false });
    await probe.changed(0);
    await expect(listener.changed(6)).resolves.toBeUndefined();
  });

  it('is found by its id however that is written, and let go by its signal and after its time', async () => {
    const notices = openNotices();
    const runId = uuidv7();
    const upper = await notices.listen(runId.toUpperCase(), NEVER);
    announcer.changed({ runId, version: 1, isOver: false });
    await upper.changed(0);
    const gone = new AbortController();
    const waiting = (await notices.listen(runId, gone.signal)).changed(1);
    gone.abort();
    await expect(waiting).resolves.toBeUndefined();
    await expect(upper.changed(1, 1)).resolves.toBeUndefined();
  });

  it('lives on after messages of another version', async () => {
    const notices = openNotices();
    const runId = uuidv7();
    const listener = await notices.listen(runId, NEVER);
    const channel = shardChannel(runId);
    for (const text of ['', '{', '7', '[null]', `[{"runId":"${runId}"}]`, `["${runId}"]`]) {
      await redis.publish(channel, text);
    }
    announcer.changed({ runId, version: 1, isOver: false });
    await expect(listener.changed(0)).resolves.toBeUndefined();
  });
});

describe('a shard', () => {
  it('is heard on for a minute after its last listener left', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const notices = openNotices();
      const runId = uuidv7();
      const channel = shardChannel(runId);
      const first = await notices.listen(runId, NEVER);
      first.close();
      vi.advanceTimersByTime(59_000);
      // What was sent on that connection has arrived once a later subscription has.
      let other = uuidv7();
      while (shardChannel(other) === channel) other = uuidv7();
      await notices.listen(other, NEVER);
      expect(await heardBy(channel)).toBe(1);
      const second = await notices.listen(runId, NEVER);
      vi.advanceTimersByTime(10_000);
      expect(await heardBy(channel)).toBe(1);
      second.close();
      vi.advanceTimersByTime(60_000);
      while ((await heardBy(channel)) !== 0) await new Promise(setImmediate);
      await notices.listen(runId, NEVER);
      expect(await heardBy(channel)).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a lost notice', () => {
  it('is made up for by one query for all that are watched', async () => {
    const { pool: own } = ground.open();
    const query = vi.spyOn(own, 'query');
    const notices = openNotices({ pool: own });
    const runIds = await Promise.all([1, 2, 3].map(() => accepted()));
    const listeners = await Promise.all(
      runIds.map((id, index) => notices.listen(id, NEVER, index === 0 ? 'end' : 'change')),
    );
    await cancel(runIds[0] ?? '');
    await Promise.all(runIds.slice(1).map(step));
    await Promise.all(listeners.map((listener) => listener.changed(1)));
    const asked = query.mock.calls.map(
      ([options]) => (options as unknown as { values: unknown }).values,
    );
    expect(asked.at(-1)).toEqual([runIds]);
    for (const listener of listeners) listener.close();
  });

  it('in a row of numbers costs nothing: what is read is all since the last one read', async () => {
    const notices = openNotices();
    const runId = await accepted();
    const listener = await notices.listen(runId, NEVER);
    // The notices of 2 to 4 are lost.
    await step(runId);
    await step(runId);
    announcer.changed({ runId, version: 5, isOver: false });
    await listener.changed(1);
    const read = await readEvents(pool, TENANT, runId, 1);
    expect(read.map(({ seq }) => seq)).toEqual([2, 3, 4, 5]);
  });

  it('while Redis is away: nobody waits for it, and it is heard again when it is back', async () => {
    const proxy = await startTcpProxy({ target: { port: Number(new URL(server.url).port) } });
    const through = await openRedis(`redis://${proxy.host}:${proxy.port}`, IMPATIENT);
    through.on('error', () => undefined);
    const { pool: own } = ground.open();
    const notices = openNotices({ pool: own, redis: through });
    const runId = await accepted();
    const early = await notices.listen(runId, NEVER);
    proxy.refuse();
    proxy.reset();
    const late = await notices.listen(uuidv7(), NEVER);
    await step(runId);
    await expect(early.changed(1)).resolves.toBeUndefined();
    await proxy.accept();
    while ((await heardBy(shardChannel(runId))) !== 1) await new Promise(setImmediate);
    late.close();
    through.disconnect();
    await opened.pop()?.close();
    await proxy.close();
  });
});

describe('work on a run that is halted', () => {
  const silent = { ledger: { findHalted: () => Promise.reject(new Error('away')) } };
  const open = async (engine: object = silent): Promise<Halts> => {
    const halts = await Halts.open({ redis, engine: engine as { ledger: Ledger }, log });
    opened.push(halts);
    return halts;
  };
  const stopped = (signal: AbortSignal): Promise<unknown> =>
    signal.aborted ? Promise.resolve() : once(signal, 'abort');

  it('is stopped by a message, and no other', async () => {
    const halts = await open();
    const [runId, other] = [uuidv7(), uuidv7()];
    const [one, two, neighbour] = [halts.watch(runId), halts.watch(runId), halts.watch(other)];
    await redis.publish(HALTED_CHANNEL, '[7, null]');
    announcer.halted(runId);
    await Promise.all([stopped(one.signal), stopped(two.signal)]);
    expect(one.signal.reason).toMatchObject({ name: 'HammerlineError', code: 'cancelled' });
    expect(neighbour.signal.aborted).toBe(false);
    // Whoever begins now must not.
    expect(halts.watch(runId).signal.aborted).toBe(true);
  });

  it('is stopped by one query for all that is watched, where the message is lost', async () => {
    const findHalted = vi.fn<Ledger['findHalted']>((runIds) => ledger.findHalted(runIds));
    const halts = await open({ ledger: { findHalted } });
    const [runId, other] = [await accepted(), await accepted()];
    const [one, neighbour, done] = [halts.watch(runId), halts.watch(other), halts.watch(uuidv7())];
    done.release();
    await cancel(runId);
    await stopped(one.signal);
    expect(findHalted.mock.lastCall).toEqual([[runId, other]]);
    expect(neighbour.signal.aborted).toBe(false);
  });

  it('is watched until all who watch it have released it', async () => {
    const halts = await open();
    const runId = uuidv7();
    const [one, two] = [halts.watch(runId), halts.watch(runId)];
    one.release();
    one.release();
    announcer.halted(runId);
    await stopped(two.signal);
    two.release();
    expect(halts.watch(runId).signal.aborted).toBe(false);
  });
});

describe('a gateway', () => {
  const KEY = 'key-of-default-as-configured';
  let proxy: TcpProxy;
  let gateway: Server;

  beforeAll(async () => {
    proxy = await startTcpProxy({ target: { port: Number(new URL(server.url).port) } });
    gateway = await startGateway();
  });
  afterAll(async () => {
    await gateway?.stop();
    await proxy?.close();
  });

  const startGateway = (): Promise<Server> =>
    startApp({
      name: 'gateway',
      script: 'dist/apps/gateway/src/main.js',
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: ground.postgres.url,
        REDIS_URL: `redis://${proxy.host}:${proxy.port}`,
        HAMMERLINE_API_KEY: KEY,
        HAMMERLINE_TOOLSETS: 'examples/office',
        PORT: '0',
      },
      log: () => undefined,
    });
  const request = (by: Server, route: string, init: RequestInit = {}): Promise<Response> =>
    fetch(new URL(route, by.url), {
      ...init,
      headers: { authorization: `Bearer ${KEY}`, ...(init.headers as Record<string, string>) },
    });
  const stream = (by: Server, id: string, after: number): Promise<Response> =>
    request(by, `/v1/runs/${id}/events`, { headers: { 'last-event-id': String(after) } });

  /** The numbers of the next `count` events of a stream, which is then dropped; of fewer where it ends. */
  async function take(response: Response, count = Infinity): Promise<number[]> {
    const seen: number[] = [];
    let text = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const id = /^id: (\d+)$/m.exec(block)?.[1];
        if (id !== undefined) seen.push(Number(id));
        if (seen.length >= count) return seen;
      }
    }
    return seen;
  }

  /** A connection on which the beginning of a request was sent. */
  async function begin(by: Server, text: string): Promise<Socket> {
    const { hostname, port } = new URL(by.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(text);
    return socket;
  }

  it('whose reader reconnects all the time, and to which nothing is told, shows dense numbers', async () => {
    const id = await accepted();
    proxy.setFaults({ down: { blackHole: true } });
    const seen = [1];
    for (const [move, events] of [
      [step, 2],
      [step, 2],
      [cancel, 1],
    ] as const) {
      const response = await stream(gateway, id, seen.length);
      await move(id);
      seen.push(...(await take(response, events)));
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await stream(gateway, id, 6)).status).toBe(204);
    proxy.setFaults({});
  });

  it('that stops is not ready, answers who waits, ends streams, waits for nobody for long, exits 0', async () => {
    const stopped = await startGateway();
    const id = await accepted();
    const streamed = take(await stream(stopped, id, 0));
    const waited = request(stopped, '/v1/runs', {
      method: 'POST',
      headers: { prefer: 'wait=60', 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'x', toolset: 'office' }),
    });
    const head = `POST /v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n`;
    const type = 'content-type: application/json\r\ncontent-length: 100\r\n\r\n{';
    const neverWhole = await begin(stopped, head + type);
    const late = await begin(stopped, 'GET /readyz HTTP/1.1\r\nhost: x\r\n');
    const waiting = await until(async () => {
      const found = "SELECT id FROM runs WHERE toolset_name = 'office'";
      return (await pool.query<{ id: string }>(found)).rows[0]?.id;
    });

    const gone = stopped.stop();
    expect(await streamed).toEqual([1]);
    late.write('\r\n');
    expect(await textOf(late)).toMatch(/^HTTP\/1.1 503 [^]*"running":"failed"/);
    const answer = await waited;
    expect(answer.status).toBe(202);
    expect(await answer.json()).toMatchObject({ id: waiting, state: 'queued' });
    await gone;
    expect(await stopped.exited).toEqual({ code: 0, signal: null });
    neverWhole.destroy();
    await cancel(id);
    expect(await take(await stream(gateway, id, 1))).toEqual([2]);
  });

  it('that stops while Redis and the ledger are away exits 0', async () => {
    await Promise.all([server.kill(), ground.postgres.kill()]);
    await gateway.stop();
    expect(await gateway.exited).toEqual({ code: 0, signal: null });
    await Promise.all([server.restart(), ground.postgres.restart()]);
  });
});

/** Looks again and again until it holds: what is waited for happens in the ledger, which tells nobody. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
