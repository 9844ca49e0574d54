import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { QUEUES, type Hint, type HintKind } from '#libs/contracts';
import {
  BLOCKING,
  consumeHints,
  HINT_JOB_OPTIONS,
  IMPATIENT,
  openRedis,
  QUEUE_PREFIX,
  type HintConsumer,
} from '#libs/runs';
import { createLogger, inSpan } from '#libs/telemetry';
import { context, propagation, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Dispatcher } from '../libs/runs/src/dispatch/dispatcher.js';
import { Gate } from '../libs/runs/src/dispatch/gate.js';
import type { Work } from '../libs/runs/src/ledger/find-work.js';
import type { Share } from '../libs/runs/src/tenants.js';
import { startRedis } from '../scripts/redis.mjs';
import type { Server } from '../scripts/server.mjs';
import { startTcpProxy } from './support/tcp-proxy.js';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const STATE = '{hammerline}:gate:inference';
const log = createLogger('test', 'fatal');
const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-dispatch-'));
let server: Server;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  server = await startRedis({ dir: folder });
});

beforeEach(async () => {
  const redis = await openRedis(server.url);
  await redis.flushall();
  redis.disconnect();
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const one of opened.splice(0).toReversed()) await one.close();
});

afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A process that offers work, and may follow hints. */
interface Process {
  redis: Redis;
  dispatcher: Dispatcher;
  queues: Record<HintKind, Queue>;
  /** Hints of turns that it has taken and not yet ended, in order. */
  held: { hint: Hint; end: (cost?: number) => void }[];
  events: EventEmitter;
  consume(options?: { concurrency?: number; silentAfterMs?: number }): HintConsumer;
  /** Resolves when it holds so many hints. */
  holds(count: number): Promise<string[]>;
}

async function startProcess(
  share: Share = { weight: 1, maxInWork: null },
  url = server.url,
): Promise<Process> {
  const redis = await openRedis(url, IMPATIENT);
  redis.on('error', () => undefined);
  const queue = (name: string): Queue =>
    new Queue(name, {
      connection: redis,
      prefix: QUEUE_PREFIX,
      defaultJobOptions: HINT_JOB_OPTIONS,
    });
  const queues = { turn: queue(QUEUES.turn), call: queue(QUEUES.call) };
  for (const one of Object.values(queues)) one.on('error', () => undefined);
  const dispatcher = new Dispatcher({ redis, queues, shares: async () => share, log });
  opened.push({
    close: async () => {
      await dispatcher.close();
      redis.disconnect();
    },
  });
  const held: Process['held'] = [];
  const events = new EventEmitter();
  const blocking = await openRedis(server.url, BLOCKING);
  opened.push({ close: () => blocking.disconnect() });
  return {
    redis,
    dispatcher,
    queues,
    held,
    events,
    consume: ({ concurrency = 1, silentAfterMs = 600_000 } = {}) => {
      const consumer = consumeHints({
        kind: 'turn',
        connection: blocking,
        concurrency,
        dispatcher,
        log,
        take: (hint) =>
          new Promise((resolve) => {
            held.push({ hint, end: resolve });
            events.emit('held');
          }),
        onSilent: () => events.emit('silent'),
        silentAfterMs,
      });
      opened.push({
        close: () => {
          for (const one of held.splice(0)) one.end();
          return consumer.close();
        },
      });
      consumer.start();
      return consumer;
    },
    holds: async (count) => {
      while (held.length < count) await once(events, 'held');
      return held.map(({ hint }) => hint.runId);
    },
  };
}

function turn(options: Partial<Work> & { runId?: string } = {}): Work {
  const { runId = uuidv7(), ...rest } = options;
  const place = { priority: 0, turn: 1, deadlineAtMs: 2_000_000_000_000 };
  const hint = { kind: 'turn', runId, traceparent: TRACE } as const;
  return { hint, tenantId: 'tenant', cost: 100, ...place, ...rest };
}

const turns = (count: number): Work[] => Array.from({ length: count }, () => turn());
const runIds = (work: readonly Work[]): string[] => work.map(({ hint }) => hint.runId);
const offerAll = ({ dispatcher }: Process, work: readonly Work[]): Promise<unknown> =>
  Promise.all(work.map((one) => dispatcher.offer(one)));

