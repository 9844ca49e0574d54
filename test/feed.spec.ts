import { EventEmitter, once } from 'node:events';
import { HammerlineError, QUEUES, type Run } from '#libs/contracts';
import { promptText } from '#libs/hammer';
import { ModelCard } from '#libs/models';
import {
  BLOCKING,
  consumeHints,
  ensureApiKey,
  Halts,
  HINT_JOB_OPTIONS,
  IMPATIENT,
  openRedis,
  openRuns,
  QUEUE_PREFIX,
  readEvents,
  readRun,
  type HintConsumer,
  type Runs,
} from '#libs/runs';
import { createLogger } from '#libs/telemetry';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fixedLimit } from '../apps/worker/src/feed/limit.js';
import { ModelFeed } from '../apps/worker/src/feed/model-feed.js';
import type { GenerateRequest, Generation, Model } from '../apps/worker/src/models/model.js';
import { createTurnTaker } from '../apps/worker/src/take-turn.js';
import { newRun, TENANT } from './support/ledger.js';
import { startServers, type Servers } from './support/servers.js';

const log = createLogger('test', 'fatal');

let servers: Servers;
const opened: Worker[] = [];

beforeAll(async () => {
  servers = await startServers();
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((worker) => worker.close()));
});

afterAll(async () => {
  await servers?.stop();
});

/** Says at once that no tool fits, unless it is away or told to wait. */
class ScriptedModel implements Model {
  readonly runtime = 'triton';
  card = ModelCard.parse({
    name: 'scripted',
    flavour: 'compact',
    contextTokens: 4_096,
    maskTrained: false,
  });
  servers = 1;
  isAway = false;
  isFull = false;
  readonly prompts: string[] = [];
  readonly told = new EventEmitter();
  readonly held: (() => void)[] = [];
  isHolding = false;
  inFlight = 0;
  most = 0;

  checks = 0;

  async check(): Promise<void> {
    this.checks += 1;
    this.#look();
  }

  #look(): void {
    if (this.isAway) throw new HammerlineError('model_unavailable', 'nobody is there');
    if (this.isFull) throw new HammerlineError('model_overloaded', 'queue full');
  }

  async generate({ prompt, signal }: GenerateRequest): Promise<Generation> {
    this.prompts.push(promptText(prompt));
    this.inFlight += 1;
    this.most = Math.max(this.most, this.inFlight);
    try {
      this.#look();
      if (this.isHolding) {
        await new Promise<void>((resolve, reject) => {
          this.held.push(resolve);
          signal.addEventListener('abort', () => reject(signal.reason as Error));
          this.told.emit('held');
        });
      }
    } finally {
      this.inFlight -= 1;
    }
    const usage = { inputTokens: 1, outputTokens: 1 };
    return { text: '[]', tokens: [], finishReason: 'stop', usage, firstTokenMs: 1 };
  }

  /** Resolves when so many requests are being answered. */
  async holding(count: number): Promise<void> {
    while (this.held.length < count) await once(this.told, 'held');
  }

  release(): void {
    this.isHolding = false;
    for (const answer of this.held.splice(0)) answer();
  }

  async close(): Promise<void> {}
}

interface Worker {
  model: ScriptedModel;
  feed: ModelFeed;
  runs: Runs;
  consumer: HintConsumer;
  queue: Queue;
  close(): Promise<void>;
}

/** A worker in this process, wired as the app is, with a scripted model. */
async function startWorker(
  options: { isAway?: boolean; isHolding?: boolean; limit?: number; leaveWithinMs?: number } = {},
): Promise<Worker> {
  const model = new ScriptedModel();
  model.isAway = options.isAway ?? false;
  model.isHolding = options.isHolding ?? false;
  const connections: Redis[] = [
    await openRedis(servers.redis.url, IMPATIENT),
    await openRedis(servers.redis.url, BLOCKING),
  ];
  const [connection, blocking] = connections as [Redis, Redis];
  const queue = (name: string): Queue =>
    new Queue(name, { connection, prefix: QUEUE_PREFIX, defaultJobOptions: HINT_JOB_OPTIONS });
  const queues = { turn: queue(QUEUES.turn), call: queue(QUEUES.call) };
  const runs = await openRuns({
    service: 'worker',
    databaseUrl: servers.postgres.url,
    redis: connection,
    queues,
    log,
  });
  await ensureApiKey(runs.pool, TENANT, 'a key of the tenant');
  const { limit = 4, leaveWithinMs = 15_000 } = options;
  const feed = new ModelFeed({ model, limit: fixedLimit(limit), log, leaveWithinMs });
  const halts = await Halts.open({ redis: connection, engine: runs.engine, log });
  const consumer = consumeHints({
    kind: 'turn',
    connection: blocking,
    concurrency: feed.concurrency,
    dispatcher: runs.dispatcher,
    onSilent: () => undefined,
    log,
    take: createTurnTaker({ runs, model: feed, halts, log }),
  });
  feed.start(consumer);
  consumer.start();
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const drained = consumer.close();
    await feed.stop();
    await drained;
    await halts.close();
    await Promise.all([queues.turn.close(), queues.call.close()]);
    await runs.close();
    for (const one of connections) one.disconnect();
  };
  const worker = {
    model,
    feed,
    runs,
    consumer,
    queue: queues.turn,
    close: () => (closing ??= close()),
  };
  opened.push(worker);
  return worker;
}

