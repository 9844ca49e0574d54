import { HammerlineError } from '#libs/contracts';
import { createLogger } from '#libs/telemetry';
import { ModelCard } from '#libs/models';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { GenerateRequest, Generation, Model } from '../models/model.js';
import { fixedLimit, type Limit, type Sample } from './limit.js';
import { ModelFeed } from './model-feed.js';

const generation: Generation = {
  text: '[]',
  tokens: [],
  finishReason: 'stop',
  usage: { inputTokens: 7, outputTokens: 3 },
  firstTokenMs: 1,
};

/** A model whose requests stay open until the test settles them. */
class FakeModel implements Model {
  readonly runtime = 'triton';
  readonly card = ModelCard.parse({
    name: 'fake',
    flavour: 'compact',
    contextTokens: 4_096,
    maskTrained: false,
  });
  servers = 1;
  fault: HammerlineError | undefined;
  readonly asked: {
    request: GenerateRequest;
    answer: () => void;
    fail: (error: Error) => void;
  }[] = [];

  check(): Promise<void> {
    return this.fault ? Promise.reject(this.fault) : Promise.resolve();
  }
  generate(request: GenerateRequest): Promise<Generation> {
    return new Promise((resolve, reject) => {
      this.asked.push({ request, answer: () => resolve(generation), fail: reject });
      request.signal.addEventListener('abort', () => reject(request.signal.reason as Error));
    });
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}

class TestLimit implements Limit {
  current = 2;
  servers = 0;
  refusals = 0;
  canFall = true;
  readonly samples: Sample[] = [];

  setServers(servers: number): void {
    this.servers = servers;
  }
  record(sample: Sample): void {
    this.samples.push(sample);
  }
  refused(): boolean {
    this.refusals += 1;
    return this.canFall;
  }
}

let model: FakeModel;
let limit: TestLimit;
let feed: ModelFeed;
let consumer: { concurrency: number; isPaused: boolean };

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  model = new FakeModel();
  limit = new TestLimit();
  feed = new ModelFeed({ model, limit, log: createLogger('test', 'fatal') });
  consumer = { concurrency: 0, isPaused: false };
  feed.start({
    setConcurrency: (concurrency) => (consumer.concurrency = concurrency),
    pause: () => (consumer.isPaused = true),
    resume: () => (consumer.isPaused = false),
  });
  await vi.advanceTimersByTimeAsync(1);
});

afterEach(async () => {
  await feed.stop();
  vi.useRealTimers();
});

/** Requests a generation; what came of it can be looked at later. */
function ask(
  signal = new AbortController().signal,
  of = feed,
): { came: unknown; done: Promise<void> } {
  const asked: { came: unknown; done: Promise<void> } = {
    came: undefined,
    done: Promise.resolve(),
  };
  const prompt = { prefix: [], suffix: [] };
  asked.done = of.generate({ prompt, maxTokens: 8, signal }).then(
    (answer) => void (asked.came = answer),
    (error: unknown) => void (asked.came = error),
  );
  return asked;
}

const unavailable = (): HammerlineError => new HammerlineError('model_unavailable', 'away');

describe('at the model', () => {
  it('are as many requests as the limit says; the others follow in order', async () => {
    const all = [ask(), ask(), ask(), ask()];
    await vi.advanceTimersByTimeAsync(0);
    expect(model.asked).toHaveLength(2);
    model.asked[1]?.answer();
    await all[1]?.done;
    expect(model.asked).toHaveLength(3);
    limit.current = 3;
    model.asked[0]?.answer();
    await all[0]?.done;
    expect(model.asked).toHaveLength(4);
    expect(limit.samples).toMatchObject([
      { inFlight: 2, inputTokens: 7, outputTokens: 3, firstTokenMs: 1 },
      { inFlight: 2 },
    ]);
  });

  it('an aborted request leaves the row, and one that is there is told', async () => {
    const first = new AbortController();
    const third = new AbortController();
    const asked = [ask(first.signal), ask(), ask(third.signal), ask()];
    await vi.advanceTimersByTimeAsync(0);
    third.abort(new Error('gone'));
    await asked[2]?.done;
    expect(asked[2]?.came).toEqual(new Error('gone'));
    first.abort(new Error('gone too'));
    await asked[0]?.done;
    expect(asked[0]?.came).toEqual(new Error('gone too'));
    expect(model.asked).toHaveLength(3);
  });

  it('a request has three minutes, which begin when it is sent', async () => {
    limit.current = 1;
    const [one, next] = [ask(), ask()];
    await vi.advanceTimersByTimeAsync(179_000);
    expect(one.came).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(one.came).toMatchObject({ code: 'model_failed' });
    await vi.advanceTimersByTimeAsync(179_000);
    expect(next.came).toBeUndefined();
  });
});

