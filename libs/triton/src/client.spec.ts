import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TritonClient } from './client.js';
import type { ClientOptions } from './client-options.js';
import { roundRobin } from './endpoints/policies.js';
import type { ModelMetadata } from './protocol.js';
import { traceContext } from './trace-context.js';
import type { Interceptor, StreamCall, Transport, UnaryCall } from './transport.js';
import { TritonError } from './triton-error.js';

const answer = { model: 'm', version: '1', id: '', parameters: {}, outputs: {} };
const fp32: ModelMetadata = {
  name: 'm',
  versions: ['1'],
  platform: 'python',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1] }],
};
const int8: ModelMetadata = { ...fp32, inputs: [{ name: 'x', datatype: 'INT8', shape: [-1] }] };

/** A client over a transport that answers as told, and what went over it. */
function clientOf(
  behave: (call: UnaryCall | StreamCall) => unknown,
  options: ClientOptions = {},
): { client: TritonClient; calls: (UnaryCall | StreamCall)[] } {
  const calls: (UnaryCall | StreamCall)[] = [];
  const transport: Transport = {
    unary: async (call) => {
      calls.push(call);
      return behave(call) as never;
    },
    stream: (call) => {
      calls.push(call);
      return behave(call) as never;
    },
    close: async () => {},
  };
  return { client: new TritonClient(transport, { retry: false, ...options }), calls };
}

/** A server with one model, whose metadata may change. */
function serverOf(metadata: { current: ModelMetadata }) {
  return ({ operation }: UnaryCall | StreamCall): unknown =>
    operation === 'ModelMetadata' ? metadata.current : answer;
}

const operations = (calls: readonly { operation: string }[]): string[] =>
  calls.map(({ operation }) => operation);