async function submit({ runs }: Worker): Promise<string> {
  const toolset = { name: 'none', hash: 'none', body: { name: 'none', tools: [TOOL] } };
  const run = newRun({ mode: 'resolve', toolset });
  await runs.engine.accept(run);
  return run.id;
}

const TOOL = {
  name: 'nothing',
  description: 'Does nothing.',
  parameters: { type: 'object', properties: {} },
  effect: 'read',
};

/** Looks again and again until it holds: what is waited for happens in the ledger, which tells nobody. */
async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  const giveUp = AbortSignal.timeout(30_000);
  for (;;) {
    giveUp.throwIfAborted();
    const seen = await look();
    if (seen) return seen;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const ended = ({ runs }: Worker, id: string): Promise<Run> =>
  until(async () => {
    const run = await readRun(runs.pool, TENANT, id);
    return run?.endedAt !== undefined && run;
  });

const open = ({ feed }: Worker): Promise<boolean> => until(() => Promise.resolve(feed.isOpen));

const story = async ({ runs }: Worker, id: string): Promise<string[]> =>
  (await readEvents(runs.pool, TENANT, id, 0)).map(({ type }) => type);

const tries = async ({ runs }: Worker, id: string): Promise<object> => {
  const { rows } = await runs.pool.query('SELECT attempt, tries FROM runs WHERE id = $1', [id]);
  return rows[0];
};

describe('a model that is away', () => {
  it('at start: nothing is taken, the worker is not ready; then all runs end', async () => {
    const worker = await startWorker({ isAway: true });
    const ids = await Promise.all([1, 2, 3].map(() => submit(worker)));
    expect(worker.feed.isOpen).toBe(false);
    expect(worker.consumer.isRunning()).toBe(true);
    // Before the gate: what is in the queue would be nobody's to put in order.
    expect(await worker.runs.dispatcher.waiting('turn')).toBe(3);
    expect(await worker.queue.getWaitingCount()).toBe(0);
    worker.model.isAway = false;
    for (const id of ids) expect(await ended(worker, id)).toMatchObject({ outcome: 'irrelevant' });
    expect(worker.feed.isOpen).toBe(true);
    expect(await story(worker, ids[0] ?? '')).toEqual([
      'run.accepted',
      'turn.claimed',
      'turn.resolved',
      'run.ended',
    ]);
  });

  it('when turns are sent: they go back with the reason, cost no try, and end when it is there again', async () => {
    const worker = await startWorker();
    await open(worker);
    worker.model.isAway = true;
    const ids = await Promise.all(Array.from({ length: 8 }, () => submit(worker)));
    const told = { error: { code: 'model_unavailable', message: 'nobody is there' } };
    const first = await until(async () => {
      const { rows } = await worker.runs.pool.query<{ run_id: string; data: object }>(
        `SELECT run_id, data FROM events
         WHERE type = 'turn.delayed' AND run_id = ANY($1) AND data::jsonb @> $2`,
        [ids, told],
      );
      return rows[0];
    });
    expect(first.data).toEqual({ turn: 1, attempt: 1, ...told });
    expect(worker.feed.isOpen).toBe(false);
    expect(await tries(worker, first.run_id)).toEqual({ attempt: 1, tries: 0 });
    worker.model.isAway = false;
    for (const id of ids) expect((await ended(worker, id)).state).toBe('succeeded');
    expect(await tries(worker, first.run_id)).toMatchObject({ tries: 1 });
    // Once open it takes no more: only what was on its way met the absent model.
    const { rows } = await worker.runs.pool.query(
      "SELECT 1 FROM events WHERE type = 'turn.delayed' AND run_id = ANY($1)",
      [ids],
    );
    expect(rows.length).toBeLessThanOrEqual(worker.feed.concurrency + 1);
  });

  it('for one worker is not away for another: it takes the turn over at once', async () => {
    const worker = await startWorker({ limit: 1 });
    await open(worker);
    worker.model.isAway = true;
    const id = await submit(worker);
    await until(async () => (await story(worker, id)).includes('turn.delayed'));
    const other = await startWorker();
    expect(await ended(other, id)).toMatchObject({ state: 'succeeded' });
    expect(worker.feed.isOpen).toBe(false);
  });
});

it('a model that has too much to do: turns rest, cost no try, and end when it has room', async () => {
  const worker = await startWorker();
  await open(worker);
  worker.model.isFull = true;
  const ids = await Promise.all(Array.from({ length: 40 }, () => submit(worker)));
  const delayed = async (): Promise<number> => {
    const { rows } = await worker.runs.pool.query(
      "SELECT FROM events WHERE type = 'turn.delayed' AND run_id = ANY($1)",
      [ids],
    );
    return rows.length;
  };
  const rested = await until(async () => {
    const [hint] = await worker.queue.getDelayed();
    return hint;
  });
  expect(rested.delay).toBeGreaterThanOrEqual(250);
  expect(rested.delay).toBeLessThanOrEqual(750);
  expect(await tries(worker, rested.data.runId)).toEqual({ attempt: 1, tries: 0 });
  expect(worker.feed.isOpen).toBe(false);
  // It takes no more: only what was on its way met the full queue.
  await until(() => Promise.resolve(worker.model.checks >= 3));
  expect(await delayed()).toBeLessThanOrEqual(worker.feed.concurrency + 1);
  worker.model.isFull = false;
  for (const id of ids) expect((await ended(worker, id)).state).toBe('succeeded');
  expect(await tries(worker, rested.data.runId)).toMatchObject({ tries: 1 });
});

it('asks by the card that the model has now, and names the one it asked by', async () => {
  const worker = await startWorker();
  await open(worker);
  await ended(worker, await submit(worker));
  worker.model.card = { ...worker.model.card, name: 'other', flavour: 'bfcl-2.1' };
  worker.model.isHolding = true;
  const id = await submit(worker);
  await worker.model.holding(1);
  worker.model.card = { ...worker.model.card, name: 'third' };
  worker.model.release();
  expect(await ended(worker, id)).toMatchObject({ model: 'other' });
  const [before, after] = worker.model.prompts;
  expect(after).not.toBe(before);
});

it('keeps as many requests at the model as the limit says, and more when it grows', async () => {
  const worker = await startWorker({ isHolding: true, limit: 2 });
  await open(worker);
  const ids = await Promise.all(Array.from({ length: 12 }, () => submit(worker)));
  await worker.model.holding(2);
  await until(async () => (await worker.queue.getActiveCount()) === 3);
  expect(worker.model.most).toBe(2);
  // A full consumer must notice that it may take more, though no turn ends.
  worker.consumer.setConcurrency(7);
  await until(async () => (await worker.queue.getActiveCount()) === 7);
  worker.model.release();
  for (const id of ids) await ended(worker, id);
  expect(worker.model.most).toBe(2);
});

it('hands back what was not yet sent when it stops, and waits for what was', async () => {
  const worker = await startWorker({ isHolding: true, limit: 1 });
  await open(worker);
  const ids = await Promise.all([submit(worker), submit(worker)]);
  await worker.model.holding(1);
  const claimed = async (id: string): Promise<boolean> =>
    (await story(worker, id)).includes('turn.claimed');
  await until(async () => (await Promise.all(ids.map(claimed))).every(Boolean));
  const other = await startWorker({ isHolding: true });
  await open(other);
  const closed = worker.close();
  await other.model.holding(1);
  worker.model.release();
  await closed;
  other.model.release();
  for (const id of ids) expect(await ended(other, id)).toMatchObject({ state: 'succeeded' });
  const stories = await Promise.all(ids.map((id) => story(other, id)));
  expect(stories.filter((types) => types.includes('turn.delayed'))).toHaveLength(1);
});

it('hands back what does not end in time when it stops', async () => {
  const worker = await startWorker({ isHolding: true, limit: 1, leaveWithinMs: 0 });
  await open(worker);
  const id = await submit(worker);
  await worker.model.holding(1);
  await worker.close();
  const other = await startWorker();
  expect(await ended(other, id)).toMatchObject({ state: 'succeeded' });
  expect(await story(other, id)).toContain('turn.delayed');
  expect(await tries(other, id)).toEqual({ attempt: 2, tries: 1 });
});

it('many hints of many runs at two workers: each turn is done once', async () => {
  const workers = [await startWorker({ limit: 8 }), await startWorker({ limit: 8 })];
  const [one] = workers as [Worker];
  const ids = await Promise.all(Array.from({ length: 60 }, () => submit(one)));
  const hints = ids.map((runId) => ({ name: 'turn', data: { kind: 'turn', runId } }));
  await one.queue.addBulk([...hints, ...hints]);
  for (const id of ids) {
    await ended(one, id);
    expect(await story(one, id)).toEqual([
      'run.accepted',
      'turn.claimed',
      'turn.resolved',
      'run.ended',
    ]);
  }
});