describe('a request that was given up', () => {
  it('ends at the model, and says nothing of it', async () => {
    const halts = Array.from({ length: 5 }, () => new AbortController());
    limit.current = 5;
    const asked = halts.map(({ signal }) => ask(signal));
    await vi.advanceTimersByTimeAsync(0);
    const cancelled = new HammerlineError('cancelled', 'its run was cancelled');
    for (const halt of halts) halt.abort(cancelled);
    for (const { done } of asked) await done;
    expect(asked.map(({ came }) => came)).toEqual(halts.map(() => cancelled));
    expect(model.asked.every(({ request }) => request.signal.aborted)).toBe(true);
    expect([limit.samples, limit.refusals, feed.isOpen]).toEqual([[], 0, true]);
  });

  it('leaves nothing that listens to what outlives it', async () => {
    const { signal } = new AbortController();
    const listeners = vi.spyOn(signal, 'removeEventListener');
    const added = vi.spyOn(signal, 'addEventListener');
    const asked = ask(signal);
    await vi.advanceTimersByTimeAsync(0);
    // The fake model listens to the signal that it was given, which must be another.
    model.asked[0]?.answer();
    await asked.done;
    expect(listeners).toHaveBeenCalledTimes(added.mock.calls.length);
    expect(added).toHaveBeenCalled();
  });
});

describe('the consumer', () => {
  it('takes a quarter more turns than the limit says, at least one more', async () => {
    expect(consumer.concurrency).toBe(3);
    limit.current = 40;
    model.servers = 4;
    const asked = ask();
    await vi.advanceTimersByTimeAsync(0);
    model.asked[0]?.answer();
    await asked.done;
    expect(consumer.concurrency).toBe(50);
    expect(limit.servers).toBe(4);
  });

  it('takes nothing before the model has passed its check', async () => {
    const slow = new ModelFeed({ model, limit, log: createLogger('test', 'fatal') });
    model.fault = new HammerlineError('model_refused', 'no such adapter');
    const told: string[] = [];
    slow.start({
      setConcurrency: () => undefined,
      pause: () => told.push('pause'),
      resume: () => told.push('resume'),
    });
    await vi.advanceTimersByTimeAsync(60_000);
    expect([told, slow.isOpen]).toEqual([['pause'], false]);
    model.fault = undefined;
    await vi.advanceTimersByTimeAsync(6_000);
    expect([told, slow.isOpen]).toEqual([['pause', 'resume'], true]);
    await slow.stop();
  });

  it('is paused when no server takes a request; what waited is handed back, what was sent goes on', async () => {
    const asked = [ask(), ask(), ask()];
    await vi.advanceTimersByTimeAsync(0);
    model.fault = unavailable();
    model.asked[0]?.fail(unavailable());
    await asked[0]?.done;
    await asked[2]?.done;
    expect([consumer.isPaused, feed.isOpen]).toEqual([true, false]);
    expect(asked[2]?.came).toMatchObject({ code: 'model_unavailable', message: 'away' });
    const late = ask();
    await late.done;
    expect(late.came).toMatchObject({ code: 'model_unavailable' });
    model.asked[1]?.answer();
    await asked[1]?.done;
    expect(asked[1]?.came).toBe(generation);
    model.fault = undefined;
    await vi.advanceTimersByTimeAsync(6_000);
    expect([consumer.isPaused, feed.isOpen]).toEqual([false, true]);
  });
});

describe('a server that has too much to do', () => {
  const full = (): HammerlineError => new HammerlineError('model_overloaded', 'queue full');

  it('lowers the limit, and is not away while the limit can fall', async () => {
    const asked = [ask(), ask()];
    await vi.advanceTimersByTimeAsync(0);
    model.asked[1]?.fail(full());
    await asked[1]?.done;
    expect(asked[1]?.came).toEqual(full());
    expect([limit.refusals, feed.isOpen]).toEqual([1, true]);
  });

  it('is left alone for a while when the limit cannot fall', async () => {
    limit.canFall = false;
    const asked = [ask(), ask(), ask()];
    await vi.advanceTimersByTimeAsync(0);
    model.asked[0]?.fail(full());
    await asked[0]?.done;
    await asked[2]?.done;
    expect([limit.refusals, feed.isOpen, consumer.isPaused]).toEqual([1, false, true]);
    expect(model.asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([feed.isOpen, consumer.isPaused]).toEqual([true, false]);
  });

  it('is left alone for a while under a limit that an operator chose', async () => {
    const fixed = new ModelFeed({
      model,
      limit: fixedLimit(2),
      log: createLogger('test', 'fatal'),
    });
    fixed.start({ setConcurrency: () => 0, pause: () => 0, resume: () => 0 });
    await vi.advanceTimersByTimeAsync(1);
    const asked = ask(undefined, fixed);
    await vi.advanceTimersByTimeAsync(0);
    model.asked[0]?.fail(full());
    await asked.done;
    expect(fixed.isOpen).toBe(false);
    await fixed.stop();
  });
});

it('sends nothing more once it stops: what waits is handed back, what was sent is waited for', async () => {
  const asked = [ask(), ask(), ask()];
  await vi.advanceTimersByTimeAsync(0);
  await feed.stop();
  await asked[2]?.done;
  expect(asked[2]?.came).toMatchObject({ code: 'model_unavailable' });
  expect(feed.isOpen).toBe(false);
  model.asked[0]?.answer();
  await asked[0]?.done;
  expect(asked[0]?.came).toBe(generation);
  expect(model.asked).toHaveLength(2);
});

it('gives what is at the model fifteen seconds when it stops, and then ends it to be handed back', async () => {
  const asked = ask();
  await vi.advanceTimersByTimeAsync(0);
  await feed.stop();
  await vi.advanceTimersByTimeAsync(14_999);
  expect(asked.came).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(asked.came).toMatchObject({ code: 'model_unavailable' });
  expect(model.asked[0]?.request.signal.aborted).toBe(true);
});