describe('work that is offered', () => {
  it('reaches who takes it, in order, and is gone from Redis when all is done', async () => {
    const one = await startProcess();
    one.consume({ concurrency: 3 });
    const work = turns(20);
    await offerAll(one, work);
    const seen: string[] = [];
    while (seen.length < work.length) {
      await one.holds(1);
      const next = one.held.shift();
      seen.push(next?.hint.runId ?? '');
      next?.end();
    }
    expect(seen.toSorted()).toEqual(runIds(work));
    await expect.poll(() => one.dispatcher.waiting('turn')).toBe(0);
    await expect.poll(() => one.redis.keys('*:out:*')).toEqual([]);
    await expect.poll(() => one.queues.turn.getActiveCount()).toBe(0);
  });

  it('goes through the gate in one call, where it comes in one turn of the event loop', async () => {
    const one = await startProcess();
    const pass = vi.spyOn(Gate.prototype, 'pass');
    await offerAll(one, turns(50));
    expect(pass).toHaveBeenCalledOnce();
    expect(await one.dispatcher.waiting('turn')).toBe(50);
  });

  it('is known to both queues apart', async () => {
    const one = await startProcess();
    const runId = uuidv7();
    await one.dispatcher.offer(turn({ runId }));
    await one.dispatcher.offer(turn({ hint: { kind: 'call', runId, callId: uuidv7() } }));
    await one.dispatcher.offer(turn({ hint: { kind: 'call', runId, callId: uuidv7() } }));
    expect(await one.dispatcher.waiting('turn')).toBe(1);
    expect(await one.dispatcher.waiting('call')).toBe(2);
    one.dispatcher.setCapacity('call', 4);
    await expect.poll(() => one.queues.call.getWaitingCount()).toBe(2);
    const [job] = await one.queues.call.getWaiting();
    expect(job?.data).toMatchObject({ kind: 'call', runId });
  });

  it('again waits once: before the gate, behind it, and not while it is only in the queue', async () => {
    const one = await startProcess();
    const work = turns(5);
    await offerAll(one, work);
    await offerAll(one, work);
    expect(await one.dispatcher.waiting('turn')).toBe(5);
    one.consume();
    await one.holds(1);
    await expect.poll(() => one.queues.turn.getWaitingCount()).toBe(1);
    await offerAll(one, work.slice(1));
    expect(await one.dispatcher.waiting('turn')).toBe(4);
    // Its holder hands it back: that is no doubling.
    await offerAll(one, work.slice(0, 1));
    expect(await one.dispatcher.waiting('turn')).toBe(5);
  });

  it('later waits in the queue itself, and comes then', async () => {
    const one = await startProcess();
    one.consume();
    const later = turn();
    await one.dispatcher.offer(later, 50);
    expect(await one.queues.turn.getDelayedCount()).toBe(1);
    expect(await one.holds(1)).toEqual(runIds([later]));
  });

  it('and given back goes to another process, before what waits', async () => {
    const one = await startProcess();
    one.consume();
    const work = turns(4);
    await offerAll(one, work);
    await one.holds(1);
    const [first] = one.held;
    if (!first) throw new Error('nothing was taken');
    await one.dispatcher.giveBack(first.hint);
    const other = await startProcess();
    other.consume();
    expect(await other.holds(1)).toEqual([first.hint.runId]);
  });
});

