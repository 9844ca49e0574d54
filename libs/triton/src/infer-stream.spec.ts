import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { InferRequest } from './infer-request.js';
import { InferStream, type InferStreamOptions } from './infer-stream.js';
import type { InferAnswer, InferMessage, Parameters } from './protocol.js';
import { PushQueue } from './push-queue.js';
import type { StreamAnswer, StreamCall, Transport } from './transport.js';
import { TritonError } from './triton-error.js';

const output = { datatype: 'INT32', shape: [1], data: new Int32Array(1) } as const;

/** A server of one stream, in memory. */
class StubStream implements Transport {
  readonly requests: InferMessage[] = [];
  readonly answers: PushQueue<StreamAnswer>;
  ended = false;
  signal: AbortSignal | undefined;
  /** Answers that were taken from it. */
  taken = 0;
  #news = Promise.withResolvers<void>();

  constructor() {
    this.answers = new PushQueue<StreamAnswer>();
  }

  stream(call: StreamCall): AsyncIterable<never> {
    const { requests, context } = call as StreamCall<'ModelStreamInfer'>;
    this.signal = context.signal;
    context.signal?.addEventListener('abort', () => {
      this.answers.fail(new TritonError('cancelled', 'cancelled', { progress: 'answered' }), {
        drop: true,
      });
    });
    void this.#receive(requests);
    return this.#send() as AsyncIterable<never>;
  }

  /** Resolves with the n-th request. */
  async request(n: number): Promise<InferMessage> {
    for (;;) {
      const found = this.requests[n - 1];
      if (found !== undefined) return found;
      if (this.ended) throw new Error('there are no more requests');
      await this.#news.promise;
    }
  }

  answer(
    id: string,
    { parameters = {}, empty = false }: { parameters?: Parameters; empty?: boolean } = {},
  ): void {
    this.answers.push({ answer: answerOf(id, parameters, empty) });
  }

  /** The empty answer that ends those of a request. */
  final(id: string): void {
    this.answer(id, { parameters: { triton_final_response: true }, empty: true });
  }

  unary(): Promise<never> {
    return Promise.reject(new Error('is not called'));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async *#send(): AsyncGenerator<StreamAnswer> {
    for await (const answer of this.answers) {
      this.taken++;
      yield answer;
    }
  }

  async #receive(requests: StreamCall<'ModelStreamInfer'>['requests']): Promise<void> {
    for await (const request of requests) {
      this.requests.push(request);
      this.#news.resolve();
      this.#news = Promise.withResolvers<void>();
    }
    this.ended = true;
    this.#news.resolve();
  }
}

function answerOf(id: string, parameters: Parameters, empty: boolean): InferAnswer {
  return { id, model: 'm', version: '1', parameters, outputs: empty ? {} : { OUT: output } };
}

function prepare({ model, id, parameters }: InferRequest): InferMessage {
  return { model, id, parameters, inputs: [] };
}

function open(options: Partial<InferStreamOptions> = {}): {
  server: StubStream;
  stream: InferStream;
} {
  const server = new StubStream();
  const stream = new InferStream(server, {
    context: { metadata: {} },
    prepare,
    stallMs: Infinity,
    ...options,
  });
  return { server, stream };
}

const request: InferRequest = { model: 'm', inputs: {} };