describe('metadata', () => {
  it('is asked for once per model, and makes tensors of plain values', async () => {
    const { client, calls } = clientOf(serverOf({ current: fp32 }));
    for (let at = 0; at < 3; at++) await client.infer({ model: 'm', inputs: { x: [1, 2] } });
    expect(operations(calls)).toEqual(['ModelMetadata', 'ModelInfer', 'ModelInfer', 'ModelInfer']);
    const tensor = { datatype: 'FP32', shape: [2], data: new Float32Array([1, 2]) };
    expect(calls.at(-1)).toMatchObject({ request: { inputs: [{ name: 'x', tensor }] } });
  });

  it('is asked for again where a request does not fit what was known', async () => {
    const metadata = { current: fp32 };
    const { client, calls } = clientOf(serverOf(metadata));
    await client.infer({ model: 'm', inputs: { x: [1] } });
    metadata.current = int8;
    await client.infer({ model: 'm', inputs: { x: new Int8Array([1]) } });
    expect(operations(calls).slice(2)).toEqual(['ModelMetadata', 'ModelInfer']);
    const wrong = client.infer({ model: 'm', inputs: { x: ['a'] } });
    await expect(wrong).rejects.toMatchObject({ code: 'invalid_argument', progress: 'unsent' });
  });

  it('is forgotten when the server refuses what fitted it, and when the model is loaded', async () => {
    const refusal = new TritonError('invalid_argument', 'no', { progress: 'sent' });
    let refused = false;
    const { client, calls } = clientOf((call) => {
      if (call.operation === 'ModelMetadata') return fp32;
      if (call.operation === 'ModelInfer' && !refused) {
        refused = true;
        throw refusal;
      }
      return answer;
    });
    await expect(client.infer({ model: 'm', inputs: { x: [1] } })).rejects.toBe(refusal);
    await client.infer({ model: 'm', inputs: { x: [1] } });
    await client.loadModel('m');
    await client.infer({ model: 'm', inputs: { x: [1] } });
    expect(operations(calls)).toEqual([
      'ModelMetadata',
      'ModelInfer',
      'ModelMetadata',
      'ModelInfer',
      'RepositoryModelLoad',
      'ModelMetadata',
      'ModelInfer',
    ]);
  });

  it('is asked for once by all who wait, each for as long as it wants', async () => {
    const told = Promise.withResolvers<ModelMetadata>();
    const { client, calls } = clientOf(({ operation }) =>
      operation === 'ModelMetadata' ? told.promise : answer,
    );
    const controller = new AbortController();
    const first = client.infer({ model: 'm', inputs: { x: [1] } }, { signal: controller.signal });
    const hasty = client.infer({ model: 'm', inputs: { x: [1] } }, { timeoutMs: 10 });
    const others = Array.from({ length: 98 }, () =>
      client.infer({ model: 'm', inputs: { x: [1] } }),
    );
    controller.abort();
    await expect(first).rejects.toMatchObject({ code: 'cancelled', progress: 'unsent' });
    await expect(hasty).rejects.toMatchObject({ code: 'deadline_exceeded', progress: 'unsent' });
    expect(calls[0]?.context.signal).toBeUndefined();
    told.resolve(fp32);
    await Promise.all(others);
    expect(operations(calls).filter((operation) => operation === 'ModelMetadata')).toHaveLength(1);
    expect(calls).toHaveLength(1 + 98);
  });

  it('of an attempt that failed is not kept', async () => {
    let times = 0;
    const { client, calls } = clientOf(({ operation }) => {
      if (operation === 'ModelMetadata' && ++times === 1) throw new TritonError('unknown', 'no');
      return operation === 'ModelMetadata' ? fp32 : answer;
    });
    const infer = () => client.infer({ model: 'm', inputs: { x: [1] } });
    const both = await Promise.allSettled([infer(), infer()]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await infer();
    expect(operations(calls)).toEqual(['ModelMetadata', 'ModelMetadata', 'ModelInfer']);
  });

  it('that was asked for before the model was loaded anew is not kept', async () => {
    const asked: PromiseWithResolvers<ModelMetadata>[] = [];
    const loaded = Promise.withResolvers<void>();
    const { client } = clientOf(({ operation }) => {
      if (operation === 'RepositoryModelLoad') return loaded.promise;
      if (operation !== 'ModelMetadata') return answer;
      const one = Promise.withResolvers<ModelMetadata>();
      asked.push(one);
      return one.promise;
    });
    const infer = () => client.infer({ model: 'm', inputs: { x: [1] } });
    const before = infer();
    const loading = client.loadModel('m');
    const during = infer();
    asked[0]?.resolve(fp32);
    asked[1]?.resolve(fp32);
    await Promise.all([before, during]);
    loaded.resolve();
    await loading;
    const after = infer();
    expect(asked).toHaveLength(3);
    asked[2]?.resolve(fp32);
    await after;
    await infer();
    expect(asked).toHaveLength(3);
  });

  it('of all versions is forgotten with the model', async () => {
    const { client, calls } = clientOf(serverOf({ current: fp32 }));
    const infer = () => client.infer({ model: 'm', version: '1', inputs: { x: [1] } });
    await infer();
    await client.loadModel('m');
    calls.length = 0;
    await infer();
    expect(operations(calls)).toEqual(['ModelMetadata', 'ModelInfer']);
  });

  it('is not asked for with checkInputs off, which takes only tensors', async () => {
    const { client, calls } = clientOf(serverOf({ current: fp32 }), { checkInputs: false });
    const plain = client.infer({ model: 'm', inputs: { x: [1] } });
    await expect(plain).rejects.toThrow('model m, input x: a value whose data type is not known');
    const x = { datatype: 'FP32', shape: [1], data: new Float32Array(1) } as const;
    await client.infer({ model: 'm', inputs: { x } });
    expect(operations(calls)).toEqual(['ModelInfer']);
  });

  it('has a deadline of its own before a stream, which has none', async () => {
    const { client, calls } = clientOf(({ operation }) =>
      operation === 'ModelMetadata' ? fp32 : (async function* () {})(),
    );
    const begun = performance.now();
    for await (const _ of client.streamInfer({ model: 'm', inputs: { x: [1] } })) expect.fail();
    const [metadata, stream] = calls;
    expect(metadata?.context.deadline).toBeGreaterThan(begun);
    expect(metadata?.context.deadline).toBeLessThan(begun + 60_000);
    expect(stream?.context.deadline).toBeUndefined();
  });
});

describe('calls', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 0, toFake: ['performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('have the deadline and metadata of the client, or their own', async () => {
    const { client, calls } = clientOf(() => true, { metadata: { a: '1', b: '1' } });
    await client.serverLive();
    await client.serverLive({ timeoutMs: 5, metadata: { b: '2' }, affinity: 'k' });
    await client.serverLive({ timeoutMs: Infinity });
    await client.loadModel('m');
    expect(calls.map(({ context }) => context)).toMatchObject([
      { deadline: 60_000, metadata: { a: '1', b: '1' } },
      { deadline: 5, metadata: { a: '1', b: '2' }, affinity: 'k' },
      { deadline: undefined },
      { deadline: 600_000 },
    ]);
    await expect(client.serverLive({ timeoutMs: 0 })).rejects.toThrow('timeoutMs: 0 is no time');
  });

  it('have one value of each name, whatever its case', async () => {
    const { client, calls } = clientOf(() => true, {
      metadata: { Authorization: 'client', Key: 'k' },
    });
    await client.serverLive({ metadata: { authorization: 'call' } });
    await client.serverLive({ metadata: { AUTHORIZATION: 'call' } });
    const metadata = { authorization: 'call', key: 'k' };
    expect(calls.map(({ context }) => context.metadata)).toEqual([metadata, metadata]);
  });

  it('go through interceptors, the first outermost, and carry the trace', async () => {
    const order: string[] = [];
    const named =
      (name: string): Interceptor =>
      (next) => ({
        unary: (call) => {
          order.push(name);
          return next.unary(call);
        },
        stream: (call) => next.stream(call),
        close: () => next.close(),
      });
    const traced = traceContext((carrier) => {
      carrier.traceparent = '00-1-2-01';
    });
    const { client, calls } = clientOf(() => true, {
      interceptors: [named('outer'), named('inner'), traced],
      metadata: { key: 'k' },
    });
    await client.serverReady();
    expect(order).toEqual(['outer', 'inner']);
    expect(calls[0]?.context.metadata).toEqual({ key: 'k', traceparent: '00-1-2-01' });
  });

  it('say of bad requests which field it is, without asking the server', async () => {
    const { client, calls } = clientOf(() => true);
    await expect(client.infer({ model: '', inputs: {} })).rejects.toThrow('model: missing');
    await expect(client.infer({ model: 'm' } as never)).rejects.toThrow('model m, inputs: missing');
    await expect(client.loadModel({ model: 'm', files: {} })).rejects.toThrow('files: no config');
    expect(calls).toEqual([]);
    for (const target of ['localhost:8001', 'ftp://host', '']) {
      expect(() => new TritonClient(target)).toThrow('as grpc://127.0.0.1:8001');
    }
  });
});

