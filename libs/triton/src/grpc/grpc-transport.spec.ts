import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ConnectionOptions } from '../connection-options.js';
import { until } from '../../../../test/support/http2/until.js';
import type { InferMessage } from '../protocol.js';
import type { CallContext, StreamAnswer, Transport } from '../transport.js';
import { TritonError } from '../triton-error.js';
import { grpcTransport } from './grpc-transport.js';

type Unary = grpc.ServerUnaryCall<Buffer, Buffer>;
type Duplex = grpc.ServerDuplexStream<Buffer, Buffer>;

interface Behaviour {
  unary?: (call: Unary, answer: grpc.sendUnaryData<Buffer>) => void;
  stream?: (call: Duplex) => void;
}

const service = '/inference.GRPCInferenceService';
const bytes = {
  requestSerialize: (it: Buffer) => it,
  requestDeserialize: (it: Buffer) => it,
  responseSerialize: (it: Buffer) => it,
  responseDeserialize: (it: Buffer) => it,
};
const definition = {
  ServerMetadata: {
    path: `${service}/ServerMetadata`,
    requestStream: false,
    responseStream: false,
    ...bytes,
  },
  ModelInfer: {
    path: `${service}/ModelInfer`,
    requestStream: false,
    responseStream: false,
    ...bytes,
  },
  ModelStreamInfer: {
    path: `${service}/ModelStreamInfer`,
    requestStream: true,
    responseStream: true,
    ...bytes,
  },
};

const closing: (() => unknown)[] = [];

afterEach(async () => {
  vi.useRealTimers();
  for (const close of closing.splice(0).toReversed()) await close();
});

/** A server of @grpc/grpc-js. */
async function serve(
  { unary, stream }: Behaviour,
  options: grpc.ServerOptions = {},
  port = 0,
): Promise<grpc.Server & { port: number }> {
  const server = new grpc.Server(options);
  server.addService(definition, {
    ServerMetadata: (it: Unary, answer: grpc.sendUnaryData<Buffer>) => unary?.(it, answer),
    ModelInfer: (it: Unary, answer: grpc.sendUnaryData<Buffer>) => unary?.(it, answer),
    ModelStreamInfer: (it: Duplex) => {
      it.on('error', () => {});
      stream?.(it);
    },
  });
  closing.push(() => server.forceShutdown());
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, at) =>
      error ? reject(error) : resolve(at),
    );
  });
  return Object.assign(server, { port: bound });
}

function client({ port }: { port: number }, options: ConnectionOptions = {}): Transport {
  const transport = grpcTransport(new URL(`grpc://127.0.0.1:${port}`), options);
  closing.push(() => transport.close());
  return transport;
}

/** A protobuf field of bytes. */
function field(number: number, value: string | Uint8Array): Buffer {
  const body = Buffer.from(value);
  const length: number[] = [];
  let rest = body.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length, rest]), body]);
}

function streamAnswer(id: string, error = ''): Buffer {
  return Buffer.concat([error ? field(1, error) : Buffer.alloc(0), field(2, field(3, id))]);
}

function call(transport: Transport, context: Partial<CallContext> = {}): Promise<string> {
  return transport
    .unary({ operation: 'ServerMetadata', request: {}, context: { metadata: {}, ...context } })
    .then(({ name }) => name);
}

function infer(
  transport: Transport,
  requests: Iterable<InferMessage> | AsyncIterable<InferMessage>,
  context: Partial<CallContext> = {},
): AsyncIterable<StreamAnswer> {
  return transport.stream({
    operation: 'ModelStreamInfer',
    requests,
    context: { metadata: {}, ...context },
  });
}

async function readAll<T>(answers: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const answer of answers) all.push(answer);
  return all;
}

function message(id: string, size = 0): InferMessage {
  const data = new Uint8Array(size);
  return {
    id,
    model: 'm',
    inputs: [{ name: 'I', tensor: { datatype: 'UINT8', shape: [size], data } }],
  };
}

const answerOk: Behaviour['unary'] = (_, answer) => answer(null, field(1, 'triton'));
const never: Behaviour['unary'] = () => {};

