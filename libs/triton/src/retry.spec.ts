import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { retries, type RetryOptions } from './retry.js';
import type { CallContext, StreamCall, Transport, UnaryCall } from './transport.js';
import { TritonError, type TritonErrorCode, type TritonErrorOptions } from './triton-error.js';

type Outcome = TritonError | 'answer';

/** Gives the outcomes one after the other, then answers; `seen` has each attempt's context and time. */
class Scripted implements Transport {
  readonly seen: { context: CallContext; at: number }[] = [];
  readonly #outcomes: Outcome[];

  constructor(...outcomes: Outcome[]) {
    this.#outcomes = outcomes;
  }

  async unary(call: UnaryCall): Promise<never> {
    this.#step(call.context);
    return true as never;
  }

  async *stream(call: StreamCall): AsyncGenerator<never> {
    this.#step(call.context);
    yield 'first' as never;
    this.#step(undefined);
  }

  async close(): Promise<void> {}

  #step(context: CallContext | undefined): void {
    if (context !== undefined) this.seen.push({ context, at: performance.now() });
    const outcome = this.#outcomes.shift() ?? 'answer';
    if (outcome !== 'answer') throw outcome;
  }
}

function failure(code: TritonErrorCode, options: TritonErrorOptions = {}): TritonError {
  return new TritonError(code, 'as it happens', { progress: 'unsent', ...options });
}

const unsent = failure('unavailable', { reason: 'connection' });
const lost = failure('unavailable', { reason: 'connection', progress: 'sent' });
const infer = { operation: 'ModelInfer', request: { model: 'm', inputs: [] } } as const;
const ready = { operation: 'ServerReady', request: {} } as const;
const oneRequest = { operation: 'ModelStreamInfer', requests: [infer.request] } as const;
const fullWaits: RetryOptions = { random: () => 1 };

function caught(work: Promise<unknown>): Promise<unknown> {
  return work.catch((error: unknown) => error);
}

/** The outcome of a call, once all waiting is over. */
async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  const settled = caught(work);
  await vi.runAllTimersAsync();
  return settled;
}

function ask(
  next: Transport,
  call: Omit<UnaryCall<'ModelInfer'>, 'context'> | Omit<UnaryCall<'ServerReady'>, 'context'>,
  options: RetryOptions = {},
  context: CallContext = { metadata: {} },
): Promise<unknown> {
  return outcomeOf(retries(options)(next).unary({ ...call, context }));
}