describe('a consumer', () => {
  it('gets as much in advance as it can have in work, and nothing while it is paused', async () => {
    const one = await startProcess();
    await offerAll(one, turns(40));
    const consumer = one.consume({ concurrency: 2 });
    const held = async (): Promise<number> =>
      (await one.dispatcher.waiting('turn')) - (await one.queues.turn.getWaitingCount());
    await one.holds(2);
    expect(await held()).toBeGreaterThanOrEqual(40 - 3 * 2);
    consumer.setConcurrency(4);
    await one.holds(4);
    expect(await held()).toBeGreaterThanOrEqual(40 - 3 * 4);
    consumer.pause();
    await expect.poll(() => one.redis.hget(STATE, 'capacity')).toBe('0');
    const before = await held();
    for (const { end } of one.held.splice(0)) end();
    await expect.poll(() => one.queues.turn.getActiveCount()).toBeLessThanOrEqual(1);
    expect(await held()).toBe(before);
    consumer.resume();
    await one.holds(4);
    one.held.shift()?.end();
    await expect.poll(held).toBeLessThan(before);
  });

  it('of a capped tenant frees a place with each hint that ends, whatever became of it', async () => {
    const one = await startProcess({ weight: 1, maxInWork: 1 });
    one.consume({ concurrency: 5 });
    const work = turns(3);
    await offerAll(one, work);
    const seen: string[] = [];
    for (const { hint } of work) {
      seen.push(...(await one.holds(1)));
      expect(await one.queues.turn.getActiveCount()).toBe(1);
      one.held.shift()?.end();
      expect(seen.at(-1)).toBe(hint.runId);
    }
  });

  it('tells what the work cost', async () => {
    const one = await startProcess();
    const told = vi.spyOn(Gate.prototype, 'pass');
    one.consume();
    await one.dispatcher.offer(turn());
    await one.holds(1);
    one.held.shift()?.end(512);
    await expect
      .poll(() => told.mock.calls.flatMap(([{ finished = [] }]) => finished))
      .toMatchObject([{ cost: 512, ticket: expect.stringMatching(/^t\d+$/) }]);
  });

  it('that goes away leaves nothing to hand out for it', async () => {
    const one = await startProcess();
    const consumer = one.consume({ concurrency: 3 });
    await expect.poll(() => one.redis.hget(STATE, 'capacity')).toBe('3');
    await consumer.close();
    await expect.poll(() => one.redis.hget(STATE, 'capacity')).toBe('0');
  });
});

it('follows a hint that a newer or an older version wrote, and drops one that it cannot read', async () => {
  const one = await startProcess();
  const [newer, older, own] = turns(3) as [Work, Work, Work];
  const { runId } = newer.hint;
  await one.queues.turn.add('turn', { kind: 'turn', runId, traceparent: TRACE, later: { n: 1 } });
  await one.queues.turn.add('other', { kind: 'a later kind', runId: older.hint.runId });
  await one.queues.turn.add('turn', { runs: 'of nobody' });
  await one.queues.turn.add('turn', { kind: 'turn', runId: older.hint.runId });
  one.consume({ concurrency: 3 });
  expect(await one.holds(2)).toEqual([newer.hint.runId, older.hint.runId]);
  await one.dispatcher.offer(own);
  expect(await one.holds(3)).toContain(own.hint.runId);
});

describe('Redis', () => {
  it('away: nobody waits, nothing is thrown, and what ended is told once it is back', async () => {
    const proxy = await startTcpProxy({ target: { port: Number(new URL(server.url).port) } });
    opened.push(proxy);
    const share = { weight: 1, maxInWork: 1 };
    const one = await startProcess(share, `redis://${proxy.host}:${proxy.port}`);
    one.dispatcher.setCapacity('turn', 5);
    const [first, second] = turns(2) as [Work, Work];
    await offerAll(one, [first, second]);
    const [job] = await one.queues.turn.getWaiting();
    proxy.refuse();
    proxy.reset();
    await expect.poll(() => one.redis.status).not.toBe('ready');
    await offerAll(one, turns(3));
    await one.dispatcher.offer(turn(), 100);
    await one.dispatcher.giveBack(first.hint);
    expect(await one.dispatcher.findLoss()).toBeUndefined();
    one.dispatcher.done(first.hint, job?.id ?? '');
    await proxy.accept();
    await expect
      .poll(
        async () => {
          const jobs = await one.queues.turn.getWaiting().catch(() => []);
          return jobs.map(({ data }) => data.runId as string).toSorted();
        },
        { timeout: 10_000 },
      )
      .toEqual(runIds([first, second]));
  });

  it('emptied: it is told until all is offered again, and handed out then', async () => {
    const one = await startProcess();
    const other = await startProcess();
    const fill = async (): Promise<void> => {
      const loss = (await one.dispatcher.findLoss()) ?? '';
      expect(loss).toMatch(/^\w+$/);
      // Whoever was to offer all again has died over it.
      expect(await other.dispatcher.findLoss()).toBe(loss);
      await other.dispatcher.noteFilled(loss);
      expect(await one.dispatcher.findLoss()).toBeUndefined();
    };
    await fill();
    one.consume();
    const work = turns(8);
    await offerAll(one, work);
    await one.holds(1);
    await one.redis.flushall();
    await fill();
    await offerAll(other, work.slice(1));
    const seen = new Set<string>();
    while (seen.size < work.length) {
      for (const id of await one.holds(1)) seen.add(id);
      one.held.shift()?.end();
    }
    expect([...seen].toSorted()).toEqual(runIds(work));
  });

  it('that took a hint out of the gate and did not get it into the queue: it is offered again', async () => {
    const one = await startProcess();
    one.dispatcher.setCapacity('turn', 1);
    vi.spyOn(one.queues.turn, 'addBulk').mockRejectedValueOnce(new Error('connection lost'));
    const work = turn();
    await one.dispatcher.offer(work);
    expect(await one.dispatcher.waiting('turn')).toBe(0);
    await expect
      .poll(
        async () => {
          await one.dispatcher.offer(work);
          return one.queues.turn.getWaitingCount();
        },
        { timeout: 10_000 },
      )
      .toBe(1);
  });
});