describe('against @grpc/grpc-js', () => {
  test('a call, and many at once', async () => {
    const transport = client(await serve({ unary: answerOk }));
    expect(await call(transport)).toBe('triton');
    expect(await Promise.all(Array.from({ length: 500 }, () => call(transport)))).toEqual(
      Array.from({ length: 500 }, () => 'triton'),
    );
  });

  test.each([
    [1, 'cancelled'],
    [2, 'unknown'],
    [3, 'invalid_argument'],
    [4, 'deadline_exceeded'],
    [5, 'not_found'],
    [6, 'already_exists'],
    [7, 'permission_denied'],
    [8, 'resource_exhausted'],
    [9, 'failed_precondition'],
    [10, 'aborted'],
    [11, 'out_of_range'],
    [12, 'unimplemented'],
    [13, 'internal'],
    [14, 'unavailable'],
    [15, 'data_loss'],
    [16, 'unauthenticated'],
  ])('status %i is %s, with its words as they were', async (code, expected) => {
    const details = 'größer 100 % ≠ 日本\nnext line: ';
    const server = await serve({
      unary: (_, answer) => answer(Object.assign(new Error(details), { code, details })),
    });
    await expect(call(client(server))).rejects.toMatchObject({
      name: 'TritonError',
      code: expected,
      status: code,
      message: details,
      progress: 'sent',
      operation: 'ServerMetadata',
      endpoint: `127.0.0.1:${server.port}`,
    });
  });

  test('a method that the server does not have', async () => {
    const transport = client(await serve({}));
    await expect(
      transport.unary({ operation: 'ServerLive', request: {}, context: { metadata: {} } }),
    ).rejects.toMatchObject({ code: 'unimplemented', status: 12 });
  });

  test('metadata goes with the call; what HTTP does not carry is refused', async () => {
    let got: Record<string, unknown> = {};
    const transport = client(
      await serve({
        unary: ({ metadata }, answer) => {
          got = metadata.getMap();
          answer(null, field(1, 'ok'));
        },
      }),
    );
    await call(transport, {
      metadata: { traceparent: '00-1', authorization: 'Bearer x', 'X-Upper': 'a, b' },
    });
    expect(got).toMatchObject({
      traceparent: '00-1',
      authorization: 'Bearer x',
      'x-upper': 'a, b',
    });
    await expect(call(transport, { metadata: { 'x-y': 'grün' } })).rejects.toMatchObject({
      code: 'invalid_argument',
      progress: 'unsent',
      message: expect.stringContaining('"x-y"'),
    });
  });

  test.each(['gzip', 'deflate'] as const)('%s both ways', async (compression) => {
    const got: number[] = [];
    const server = await serve(
      {
        unary: ({ request }, answer) => {
          got.push(request.length);
          answer(null, field(1, 'x'.repeat(100_000)));
        },
      },
      {
        'grpc.default_compression_algorithm':
          compression === 'gzip'
            ? grpc.compressionAlgorithms.gzip
            : grpc.compressionAlgorithms.deflate,
      },
    );
    const transport = client(server, { compression });
    expect(await call(transport)).toBe('x'.repeat(100_000));
    for (const size of [50_000, 500_000]) {
      const request = message('a', size);
      await transport.unary({ operation: 'ModelInfer', request, context: { metadata: {} } });
      expect(got.pop()).toBeGreaterThan(size);
    }
  });

  test('a large body is compressed beside the event loop: until then nothing is sent', async () => {
    let calls = 0;
    const server = await serve({
      unary: (_, answer) => {
        calls++;
        answer(null, field(1, 'triton'));
      },
    });
    const transport = client(server, { compression: 'gzip' });
    await call(transport);
    const controller = new AbortController();
    const given = transport.unary({
      operation: 'ModelInfer',
      request: message('a', 500_000),
      context: { metadata: {}, signal: controller.signal },
    });
    controller.abort();
    await expect(given).rejects.toMatchObject({ code: 'cancelled', progress: 'unsent' });
    await call(transport);
    expect(calls).toBe(2);
  });

  test('an answer above maxMessageBytes is refused and cancelled', async () => {
    const server = await serve({ unary: (_, answer) => answer(null, field(1, 'x'.repeat(2_000))) });
    const error = { code: 'resource_exhausted', reason: 'too_large' };
    await expect(call(client(server, { maxMessageBytes: 1_000 }))).rejects.toMatchObject(error);
    expect(await call(client(server, { maxMessageBytes: 2_003 }))).toHaveLength(2_000);
  });

  test('the server is told the deadline, and what passed it', async () => {
    // The clock stands still until the server has the call.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const began = Promise.withResolvers<{ seen: Unary; left: number }>();
    const server = await serve({
      unary: (seen) => began.resolve({ seen, left: Number(seen.getDeadline()) - Date.now() }),
    });
    const late = call(client(server), { deadline: performance.now() + 60_000 });
    const { seen, left } = await began.promise;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
    const cancelled = once(seen, 'cancelled');
    vi.advanceTimersByTime(60_000);
    await expect(late).rejects.toMatchObject({ code: 'deadline_exceeded', progress: 'sent' });
    await cancelled;
  });

  test('limits that have passed before the call: nothing is sent', async () => {
    let calls = 0;
    const server = await serve({ unary: () => calls++, stream: () => calls++ });
    const transport = client(server);
    const passed = { deadline: performance.now() - 1 };
    const aborted = { signal: AbortSignal.abort('why') };
    const late = { code: 'deadline_exceeded', progress: 'unsent' };
    const gone = { code: 'cancelled', progress: 'unsent', cause: 'why' };
    await expect(call(transport, passed)).rejects.toMatchObject(late);
    await expect(call(transport, aborted)).rejects.toMatchObject(gone);
    await expect(readAll(infer(transport, [message('1')], passed))).rejects.toMatchObject(late);
    await expect(readAll(infer(transport, [message('1')], aborted))).rejects.toMatchObject(gone);
    expect(calls).toBe(0);
  });

  test('a signal cancels the call at the server', async () => {
    const began = Promise.withResolvers<Unary>();
    const transport = client(await serve({ unary: began.resolve }));
    const controller = new AbortController();
    const answer = call(transport, { signal: controller.signal });
    const seen = await began.promise;
    const cancelled = once(seen, 'cancelled');
    controller.abort(new Error('no longer wanted'));
    await expect(answer).rejects.toMatchObject({
      code: 'cancelled',
      progress: 'sent',
      cause: { message: 'no longer wanted' },
    });
    await cancelled;
  });

  test('one signal for 10,000 calls: no warning, and no listeners that stay', async () => {
    const warnings: string[] = [];
    const onWarning = ({ name }: Error): unknown => warnings.push(name);
    process.on('warning', onWarning);
    closing.push(() => process.off('warning', onWarning));
    const transport = client(await serve({ unary: answerOk }));
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    const listeners = (): number => added.mock.calls.length - removed.mock.calls.length;
    let most = 0;
    for (let round = 0; round < 10; round++) {
      const calls = Array.from({ length: 1_000 }, () => call(transport, { signal }));
      most = Math.max(most, listeners());
      await Promise.all(calls);
    }
    expect(most).toBe(1_000);
    expect(listeners()).toBe(0);
    expect(warnings).toEqual([]);
    // Seconds where the processor is busy.
  }, 60_000);

  test('a stream: answers as they come, an error of one request in band', async () => {
    const got: Buffer[] = [];
    const transport = client(
      await serve({
        stream: (it) => {
          it.on('data', (request: Buffer) => {
            got.push(request);
            it.write(streamAnswer(String(got.length), got.length === 2 ? 'this one failed' : ''));
          });
          it.on('end', () => it.end());
        },
      }),
    );
    const answers = await readAll(infer(transport, [message('1'), message('2'), message('3')]));
    expect(answers.map(({ answer }) => answer.id)).toEqual(['1', '2', '3']);
    expect(answers.map(({ error }) => error?.message)).toEqual([
      undefined,
      'this one failed',
      undefined,
    ]);
  });

  test('requests are sent as they come, and their source is let go with the call', async () => {
    let left = false;
    const next = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    async function* requests(): AsyncGenerator<InferMessage> {
      try {
        for (const [at, { promise }] of next.entries()) {
          await promise;
          yield message(String(at));
        }
        yield message('never read');
      } finally {
        left = true;
      }
    }
    const transport = client(
      await serve({
        stream: (it) => {
          it.once('data', () => it.write(streamAnswer('0')));
        },
      }),
    );
    const answers = infer(transport, requests())[Symbol.asyncIterator]();
    const first = answers.next();
    next[0]?.resolve();
    expect(await first).toMatchObject({ value: { answer: { id: '0' } } });
    await answers.return?.();
    next[1]?.resolve();
    await until(() => left);
  });

  test('a source of requests that fails fails the stream', async () => {
    const transport = client(await serve({}));
    const broken: AsyncIterable<InferMessage> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('no more')) }),
    };
    await expect(readAll(infer(transport, broken))).rejects.toMatchObject({
      code: 'cancelled',
      cause: { message: 'no more' },
    });
  });

  test('leaving the loop cancels at the server', async () => {
    const cancelled = Promise.withResolvers<void>();
    const transport = client(
      await serve({
        stream: (it) => {
          it.on('cancelled', cancelled.resolve);
          it.write(streamAnswer('1'));
          it.write(streamAnswer('1'));
        },
      }),
    );
    for await (const { answer } of infer(transport, [message('1')])) {
      expect(answer.id).toBe('1');
      break;
    }
    await cancelled.promise;
  });

  test('an error after answers: they are read first, and it says so', async () => {
    const transport = client(
      await serve({
        stream: (it) => {
          it.write(streamAnswer('1'));
          it.emit('error', { code: 14, details: 'going' });
        },
      }),
    );
    const answers = infer(transport, [message('1')])[Symbol.asyncIterator]();
    expect(await answers.next()).toMatchObject({ value: { answer: { id: '1' } } });
    await expect(answers.next()).rejects.toMatchObject({
      code: 'unavailable',
      progress: 'answered',
    });
    expect(await answers.next()).toEqual({ done: true, value: undefined });
  });

  test('close ends what is under way, and what comes after', async () => {
    const began = Promise.withResolvers<unknown>();
    const transport = client(await serve({ unary: began.resolve }));
    const answer = call(transport).catch((error: unknown) => error);
    await began.promise;
    await transport.close();
    expect(await answer).toMatchObject({
      code: 'cancelled',
      progress: 'sent',
    });
    const refused = { code: 'cancelled', progress: 'unsent' };
    await expect(call(transport)).rejects.toMatchObject(refused);
    await expect(readAll(infer(transport, [message('1')]))).rejects.toMatchObject(refused);
  });

  test('close while it connects', async () => {
    const transport = client(await serve({ unary: never }));
    const answer = call(transport).catch((error: unknown) => error);
    await transport.close();
    expect(await answer).toMatchObject({
      code: 'cancelled',
      progress: 'unsent',
    });
  });

  test('the server goes and comes back', async () => {
    const first = await serve({ unary: answerOk });
    const transport = client(first);
    await call(transport);
    first.forceShutdown();
    await expect(
      (async () => {
        for (;;) await call(transport);
      })(),
    ).rejects.toMatchObject({ code: 'unavailable', reason: 'connection' });
    await serve({ unary: (_, answer) => answer(null, field(1, 'again')) }, {}, first.port);
    expect(await call(transport)).toBe('again');
  });

  test('a graceful shutdown: the call under way finishes, and close ends it even when another connection is in use', async () => {
    const held: grpc.sendUnaryData<Buffer>[] = [];
    const first = await serve({ unary: (_, answer) => held.push(answer) });
    const transport = client(first);
    const [early, later] = [call(transport), call(transport)];
    await until(() => held.length === 2);
    first.tryShutdown(() => {});
    // The port is free, the connection still there.
    await serve({ unary: answerOk }, {}, first.port);
    // Until the news that it is going away has come, calls may still take the old way; they are known to be unseen.
    let next: unknown;
    do {
      next = await call(transport).catch((error: unknown) => error);
    } while (next instanceof TritonError && next.progress === 'unsent');
    expect(next).toBe('triton');
    held[0]?.(null, field(1, 'after all'));
    expect(await early).toBe('after all');
    const ended = later.catch((error: unknown) => error);
    await transport.close();
    expect(await ended).toMatchObject({ code: 'cancelled', progress: 'sent' });
  });
});