/** Enough turns for whatever needs no event from outside. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5_000; turn++) await Promise.resolve();
}

async function readAll(answers: AsyncIterable<InferAnswer>): Promise<InferAnswer[]> {
  const all: InferAnswer[] = [];
  for await (const answer of answers) all.push(answer);
  return all;
}

describe('InferStream', () => {
  test('answers find their request, in whatever order they come; its id is that of the caller', async () => {
    const { server, stream } = open();
    const [a, b] = [
      stream.infer({ ...request, id: 'mine' }),
      stream.infer({ ...request, id: 'mine' }),
    ];
    const ids = [(await server.request(1)).id ?? '', (await server.request(2)).id ?? ''] as const;
    expect(ids[0]).not.toBe(ids[1]);
    expect(server.requests[0]?.parameters).toEqual({ triton_enable_empty_final_response: true });
    expect(stream.outstanding).toBe(2);
    for (const at of [1, 0, 0, 1, 0] as const) server.answer(ids[at], { parameters: { at } });
    server.final(ids[0]);
    server.final(ids[1]);
    expect((await readAll(a)).map(({ id, parameters }) => [id, parameters['at']])).toEqual([
      ['mine', 0],
      ['mine', 0],
      ['mine', 0],
    ]);
    expect((await readAll(b)).map(({ parameters }) => parameters)).toEqual([{ at: 1 }, { at: 1 }]);
    expect(stream.outstanding).toBe(0);
  });

  test('a last answer that is not empty is an answer', async () => {
    const { server, stream } = open();
    const answers = stream.infer(request);
    server.answer((await server.request(1)).id ?? '', {
      parameters: { triton_final_response: true },
    });
    expect(await readAll(answers)).toHaveLength(1);
  });

  test('an error in band is that of its request alone', async () => {
    const { server, stream } = open();
    const [a, b] = [stream.infer(request), stream.infer(request)];
    await server.request(2);
    server.answer('1');
    server.answers.push({
      error: new TritonError('internal', 'no'),
      answer: answerOf('1', {}, true),
    });
    server.answer('1');
    server.answer('2');
    server.final('2');
    expect(await a.next()).toMatchObject({ done: false });
    await expect(a.next()).rejects.toMatchObject({ message: 'no', progress: 'answered' });
    expect(await a.next()).toEqual({ done: true, value: undefined });
    expect(await readAll(b)).toHaveLength(1);
  });

  test('a slow reader holds the stream back, and lets it go on', async () => {
    const { server, stream } = open();
    const [slow, fast] = [stream.infer(request), stream.infer(request)];
    await server.request(2);
    for (let at = 0; at < 1_000; at++) server.answer('1');
    server.final('1');
    server.answer('2');
    server.final('2');
    await settle();
    const held = server.taken;
    expect(held).toBeLessThan(300);
    await settle();
    expect(server.taken).toBe(held);
    const [all, other] = await Promise.all([readAll(slow), readAll(fast)]);
    expect([all.length, other.length]).toEqual([1_000, 1]);
  });

  test('a slow reader that leaves lets the others go on', async () => {
    const { server, stream } = open();
    const [slow, fast] = [stream.infer(request), stream.infer(request)];
    await server.request(2);
    for (let at = 0; at < 1_000; at++) server.answer('1');
    server.answer('2');
    server.final('2');
    await settle();
    await slow.return?.();
    expect(await readAll(fast)).toHaveLength(1);
  });

  test('what is cancelled while a slow reader holds it ends at once', async () => {
    const controller = new AbortController();
    for (const cancel of [(it: InferStream) => it.cancel(), () => controller.abort()]) {
      const { server, stream } = open({ context: { metadata: {}, signal: controller.signal } });
      const [slow, other] = [stream.infer(request), stream.infer(request)];
      await server.request(2);
      for (let at = 0; at < 1_000; at++) server.answer('1');
      await settle();
      cancel(stream);
      await expect(other.next()).rejects.toMatchObject({ code: 'cancelled', progress: 'sent' });
      await stream.close();
      await slow.return?.();
    }
  });

  test('one request is given up: by its signal, its deadline, its reader', async () => {
    const { server, stream } = open();
    const controller = new AbortController();
    const signalled = stream.infer(request, { signal: controller.signal });
    const late = stream.infer(request, { timeoutMs: 20 });
    const left = stream.infer(request);
    const other = stream.infer(request);
    await server.request(4);
    server.answer('1');
    controller.abort();
    await expect(signalled.next()).rejects.toMatchObject({ code: 'cancelled', progress: 'sent' });
    await expect(late.next()).rejects.toMatchObject({
      code: 'deadline_exceeded',
      progress: 'sent',
    });
    await left.return?.();
    expect(stream.outstanding).toBe(1);
    // Answers to what was given up still come.
    for (const id of ['1', '2', '3', '4']) server.answer(id);
    server.final('4');
    expect(await readAll(other)).toHaveLength(1);
    expect(server.signal?.aborted).toBe(false);
  });

  test('a signal that was given before is not asked for twice', async () => {
    const { server, stream } = open();
    const answers = stream.infer(request, { signal: AbortSignal.abort() });
    await expect(answers.next()).rejects.toMatchObject({ code: 'cancelled', progress: 'unsent' });
    await settle();
    expect([server.requests.length, stream.outstanding]).toEqual([0, 0]);
  });

  test('a request that cannot be prepared fails alone, unsent', async () => {
    const { stream, server } = open({
      prepare: (it) => {
        if (it.model === 'bad') throw new TritonError('invalid_argument', 'bad');
        return prepare(it);
      },
    });
    await expect(stream.infer({ ...request, model: 'bad' }).next()).rejects.toMatchObject({
      code: 'invalid_argument',
      progress: 'unsent',
    });
    const fine = stream.infer(request);
    server.final((await server.request(1)).id ?? '');
    expect(await readAll(fine)).toEqual([]);
  });

  test('when the stream breaks, all fail, and each says how far it was', async () => {
    const prepared = Promise.withResolvers<InferMessage>();
    const { server, stream } = open({
      prepare: (it) => (it.id === 'slow' ? prepared.promise : prepare(it)),
    });
    const [answered, sent, unsent] = [
      stream.infer(request),
      stream.infer(request),
      stream.infer({ ...request, id: 'slow' }),
    ];
    await server.request(2);
    server.answer('1');
    server.answers.fail(new TritonError('unavailable', 'broken', { progress: 'answered' }));
    expect(await answered.next()).toMatchObject({ done: false });
    await expect(answered.next()).rejects.toMatchObject({
      code: 'unavailable',
      progress: 'answered',
    });
    await expect(sent.next()).rejects.toMatchObject({ code: 'unavailable', progress: 'sent' });
    await expect(unsent.next()).rejects.toMatchObject({ code: 'unavailable', progress: 'unsent' });
    await expect(stream.infer(request).next()).rejects.toMatchObject({
      code: 'unavailable',
      progress: 'unsent',
    });
    prepared.resolve(prepare(request));
    await settle();
    expect(server.requests).toHaveLength(2);
  });

  test('a stream that never reached its server: its requests are unsent', async () => {
    const { server, stream } = open();
    const answers = stream.infer(request);
    await server.request(1);
    server.answers.fail(new TritonError('unavailable', 'refused', { progress: 'unsent' }));
    await expect(answers.next()).rejects.toMatchObject({ code: 'unavailable', progress: 'unsent' });
  });

  test('a stream that the server ends too early', async () => {
    const { server, stream } = open();
    const answers = stream.infer(request);
    await server.request(1);
    server.answers.end();
    await expect(answers.next()).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'connection',
      progress: 'sent',
    });
  });

  test('close waits for what is under way, what is still being prepared included', async () => {
    const prepared = Promise.withResolvers<InferMessage>();
    const { server, stream } = open({
      prepare: (it) => (it.id === 'slow' ? prepared.promise : prepare(it)),
    });
    const [a, b] = [stream.infer(request), stream.infer({ ...request, id: 'slow' })];
    let closed = false;
    const closing = stream.close().then(() => (closed = true));
    await expect(stream.infer(request).next()).rejects.toMatchObject({
      code: 'cancelled',
      progress: 'unsent',
    });
    server.final((await server.request(1)).id ?? '');
    expect(await readAll(a)).toEqual([]);
    expect(server.ended).toBe(false);
    prepared.resolve(prepare(request));
    server.final((await server.request(2)).id ?? '');
    expect(await readAll(b)).toEqual([]);
    await settle();
    expect([server.ended, closed]).toEqual([true, false]);
    server.answers.end();
    await closing;
  });

  test('cancel tells the server and fails all', async () => {
    const { server, stream } = open();
    const answers = stream.infer(request);
    await server.request(1);
    stream.cancel();
    expect(server.signal?.aborted).toBe(true);
    await expect(answers.next()).rejects.toMatchObject({ code: 'cancelled', progress: 'sent' });
  });

  test('the signal of the caller cancels, with its reason, and is let go of at the end', async () => {
    const controller = new AbortController();
    const { server, stream } = open({ context: { metadata: {}, signal: controller.signal } });
    controller.abort('why');
    expect(server.signal?.reason).toBe('why');
    await stream.close();

    const lasting = new AbortController().signal;
    const added = vi.spyOn(lasting, 'addEventListener');
    const removed = vi.spyOn(lasting, 'removeEventListener');
    const other = open({ context: { metadata: {}, signal: lasting } });
    other.server.answers.end();
    await other.stream.close();
    expect(added).toHaveBeenCalledTimes(1);
    expect(removed.mock.calls.map(([type, listener]) => [type, listener])).toEqual(
      added.mock.calls.map(([type, listener]) => [type, listener]),
    );
    const late = open({ context: { metadata: {}, signal: AbortSignal.abort() } });
    expect(late.server.signal?.aborted).toBe(true);
  });

  test('what is over is collected', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const lasting = new AbortController().signal;
    const over = async (): Promise<WeakRef<InferStream>> => {
      const { server, stream } = open({ context: { metadata: {}, signal: lasting } });
      server.answers.end();
      await stream.close();
      return new WeakRef(stream);
    };
    const refs = await Promise.all(Array.from({ length: 20 }, over));
    for (let turn = 0; turn < 3; turn++) {
      await setImmediate();
      collect();
    }
    // One may still lie on the stack.
    expect(refs.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(5);
  });
});

describe('stalls', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  test('a request that is not answered fails alone', async () => {
    const { server, stream } = open({ stallMs: 1_000 });
    const [silent, lively] = [stream.infer(request), stream.infer(request)];
    await server.request(2);
    const failed = silent.next().catch((error: unknown) => error);
    for (let at = 0; at < 4; at++) {
      await vi.advanceTimersByTimeAsync(400);
      server.answer('2');
      await lively.next();
    }
    expect(await failed).toMatchObject({
      code: 'deadline_exceeded',
      reason: 'stalled',
      progress: 'sent',
    });
    server.final('2');
    expect(await lively.next()).toEqual({ done: true, value: undefined });
  });

  test('a reader may rest as long as nobody waits for that', async () => {
    const { server, stream } = open({ stallMs: 1_000 });
    const slow = stream.infer(request);
    await server.request(1);
    for (let at = 0; at < 1_000; at++) server.answer('1');
    server.final('1');
    await settle();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await readAll(slow)).toHaveLength(1_000);
  });

  test("time in which a slow reader holds the stream is nobody's silence", async () => {
    const { server, stream } = open({ stallMs: 1_000 });
    const [slow, other] = [stream.infer(request), stream.infer(request)];
    await server.request(2);
    await vi.advanceTimersByTimeAsync(900);
    for (let at = 0; at < 1_000; at++) server.answer('1');
    await settle();
    await vi.advanceTimersByTimeAsync(900);
    const reading = readAll(slow);
    server.final('1');
    server.final('2');
    expect(await reading).toHaveLength(1_000);
    expect(await readAll(other)).toEqual([]);
  });

  test('a reader that rests for so long loses its request, and the others go on', async () => {
    const { server, stream } = open({ stallMs: 1_000 });
    const resting = stream.infer(request);
    await server.request(1);
    for (let at = 0; at < 1_000; at++) server.answer('1');
    await settle();
    await vi.advanceTimersByTimeAsync(60_000);
    const other = stream.infer(request);
    await server.request(2);
    server.answer('2');
    server.final('2');
    const reading = readAll(other);
    await vi.advanceTimersByTimeAsync(900);
    expect(stream.outstanding).toBe(2);
    await vi.advanceTimersByTimeAsync(500);
    expect(await reading).toHaveLength(1);
    expect(stream.outstanding).toBe(0);
    const read: InferAnswer[] = [];
    const rest = (async () => {
      for await (const answer of resting) read.push(answer);
    })();
    await expect(rest).rejects.toMatchObject({
      code: 'resource_exhausted',
      progress: 'answered',
      message: expect.stringMatching(
        /^256 answers waited for their reader, .* for 1000 ms$/,
      ) as string,
    });
    expect(read).toHaveLength(256);
  });
});