describe('spans', () => {
  const exporter = new InMemorySpanExporter();

  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    const spanProcessors = [new SimpleSpanProcessor({ exporter })];
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors }));
  });
  beforeEach(() => exporter.reset());
  afterAll(() => {
    trace.disable();
    context.disable();
    propagation.disable();
  });

  const spans = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name);

  it('of what is sent lie below what is under way in the run, else below the run itself', async () => {
    const one = await startProcess();
    const send = (parent?: string) =>
      inSpan('under way', { kind: SpanKind.SERVER, parent }, () => one.dispatcher.offer(turn()));
    await one.dispatcher.offer(turn());
    await send(TRACE);
    await send();
    const [alone, below, elsewhere] = spans('send inference');
    const [underWay] = spans('under way');
    expect(alone?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
    expect(below?.parentSpanContext?.spanId).toBe(underWay?.spanContext().spanId);
    expect(elsewhere?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
  });

  it('continue where a hint is taken, though another process let it through the gate', async () => {
    const one = await startProcess();
    await one.dispatcher.offer(turn());
    const other = await startProcess();
    other.consume();
    await other.holds(1);
    other.held.shift()?.end();
    await expect.poll(() => spans('process inference')).toHaveLength(1);
    const [sent] = spans('send inference');
    const [taken] = spans('process inference');
    expect(taken?.parentSpanContext?.spanId).toBe(sent?.spanContext().spanId);
    expect(taken?.attributes).toMatchObject({
      'messaging.message.id': expect.stringMatching(/^t/),
    });
  });
});

describe('a consumer that falls silent', () => {
  /** The first BullMQ workers say that they run, and take nothing. */
  const silence = (times: number): void => {
    const resume = vi.spyOn(Worker.prototype, 'resume');
    for (let time = 0; time < times; time++) resume.mockResolvedValueOnce();
    vi.spyOn(Worker.prototype, 'isRunning').mockReturnValue(true);
  };

  it('gets a new BullMQ worker, which takes what waits', async () => {
    silence(1);
    const one = await startProcess();
    const consumer = one.consume({ silentAfterMs: 60 });
    const work = turn();
    await one.dispatcher.offer(work);
    expect(await one.holds(1)).toEqual(runIds([work]));
    expect(consumer.isRunning()).toBe(true);
  });

  it('for good says so, and that it does not run', async () => {
    silence(2);
    const one = await startProcess();
    const consumer = one.consume({ silentAfterMs: 60 });
    const isSilent = once(one.events, 'silent');
    await one.dispatcher.offer(turn());
    expect(consumer.isRunning()).toBe(true);
    await isSilent;
    expect(consumer.isRunning()).toBe(false);
  });

  it('is not one whose queue an operator paused', async () => {
    const one = await startProcess();
    const isWaitedFor = vi.spyOn(one.dispatcher, 'isWaitedFor');
    await one.queues.turn.pause();
    const consumer = one.consume({ silentAfterMs: 30 });
    await one.dispatcher.offer(turn());
    await expect.poll(() => isWaitedFor.mock.calls.length).toBeGreaterThan(10);
    expect(consumer.isRunning()).toBe(true);
    await one.queues.turn.resume();
    await one.holds(1);
  });
});
