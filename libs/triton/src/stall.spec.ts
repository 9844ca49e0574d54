import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { stallWatchdog } from './stall.js';
import type { StreamCall, Transport } from './transport.js';
import { TritonError } from './triton-error.js';

const request = { model: 'm', inputs: [] };

/** Answers after the waits given, then falls silent or ends; a generator, so that leaving it waits for the answer due. */
class Paced implements Transport {
  call: StreamCall | undefined;
  left = false;
  readonly #waits: readonly number[];
  readonly #ends: boolean;

  constructor(waits: readonly number[], { ends = false } = {}) {
    this.#waits = waits;
    this.#ends = ends;
  }

  async unary(): Promise<never> {
    await sleep(10_000);
    return true as never;
  }

  async *stream(call: StreamCall): AsyncGenerator<never> {
    this.call = call;
    const { signal } = call.context;
    const cancelled = new Promise<never>((_, reject) => {
      const fail = (): void => reject(new TritonError('cancelled', 'the call was cancelled'));
      if (signal?.aborted === true) fail();
      signal?.addEventListener('abort', fail);
    });
    try {
      for (const [at, wait] of this.#waits.entries()) {
        await Promise.race([sleep(wait), cancelled]);
        yield at as never;
      }
      if (!this.#ends) await cancelled;
    } finally {
      this.left = true;
    }
  }

  async close(): Promise<void> {}
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function streamOf(
  transport: Transport,
  requests: StreamCall<'ModelStreamInfer'>['requests'] = [request],
  signal?: AbortSignal,
): AsyncIterator<unknown, unknown> {
  const call = {
    operation: 'ModelStreamInfer',
    requests,
    context: { metadata: {}, signal },
  } as const;
  return stallWatchdog(1_000)(transport).stream(call)[Symbol.asyncIterator]();
}

/** What a promise has come to by now. */
async function stateOf(work: Promise<unknown>): Promise<unknown> {
  return Promise.race([work.catch((error: unknown) => error), vi.advanceTimersByTimeAsync(0)]);
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('stallWatchdog', () => {
  it('ends a silent stream, and cancels it at the server', async () => {
    const transport = new Paced([]);
    const answer = streamOf(transport)
      .next()
      .catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(999);
    expect(transport.left).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await answer).toMatchObject({
      code: 'deadline_exceeded',
      reason: 'stalled',
      progress: 'sent',
      operation: 'ModelStreamInfer',
      message: "the stream said nothing for 1000 ms; the model's process may be dead",
    });
    expect(transport.call?.context.signal?.aborted).toBe(true);
    expect(transport.left).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('names the server, if told', async () => {
    const call = { operation: 'ModelStreamInfer', requests: [request], context: { metadata: {} } };
    const watched = stallWatchdog(1_000, 'a:8001')(new Paced([])).stream(call as StreamCall);
    const answer = watched[Symbol.asyncIterator]().next();
    const failed = answer.catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await failed).toMatchObject({ reason: 'stalled', endpoint: 'a:8001' });
  });

  it('starts anew with each answer', async () => {
    const transport = new Paced([900, 900, 900]);
    const answers = streamOf(transport);
    for (let at = 0; at < 3; at++) {
      const answer = answers.next();
      await vi.advanceTimersByTimeAsync(900);
      expect(await answer).toEqual({ done: false, value: at });
    }
    const last = answers.next();
    await vi.advanceTimersByTimeAsync(999);
    expect(await stateOf(last)).not.toBeInstanceOf(TritonError);
    await vi.advanceTimersByTimeAsync(1);
    expect(await stateOf(last)).toMatchObject({ reason: 'stalled', progress: 'answered' });
    expect(await answers.next()).toEqual({ done: true, value: undefined });
  });

  it('does not count the time that the reader takes', async () => {
    const transport = new Paced([0, 900]);
    const answers = streamOf(transport);
    const first = answers.next();
    await vi.advanceTimersByTimeAsync(0);
    await first;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(transport.left).toBe(false);
    const second = answers.next();
    await vi.advanceTimersByTimeAsync(900);
    expect(await second).toEqual({ done: false, value: 1 });
  });

  it('sets no timer for each answer', async () => {
    const set = vi.spyOn(globalThis, 'setTimeout');
    const answers = streamOf(new Paced(Array.from({ length: 500 }, () => 0)));
    for (let at = 0; at < 500; at++) {
      const answer = answers.next();
      await vi.advanceTimersByTimeAsync(0);
      await answer;
    }
    const own = set.mock.calls.filter(([, ms]) => ms === 1_000);
    expect(own).toHaveLength(1);
    set.mockRestore();
  });

  it('leaves a stream alone whose requests are still to come', async () => {
    const gate = Promise.withResolvers<void>();
    async function* requests() {
      yield request;
      await gate.promise;
      yield request;
    }
    const transport = new Paced([0]);
    const answers = streamOf(transport, requests());
    const sent = async () => {
      for await (const _ of transport.call?.requests ?? []);
    };
    const first = answers.next();
    await vi.advanceTimersByTimeAsync(0);
    await first;
    const reading = sent();
    const second = answers.next();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await stateOf(second)).not.toBeInstanceOf(TritonError);
    // Now the server owes the rest.
    gate.resolve();
    await vi.advanceTimersByTimeAsync(999);
    expect(await stateOf(second)).not.toBeInstanceOf(TritonError);
    await vi.advanceTimersByTimeAsync(1);
    expect(await stateOf(second)).toMatchObject({ reason: 'stalled' });
    await reading;
  });

  it('lets a stream end, fail and be left, and holds no timer then', async () => {
    const whole = streamOf(new Paced([0], { ends: true }));
    const first = whole.next();
    await vi.advanceTimersByTimeAsync(0);
    expect(await first).toEqual({ done: false, value: 0 });
    expect(await whole.next()).toEqual({ done: true, value: undefined });

    const transport = new Paced([0, 0]);
    const left = streamOf(transport);
    const one = left.next();
    await vi.advanceTimersByTimeAsync(0);
    await one;
    await left.return?.();
    expect(transport.left).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('can be left while an answer is due', async () => {
    const transport = new Paced([]);
    const answers = streamOf(transport);
    const due = answers.next();
    await vi.advanceTimersByTimeAsync(10);
    const returned = answers.return?.();
    expect(await stateOf(due)).toMatchObject({ code: 'cancelled' });
    expect(await returned).toEqual({ done: true, value: undefined });
    expect(transport.left).toBe(true);
  });

  it('passes on the signal of the caller', async () => {
    const controller = new AbortController();
    const transport = new Paced([]);
    const answer = streamOf(transport, [request], controller.signal).next();
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    expect(await stateOf(answer)).toMatchObject({ code: 'cancelled' });
    expect(vi.getTimerCount()).toBe(0);
    const late = streamOf(new Paced([]), [request], controller.signal).next();
    expect(await stateOf(late)).toMatchObject({ code: 'cancelled' });
  });

  it('does not watch calls that answer once', async () => {
    const answer = stallWatchdog(1_000)(new Paced([])).unary({
      operation: 'ServerLive',
      request: {},
      context: { metadata: {} },
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await answer).toBe(true);
  });

  it.each([0, -1, NaN, Infinity, 2 ** 31])('refuses to wait %d ms', (ms) => {
    expect(() => stallWatchdog(ms)).toThrow(/is no time to wait; give 1 to/);
  });
});