describe('options', () => {
  it.each([
    [{ stallMs: 0 }, 'stallMs: 0 is no time'],
    [{ stallMs: NaN }, 'stallMs: NaN is no time'],
    [{ stallMs: 2 ** 31 }, 'stallMs: 2147483648 is too long; give Infinity'],
    [{ timeoutMs: -1 }, 'timeoutMs: -1 is no time'],
    [{ timeoutMs: NaN }, 'timeoutMs: NaN is no time'],
    [{ retry: { attempts: 0 } }, 'retry.attempts: 0 is too little'],
  ])('%j are refused, also over a transport of your own', (options, message) => {
    expect(() => clientOf(() => true, options)).toThrow(message);
    expect(() => new TritonClient('grpc://a:1', options)).toThrow(message);
  });

  it.each([
    [
      ['grpc://a:1', 'grpc://b:1'],
      { resolve: true },
      'resolve: is of no effect here; give one URL',
    ],
    ['grpc://a:1', { policy: roundRobin() }, 'policy: is of no effect here; give several URLs'],
    ['grpc://a:1', { health: { failures: 2 } }, 'health: is of no effect here; give several URLs'],
  ])('that would be of no effect are refused: %j %j', (target, options, message) => {
    expect(() => new TritonClient(target, options)).toThrow(message);
  });

  it.each([
    [{ connections: 0.5 }, 'connections: 0.5 is no whole number'],
    [{ connections: Infinity }, 'connections: Infinity is no whole number'],
    [{ connections: -1 }, 'connections: -1 is too little'],
    [{ maxMessageBytes: NaN }, 'maxMessageBytes: NaN is too little'],
  ])('of a connection that make no sense are refused: %j', (options, message) => {
    for (const url of ['http://a:1', 'grpc://a:1'])
      expect(() => new TritonClient(url, options)).toThrow(message);
  });

  it('take no limit for one', async () => {
    const options = { maxMessageBytes: Infinity, stallMs: Infinity, timeoutMs: Infinity };
    for (const url of ['http://a:1', 'grpc://a:1'])
      await expect(new TritonClient(url, options).close()).resolves.toBeUndefined();
  });
});

describe('generateStream', () => {
  const fields = { text_output: 'a' };

  it('rejects, as every method does', async () => {
    const { client, calls } = clientOf(() => [fields]);
    const answers = client.generateStream({ model: 'm', fields: {} }, { timeoutMs: -1 });
    await expect(answers.next()).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(calls).toEqual([]);
    expect(() => client.openStream({ timeoutMs: 0 })).toThrow(TritonError);
  });

  it('is sent once, however often it is iterated, and cancelled when it is left', async () => {
    let begun = 0;
    let left = 0;
    async function* run() {
      begun++;
      try {
        yield fields;
        yield fields;
      } finally {
        left++;
      }
    }
    const { client } = clientOf(() => ({ [Symbol.asyncIterator]: run }));
    const answers = client.generateStream({ model: 'm', fields: {} });
    for await (const one of answers) {
      expect(one).toEqual(fields);
      break;
    }
    expect(left).toBe(1);
    for await (const _ of answers) expect.fail();
    expect(begun).toBe(1);
  });
});

describe('streamInfer', () => {
  it('throws the error that is in band, with whether an answer came before', async () => {
    const error = new TritonError('internal', 'boom', { reason: 'model_error', progress: 'sent' });
    for (const before of [[], [{ answer }]]) {
      const { client } = clientOf(({ operation }) =>
        operation === 'ModelMetadata' ? fp32 : [...before, { error, answer }],
      );
      const answers: unknown[] = [];
      const read = async (): Promise<void> => {
        for await (const one of client.streamInfer({ model: 'm', inputs: { x: [1] } }))
          answers.push(one);
      };
      const progress = before.length > 0 ? 'answered' : 'sent';
      await expect(read()).rejects.toMatchObject({ message: 'boom', progress });
      expect(answers).toHaveLength(before.length);
    }
  });
});