async function readAll(answers: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const answer of answers) all.push(answer);
  return all;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('retries', () => {
  it('repeats a call of which the server has seen nothing', async () => {
    const next = new Scripted(unsent, unsent);
    expect(await ask(next, infer)).toBe(true);
    expect(next.seen).toHaveLength(3);
  });

  it('gives up after the last attempt, with its error', async () => {
    const next = new Scripted(unsent, unsent, failure('unavailable', { reason: 'no_endpoint' }));
    expect(await ask(next, infer)).toMatchObject({
      code: 'unavailable',
      reason: 'no_endpoint',
      message: 'as it happens (3 attempts)',
    });
    expect(next.seen).toHaveLength(3);
    const once = new Scripted(lost);
    expect(await ask(once, infer)).toMatchObject({ message: 'as it happens' });
  });

  it.each([
    ['ServerReady', {}],
    ['RepositoryIndex', {}],
    ['LogSettings', {}],
    ['TraceSetting', { model: 'm', settings: {} }],
  ] as const)(
    'repeats %s, which reads, though the server may have seen it',
    async (operation, request) => {
      const next = new Scripted(lost);
      const call = { operation, request, context: { metadata: {} } } as UnaryCall;
      expect(await outcomeOf(retries()(next).unary(call))).toBe(true);
    },
  );

  it.each([
    ['ModelInfer', { model: 'm', inputs: [] }],
    ['RepositoryModelLoad', { model: 'm' }],
    ['RepositoryModelUnload', { model: 'm' }],
    ['LogSettings', { settings: { log_verbose_level: 1 } }],
    ['TraceSetting', { settings: { trace_rate: null } }],
  ] as const)('does not repeat %s %j that the server may have done', async (operation, request) => {
    const next = new Scripted(lost);
    const call = { operation, request, context: { metadata: {} } } as UnaryCall;
    expect(await outcomeOf(retries()(next).unary(call))).toMatchObject({ progress: 'sent' });
    expect(next.seen).toHaveLength(1);
  });

  it('repeats an inference that may have run only where that is said to be harmless', async () => {
    const full = failure('unavailable', { reason: 'queue_full', progress: 'sent' });
    expect(await ask(new Scripted(full), infer)).toMatchObject({ reason: 'queue_full' });
    expect(await ask(new Scripted(full), infer, { idempotent: true })).toBe(true);
    expect(await ask(new Scripted(lost), infer, { idempotent: true })).toBe(true);
    const waited = failure('unavailable', { reason: 'queue_timeout', progress: 'sent' });
    expect(await ask(new Scripted(waited), infer, { idempotent: true })).toMatchObject({
      reason: 'queue_timeout',
    });
  });

  it('does not take a model to be loaded twice as harmless', async () => {
    const call = { operation: 'RepositoryModelLoad', request: { model: 'm' } } as const;
    const next = retries({ idempotent: true })(new Scripted(lost));
    const outcome = await outcomeOf(next.unary({ ...call, context: { metadata: {} } }));
    expect(outcome).toMatchObject({ progress: 'sent' });
  });

  it.each([
    failure('invalid_argument'),
    failure('deadline_exceeded'),
    failure('cancelled'),
    failure('not_found', { progress: 'sent' }),
    failure('unavailable', { progress: 'answered' }),
    new TypeError('a bug'),
  ])('does not repeat what another attempt would not mend: $code $progress', async (error) => {
    const next = new Scripted(error as TritonError);
    expect(await ask(next, ready, { idempotent: true })).toMatchObject({ message: error.message });
    expect(next.seen).toHaveLength(1);
  });

  it('tells the progress of the attempt that went furthest', async () => {
    const next = new Scripted(lost, unsent, unsent);
    const outcome = await ask(next, infer, { idempotent: true });
    expect(outcome).toMatchObject({ reason: 'connection', progress: 'sent' });
    const answered = new Scripted(lost, failure('unknown', { progress: 'answered' }));
    expect(await ask(answered, ready)).toMatchObject({ code: 'unknown', progress: 'answered' });
  });

  it('waits at random up to a bound that doubles', async () => {
    const next = new Scripted(unsent, unsent, unsent, unsent);
    const waits = [1, 0.5, 1, 1];
    await ask(next, infer, { attempts: 5, maxMs: 150, random: () => waits.shift() ?? 0 });
    const [begin, ...retried] = next.seen.map(({ at }) => at);
    expect(retried.map((at) => at - (begin ?? 0))).toEqual([50, 100, 250, 400]);
  });

  it('asks for another endpoint than those that have failed the call', async () => {
    const next = new Scripted(unsent.with({ endpoint: 'a:1' }), unsent.with({ endpoint: 'b:1' }));
    await ask(next, infer);
    expect(next.seen.map(({ context }) => context.avoid)).toEqual([
      undefined,
      ['a:1'],
      ['a:1', 'b:1'],
    ]);
  });

  it('does not wait beyond the deadline', async () => {
    const context = { metadata: {}, deadline: performance.now() + 120 };
    const next = new Scripted(unsent, unsent);
    const outcome = caught(retries(fullWaits)(next).unary({ ...infer, context }));
    await vi.advanceTimersByTimeAsync(50);
    // The next wait would end after 150 ms.
    expect(await outcome).toMatchObject({ code: 'unavailable' });
    expect(next.seen).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is cancelled while it waits', async () => {
    const controller = new AbortController();
    const context = { metadata: {}, signal: controller.signal };
    const next = new Scripted(lost);
    const retrying = retries({ ...fullWaits, idempotent: true })(next);
    const outcome = caught(retrying.unary({ ...infer, context }));
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    expect(await outcome).toMatchObject({
      code: 'cancelled',
      progress: 'sent',
      operation: 'ModelInfer',
    });
    expect(next.seen).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('retries no more than a share of all calls, once the burst is spent', async () => {
    const next: Transport = new Scripted(...Array.from({ length: 1_000 }, () => unsent));
    const calls = next as Scripted;
    const retrying = retries({ budget: 0.2, burst: 10 })(next);
    for (let call = 0; call < 200; call++) {
      const context = { metadata: {} };
      expect(await outcomeOf(retrying.unary({ ...infer, context }))).toBeInstanceOf(TritonError);
    }
    expect(calls.seen.length - 200).toBeGreaterThanOrEqual(45);
    expect(calls.seen.length - 200).toBeLessThanOrEqual(10 + 0.2 * 200);
  });

  describe('of streams', () => {
    const context = { metadata: {} };

    it('begins again before the first answer', async () => {
      const next = new Scripted(unsent);
      expect(await outcomeOf(readAll(retries()(next).stream({ ...oneRequest, context })))).toEqual([
        'first',
      ]);
      expect(next.seen).toHaveLength(2);
    });

    it('never begins again after an answer, whatever the error says', async () => {
      const next = new Scripted('answer', unsent);
      const answers = retries({ idempotent: true })(next).stream({ ...oneRequest, context });
      expect(await outcomeOf(readAll(answers))).toMatchObject({ reason: 'connection' });
      expect(next.seen).toHaveLength(1);
    });

    it('repeats one that may have run only where that is said to be harmless', async () => {
      const once = retries()(new Scripted(lost)).stream({ ...oneRequest, context });
      expect(await outcomeOf(readAll(once))).toMatchObject({ progress: 'sent' });
      const twice = retries({ idempotent: true })(new Scripted(lost)).stream({
        ...oneRequest,
        context,
      });
      expect(await outcomeOf(readAll(twice))).toEqual(['first']);
    });

    describe('with errors in band', () => {
      const answer = { model: 'm', version: '1', id: '', parameters: {}, outputs: {} };
      const full = failure('unavailable', { reason: 'queue_full', progress: 'sent' });

      /** Gives those errors in band, one in each attempt, and then answers. */
      function told(errors: TritonError[], requests: readonly unknown[], options: RetryOptions) {
        let attempts = 0;
        const next: Transport = {
          unary: () => Promise.reject(new Error('is not called')),
          stream: async function* () {
            const error = errors[attempts++];
            yield error === undefined ? { answer } : { error, answer };
          },
          close: async () => {},
        };
        const call = { operation: 'ModelStreamInfer', requests, context } as StreamCall;
        const answers = readAll(retries({ random: () => 0, ...options })(next).stream(call));
        return outcomeOf(answers).then((outcome) => ({ outcome, attempts }));
      }

      it('begins again, as for an error of the stream', async () => {
        const { outcome, attempts } = await told([full, full], [1], { idempotent: true });
        expect(outcome).toEqual([{ answer }]);
        expect(attempts).toBe(3);
        const last = await told([full, full, full], [1], { idempotent: true });
        expect(last.outcome).toMatchObject({ reason: 'queue_full', progress: 'sent' });
      });

      it.each([
        ['another attempt would not mend', failure('internal', { progress: 'sent' }), [1], true],
        ['may have run', full, [1], false],
        ['concerns one of several requests', full, [1, 2], true],
      ])('passes on what %s', async (_, error, requests, idempotent) => {
        const { outcome, attempts } = await told([error], requests, { idempotent });
        expect(outcome).toEqual([{ error, answer }]);
        expect(attempts).toBe(1);
      });
    });

    it('leaves alone those whose requests cannot be read again', async () => {
      const next = new Scripted(unsent);
      const requests = [infer.request].values();
      const answers = retries()(next).stream({ operation: 'ModelStreamInfer', requests, context });
      expect(await outcomeOf(readAll(answers))).toBeInstanceOf(TritonError);
      expect(next.seen).toHaveLength(1);
    });
  });

  it('refuses options that make no sense', () => {
    expect(() => retries({ attempts: 0 })).toThrow(/^retry.attempts: 0 is too little/);
    expect(() => retries({ budget: NaN })).toThrow(/^retry.budget: NaN/);
  });
});