describe('the life of the process', () => {
  const root = join(import.meta.dirname, '../../../..');
  async function run(
    port: number,
    script: string,
    onLine = (_line: string): void => {},
  ): Promise<{ code: unknown; output: string }> {
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        '--conditions=source',
        `--import=${join(root, 'scripts/typescript.mjs')}`,
        '--input-type=module',
        '--eval',
        `import { grpcTransport } from ${JSON.stringify(join(import.meta.dirname, 'grpc-transport.ts'))};
         const transport = grpcTransport(new URL('grpc://127.0.0.1:${port}'));
         const call = (context) => transport.unary({ operation: 'ServerMetadata', request: {}, context: { metadata: {}, ...context } });
         ${script}`,
      ],
      { cwd: dirname(root), stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const exit = once(child, 'exit');
    child.stdout.on('data', (data: Buffer) => onLine(data.toString()));
    const output = await textOf(child.stdout);
    const [code] = await exit;
    return { code, output };
  }

  test('an idle client does not keep it alive', async () => {
    const { port } = await serve({ unary: answerOk });
    expect(await run(port, 'console.log((await call()).name);')).toEqual({
      code: 0,
      output: 'triton\n',
    });
  });

  test('a call that was given up while it connected does not either', async () => {
    const { port } = await serve({ unary: answerOk });
    const script = `
      const controller = new AbortController();
      const given = call({ signal: controller.signal }).catch(({ code }) => console.log(code));
      controller.abort();
      await given;`;
    expect(await run(port, script)).toEqual({ code: 0, output: 'cancelled\n' });
  });

  test('a call under way does', async () => {
    const began = Promise.withResolvers<grpc.sendUnaryData<Buffer>>();
    const { port } = await serve({ unary: (_, answer) => began.resolve(answer) });
    // The timer runs only if something else keeps the process alive.
    const script = `setTimeout(() => console.log('alive'), 50).unref(); console.log((await call()).name);`;
    const result = await run(port, script, (line) => {
      if (line.startsWith('alive'))
        void began.promise.then((answer) => answer(null, field(1, 'late')));
    });
    expect(result).toEqual({ code: 0, output: 'alive\nlate\n' });
  });
});
