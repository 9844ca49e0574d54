import { createHook } from 'node:async_hooks';
import { getEventListeners, on, once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import {
  createServer as createHttp2Server,
  createSecureServer as createSecureHttp2Server,
} from 'node:http2';
import { createServer as createSecureServer } from 'node:https';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Server as TcpServer,
} from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { type Dispatcher, Pool } from 'undici';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ConnectionOptions } from '../connection-options.js';
import type { GenerateFields, InferAnswer } from '../protocol.js';
import type { CallContext, Transport } from '../transport.js';
import { httpTransport } from './http-transport.js';
import { makeCertificate } from '../../../../test/support/stub-certificate.js';

async function listen(server: TcpServer, scheme = 'http'): Promise<URL> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<{ destroy(): unknown }>();
  server.on('connection', (socket) => sockets.add(socket));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return new URL(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

function connect(url: URL, options?: ConnectionOptions): Transport {
  const transport = httpTransport(url, options);
  onTestFinished(() => transport.close());
  return transport;
}

async function serve(handler: RequestListener, options?: ConnectionOptions): Promise<Transport> {
  return connect(await listen(createServer(handler)), options);
}

/** A server that leaves every request open, and the requests as they come. */
async function silent(): Promise<{
  url: URL;
  request: () => Promise<[IncomingMessage, ServerResponse]>;
}> {
  const server = createServer();
  const requests = on(server, 'request');
  const url = await listen(server);
  const request = async (): Promise<[IncomingMessage, ServerResponse]> =>
    (await requests.next()).value as [IncomingMessage, ServerResponse];
  return { url, request };
}

function isLive(transport: Transport, context: Partial<CallContext> = {}): Promise<boolean> {
  return transport.unary({
    operation: 'ServerLive',
    request: {},
    context: { metadata: {}, ...context },
  });
}

function infer(
  transport: Transport,
  data: Float32Array,
  context: Partial<CallContext> = {},
): Promise<InferAnswer> {
  const tensor = { datatype: 'FP32', shape: [data.length], data } as const;
  return transport.unary({
    operation: 'ModelInfer',
    request: { model: 'identity', inputs: [{ name: 'INPUT0', tensor }] },
    context: { metadata: {}, ...context },
  });
}

function stream(
  transport: Transport,
  context: Partial<CallContext> = {},
): AsyncIterable<GenerateFields> {
  return transport.stream({
    operation: 'GenerateStream',
    requests: [{ model: 'text', fields: { text_input: 'a' } }],
    context: { metadata: {}, ...context },
  });
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Answers as the model `identity` does: the bytes come back, the header in a piece of its own. */
function identity(body: Buffer, headers: IncomingHttpHeaders, response: ServerResponse): void {
  const tensor = body.subarray(Number(headers['inference-header-content-length']));
  const output = {
    name: 'OUTPUT0',
    datatype: 'FP32',
    shape: [tensor.length / 4],
    parameters: { binary_data_size: tensor.length },
  };
  const text = JSON.stringify({ model_name: 'identity', model_version: '1', outputs: [output] });
  // Of an odd length: no typed array can begin right behind it.
  const json = text.padEnd(Math.ceil(text.length / 8) * 8 + 1);
  response.setHeader('inference-header-content-length', json.length);
  response.setHeader('content-length', json.length + tensor.length);
  response.write(json);
  response.end(tensor);
}

describe('inference', () => {
  it.each([4, 300_000])('carries %d elements there and back', async (length) => {
    const lengths: unknown[] = [];
    const transport = await serve(async (request, response) => {
      const body = await buffer(request);
      lengths.push(request.headers['content-length'], String(body.length));
      identity(body, request.headers, response);
    });
    const data = Float32Array.from({ length }, (_, index) => index / 2);
    const { outputs, version } = await infer(transport, data);
    expect(version).toBe('1');
    expect(outputs.OUTPUT0?.shape).toEqual([length]);
    expect(outputs.OUTPUT0?.data).toEqual(data);
    expect(lengths[0]).toBe(lengths[1]);
  });

  it('places the tensors of a long answer where typed arrays can lie: they are not copied again', async () => {
    const transport = await serve(async (request, response) => {
      identity(await buffer(request), request.headers, response);
    });
    const { outputs } = await infer(transport, new Float32Array(100_000));
    const output = outputs.OUTPUT0;
    if (output?.datatype !== 'FP32') throw new Error('no output');
    expect(output.data.buffer.byteLength).toBeGreaterThan(output.data.byteLength);
  });

  it.each([
    ['gzip', gunzipSync],
    ['deflate', inflateSync],
  ] as const)(
    'compresses requests with %s, and no others than inference',
    async (encoding, decode) => {
      const seen: (string | undefined)[] = [];
      const transport = await serve(
        async (request, response) => {
          seen.push(request.headers['content-encoding'], request.headers['accept-encoding']);
          const body = await buffer(request);
          if (body.length > 0) identity(decode(body), request.headers, response);
          else response.end();
        },
        { compression: encoding },
      );
      const data = new Float32Array(100_000).fill(7);
      expect((await infer(transport, data)).outputs.OUTPUT0?.data).toEqual(data);
      expect(await isLive(transport)).toBe(true);
      expect(seen).toEqual([encoding, encoding, undefined, undefined]);
    },
  );
});

describe('an answer', () => {
  const metadata = (transport: Transport): Promise<unknown> =>
    transport.unary({ operation: 'ServerMetadata', request: {}, context: { metadata: {} } });
  const triton = { name: 'triton', version: '2', extensions: [] };

  it('is decompressed, though that was not asked for', async () => {
    const transport = await serve((_, response) => {
      response.setHeader('content-encoding', 'gzip');
      response.end(gzipSync(JSON.stringify(triton)));
    });
    expect(await metadata(transport)).toEqual(triton);
  });

  it.each([
    ['a bomb', { 'content-encoding': 'gzip' }, gzipSync(Buffer.alloc(10_000_000))],
    ['said to be too long', { 'content-length': '2000000' }, ''],
    ['too long', {}, Buffer.alloc(2_000_000)],
  ])('that is %s is refused', async (_, headers, body) => {
    const transport = await serve(
      (_request, response) => {
        response.writeHead(200, headers);
        response.write(body);
        response.flushHeaders();
        if ('content-encoding' in headers) response.end();
      },
      { maxMessageBytes: 1_000_000 },
    );
    await expect(metadata(transport)).rejects.toMatchObject({
      code: 'resource_exhausted',
      reason: 'too_large',
    });
  });

  it.each([
    ['br', 'x'],
    ['gzip', 'no gzip at all'],
  ])('in an encoding that cannot be read is refused: %s', async (encoding, body) => {
    const transport = await serve((_, response) => {
      response.setHeader('content-encoding', encoding);
      response.end(body);
    });
    await expect(metadata(transport)).rejects.toMatchObject({
      code: 'data_loss',
      reason: 'protocol',
    });
  });

  it('is limited to what fits into one message, whatever is asked for', async () => {
    const transport = await serve(
      (_, response) => void response.setHeader('content-encoding', 'gzip').end(gzipSync('{}')),
      { maxMessageBytes: Infinity },
    );
    await expect(metadata(transport)).rejects.toThrow(/no Triton/);
    const long = createServer((_, response) => {
      response.writeHead(200, { 'content-length': 2 ** 31 }).flushHeaders();
    });
    const refused = metadata(connect(await listen(long), { maxMessageBytes: Infinity }));
    await expect(refused).rejects.toMatchObject({ reason: 'too_large', progress: 'answered' });
  });

  it('carries who failed at what', async () => {
    const transport = await serve((_, response) => {
      response.statusCode = 404;
      response.end('{"error":"Request for unknown model: \'m\' is not found"}');
    });
    await expect(metadata(transport)).rejects.toMatchObject({
      name: 'TritonError',
      code: 'not_found',
      status: 404,
      progress: 'sent',
      operation: 'ServerMetadata',
      endpoint: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    });
  });
});

describe('metadata', () => {
  it('is sent as header fields', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const transport = await serve(({ headers }, response) => {
      const right = headers.traceparent === traceparent && headers['x-key'] === 'secret';
      response.writeHead(right ? 200 : 400).end();
    });
    expect(await isLive(transport, { metadata: { traceparent, 'X-Key': 'secret' } })).toBe(true);
  });

  it.each([
    ['a b', 'x'],
    ['', 'x'],
    ['key', 'a\r\nb'],
    ['key', '€'],
    ['key', ' x'],
    ['content-length', '7'],
    ['Host', 'x'],
    ['accept-encoding', 'br'],
  ])('that HTTP cannot carry is refused: %j: %j', async (name, value) => {
    const transport = connect(new URL('http://127.0.0.1:1'));
    await expect(isLive(transport, { metadata: { [name]: value } })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining(JSON.stringify(name)),
      progress: 'unsent',
    });
  });
});

describe('a call that is given up', () => {
  it('at its deadline has its connection closed', async () => {
    const { url, request } = await silent();
    const call = isLive(connect(url), { deadline: performance.now() + 50 });
    const [{ socket }] = await Promise.all([
      request().then(([message]) => message),
      expect(call).rejects.toMatchObject({ code: 'deadline_exceeded', progress: 'sent' }),
    ]);
    if (!socket.closed) await once(socket, 'close');
  });

  it('by its signal has its connection closed', async () => {
    const { url, request } = await silent();
    const abort = new AbortController();
    const call = isLive(connect(url), { signal: abort.signal });
    const [{ socket }] = await request();
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(call).rejects.toMatchObject({
      code: 'cancelled',
      cause: reason,
      progress: 'sent',
    });
    if (!socket.closed) await once(socket, 'close');
  });

  it('before it began is not sent', async () => {
    const handler = vi.fn<() => void>();
    const transport = await serve(handler);
    await expect(isLive(transport, { deadline: performance.now() - 1 })).rejects.toMatchObject({
      code: 'deadline_exceeded',
      progress: 'unsent',
    });
    const signal = AbortSignal.abort('why');
    await expect(isLive(transport, { signal })).rejects.toMatchObject({
      code: 'cancelled',
      cause: 'why',
      progress: 'unsent',
    });
    expect(handler).not.toHaveBeenCalled();
  });

  it('while it waits for a connection is never sent, and costs none', async () => {
    const { url, request } = await silent();
    const transport = connect(url);
    const busy = Array.from({ length: 64 }, () => isLive(transport));
    const open = await Promise.all(busy.map(request));
    const abort = new AbortController();
    const waiting = isLive(transport, { metadata: { order: '1' }, signal: abort.signal });
    const next = isLive(transport, { metadata: { order: '2' } });
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled', progress: 'unsent' });
    const [first] = open;
    first?.[1].end();
    const [{ headers, socket }, response] = await request();
    expect(headers.order).toBe('2');
    expect(socket).toBe(first?.[0].socket);
    for (const [, answer] of [...open, [null, response] as const]) answer.end();
    expect(await Promise.all([...busy, next])).not.toContain(false);
  });

  it.each([
    ['small', 100],
    ['large', 250_000],
  ])('while it waits for a connection lets go of its body: %s', async (_, length) => {
    const { url, request } = await silent();
    const transport = connect(url, { connections: 1 });
    const bodies: NonNullable<Dispatcher.DispatchOptions['body']>[] = [];
    const dispatch = vi.spyOn(Pool.prototype, 'dispatch');
    onTestFinished(() => dispatch.mockRestore());
    const busy = isLive(transport);
    const [, response] = await request();
    const abort = new AbortController();
    const calls = Array.from({ length: 3 }, () =>
      infer(transport, new Float32Array(length), { signal: abort.signal }),
    );
    const options = dispatch.mock.calls.slice(1).map(([given]) => given);
    for (const { body } of options) if (body) bodies.push(body);
    expect(bodies).toHaveLength(3);
    abort.abort();
    for (const call of calls) await expect(call).rejects.toMatchObject({ progress: 'unsent' });
    expect(options.map(({ body }) => body)).toEqual([null, null, null]);
    // One in pieces is emptied, too: undici holds it elsewhere while it connects.
    expect(bodies.filter((body) => Array.isArray(body)).flat()).toEqual([]);
    // None of them is sent, and the connection goes on.
    const next = isLive(transport, { metadata: { order: 'next' } });
    response.end();
    const [{ headers }, answer] = await request();
    expect(headers.order).toBe('next');
    answer.end();
    expect(await Promise.all([busy, next])).toEqual([true, true]);
  });

  it('or not, leaves no listener and no timer', async () => {
    const transport = await serve((_, response) => void response.end());
    const { signal } = new AbortController();
    const warned = vi.fn<() => void>();
    process.on('warning', warned);
    const deadline = performance.now() + 1e9;
    const timers = new Set<number>();
    const hook = createHook({
      init(id, type) {
        if (type === 'Timeout' && /watchLimits/.test(new Error().stack ?? '')) timers.add(id);
      },
      destroy: (id) => void timers.delete(id),
    }).enable();
    onTestFinished(() => void hook.disable());
    const calls = Array.from({ length: 100 }, () => isLive(transport, { signal, deadline }));
    expect(getEventListeners(signal, 'abort')).toHaveLength(100);
    expect(timers.size).toBe(100);
    await Promise.all(calls);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    // Node closes handles at the end of a turn of its event loop.
    for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
    expect(timers.size).toBe(0);
    process.off('warning', warned);
    expect(warned).not.toHaveBeenCalled();
  });
});

describe('a stream', () => {
  const TYPE = 'text/event-stream';

  it('gives the answers as they come', async () => {
    const transport = await serve(async (request, response) => {
      expect(request.url).toBe('/v2/models/text/generate_stream');
      expect(String(await buffer(request))).toBe('{"text_input":"a"}');
      response.setHeader('content-type', TYPE);
      for (const byte of 'data: {"n":1}\n\ndata: {"n":2}\n\n') response.write(byte);
      response.end();
    });
    expect(await collect(stream(transport))).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('that is left has its connection closed', async () => {
    const { url, request } = await silent();
    const reading = (async () => {
      for await (const answer of stream(connect(url))) return answer;
      return undefined;
    })();
    const [{ socket }, response] = await request();
    response.writeHead(200, { 'content-type': TYPE }).write('data: {"n":1}\n\n');
    expect(await reading).toEqual({ n: 1 });
    if (!socket.closed) await once(socket, 'close');
  });

  it('that is left while an answer is awaited ends at once', async () => {
    const { url, request } = await silent();
    const answers = stream(connect(url))[Symbol.asyncIterator]();
    const next = answers.next();
    const [{ socket }] = await request();
    await answers.return?.();
    expect(await next).toEqual({ done: true, value: undefined });
    if (!socket.closed) await once(socket, 'close');
  });

  it('that is given up ends at once', async () => {
    const { url, request } = await silent();
    const abort = new AbortController();
    const reading = collect(stream(connect(url), { signal: abort.signal }));
    const [{ socket }] = await request();
    abort.abort();
    await expect(reading).rejects.toMatchObject({ code: 'cancelled', operation: 'GenerateStream' });
    if (!socket.closed) await once(socket, 'close');
  });

  it('that breaks off says what came', async () => {
    const transport = await serve((_, response) => {
      response.setHeader('content-type', TYPE);
      response.write('data: {"n":1}\n\n', () => response.destroy());
    });
    const answers = stream(transport)[Symbol.asyncIterator]();
    expect((await answers.next()).value).toEqual({ n: 1 });
    await expect(answers.next()).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'connection',
      progress: 'answered',
    });
  });

  it('with an event that never ends is refused', async () => {
    const transport = await serve(
      (_, response) => {
        response.setHeader('content-type', TYPE);
        response.write(`data: ${'x'.repeat(2_000)}`);
      },
      { maxMessageBytes: 1_000 },
    );
    await expect(collect(stream(transport))).rejects.toMatchObject({ reason: 'too_large' });
  });

  it('of inference requests does not exist', async () => {
    const answers = connect(new URL('http://127.0.0.1:1')).stream({
      operation: 'ModelStreamInfer',
      requests: [],
      context: { metadata: {} },
    });
    await expect(collect(answers)).rejects.toMatchObject({
      code: 'unimplemented',
      message: expect.stringMatching(/gRPC.*generateStream/),
      progress: 'unsent',
    });
  });
});

describe('the connection', () => {
  it('is kept', async () => {
    const sockets = new Set<unknown>();
    const transport = await serve(({ socket }, response) => {
      sockets.add(socket);
      response.end();
    });
    for (let index = 0; index < 20; index++) expect(await isLive(transport)).toBe(true);
    // A call that is made at the very end of another finds the connection still taken.
    expect(sockets.size).toBeLessThan(3);
  });

  it('is made anew where the server closed it while nothing was asked', async () => {
    const server: Server = createServer((_, response) => void response.end());
    const transport = connect(await listen(server));
    for (let index = 0; index < 5; index++) {
      expect(await isLive(transport)).toBe(true);
      server.closeIdleConnections();
    }
  });

  it('that is refused has carried nothing', async () => {
    const server = createTcpServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    await expect(isLive(connect(new URL(`http://127.0.0.1:${port}`)))).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'connection',
      progress: 'unsent',
    });
  });

  it('that is closed in place of an answer may have carried the request', async () => {
    const transport = await serve(({ socket }) => socket.destroy());
    await expect(isLive(transport)).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'connection',
      progress: 'sent',
    });
  });

  it('that does not come about is given up in time', async () => {
    const server = createTcpServer();
    const accepted = once(server, 'connection');
    const url = await listen(server, 'https');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const call = isLive(connect(url, { connectTimeoutMs: 300 }));
    await Promise.all([
      expect(call).rejects.toMatchObject({
        code: 'unavailable',
        reason: 'connection',
        message: expect.stringContaining('within 300 ms'),
        progress: 'unsent',
      }),
      accepted.then(() => vi.advanceTimersByTime(300)),
    ]);
  });

  it('ends with the transport, and the calls with it', async () => {
    const { url, request } = await silent();
    const transport = httpTransport(url);
    const call = isLive(transport);
    const [{ socket }] = await request();
    await Promise.all([
      transport.close(),
      expect(call).rejects.toMatchObject({ code: 'cancelled', progress: 'sent' }),
    ]);
    if (!socket.closed) await once(socket, 'close');
    await expect(isLive(transport)).rejects.toMatchObject({
      code: 'cancelled',
      progress: 'unsent',
    });
    await transport.close();
  });

  it('leads to a path of its own, where the URL has one', async () => {
    const server = createServer(({ url }, response) => {
      response.writeHead(url === '/triton/v2/health/live' ? 200 : 404).end();
    });
    const url = await listen(server);
    expect(await isLive(connect(new URL('/triton/', url)))).toBe(true);
  });

  it.each([
    ['ftp://host', {}, 'url'],
    ['http://user@host', {}, 'url'],
    ['http://host?query', {}, 'url'],
    ['http://host', { tls: {} }, 'tls'],
  ])('is refused where it makes no sense: %s', (url, options, where) => {
    expect(() => httpTransport(new URL(url), options)).toThrow(new RegExp(`^${where}: `));
  });
});

describe('a server of another protocol', () => {
  it('that says something else', async () => {
    const server = createTcpServer((socket) => void socket.end('+PONG\r\n'));
    await expect(isLive(connect(await listen(server)))).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'protocol',
      message: expect.stringContaining('does not speak HTTP/1.1'),
    });
  });

  it('HTTP/2, as on the gRPC port', async () => {
    await expect(isLive(connect(await listen(createHttp2Server())))).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'protocol',
    });
    const grpc = createTcpServer(
      (socket) => void socket.write(Buffer.from('000000040000000000', 'hex')),
    );
    await expect(isLive(connect(await listen(grpc)))).rejects.toMatchObject({
      reason: 'protocol',
      message: expect.stringContaining('gRPC port'),
    });
  });

  it('HTTP, but no Triton', async () => {
    const transport = await serve((_, response) => {
      response.setHeader('content-type', 'text/html');
      response.end('<html><title>Welcome</title>');
    });
    await expect(isLive(transport)).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'protocol',
      message: expect.stringMatching(/no Triton.*Welcome/),
    });
    await expect(collect(stream(transport))).rejects.toMatchObject({ reason: 'protocol' });
  });

  it('TLS, where plain HTTP was wanted', async () => {
    const alert = createTcpServer(
      (socket) => void socket.end(Buffer.from('15030300020246', 'hex')),
    );
    await expect(isLive(connect(await listen(alert)))).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'tls',
      message: expect.stringContaining('https:'),
      progress: 'sent',
    });
  });

  it('plain HTTP, where TLS was wanted', async () => {
    const url = await listen(createServer(), 'https');
    await expect(isLive(connect(url))).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'tls',
      message: expect.stringContaining('does not speak TLS'),
      progress: 'unsent',
    });
  });
});

describe('TLS', () => {
  const authority = makeCertificate({ name: 'authority' });
  const good = makeCertificate({ issuer: authority });
  /** Of TLS, with content that no key made. */
  const RECORD = `1703030040${'00'.repeat(64)}`;
  const serveTls = (options: Parameters<typeof createSecureServer>[0]): Promise<URL> =>
    listen(
      createSecureServer(options, (_, response) => void response.end()),
      'https',
    );

  it('knows the server by its certificate', async () => {
    const url = await serveTls({ cert: good.cert, key: good.key });
    expect(await isLive(connect(url, { tls: { ca: authority.cert } }))).toBe(true);
    const named = { ca: [authority.cert], serverName: 'localhost' };
    expect(await isLive(connect(url, { tls: named }))).toBe(true);
  });

  const expired = makeCertificate({ issuer: authority, expired: true });
  const itself = makeCertificate();
  it.each([
    ['has expired', expired, { ca: authority.cert }],
    ['signed by nobody who is trusted', good, {}],
    ['signed by nobody who is trusted', itself, { ca: authority.cert }],
    ['is for another name', good, { ca: authority.cert, serverName: 'example.org' }],
  ])('refuses a certificate that %s', async (words, { cert, key }, tls) => {
    await expect(isLive(connect(await serveTls({ cert, key }), { tls }))).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'tls',
      message: expect.stringContaining(words),
      progress: 'unsent',
    });
  });

  it('is not all there is: the server must speak HTTP/1.1, too', async () => {
    const { cert, key } = good;
    const url = await listen(createSecureHttp2Server({ cert, key }), 'https');
    await expect(isLive(connect(url, { tls: { ca: authority.cert } }))).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'protocol',
      message: expect.stringContaining('not HTTP/1.1'),
    });
  });

  it('that breaks after the server ran the request says that it was sent', async () => {
    const ran = Promise.withResolvers<void>();
    const server = createSecureServer(good, (request) => {
      request.resume().once('end', ran.resolve);
    });
    const { port } = await listen(server, 'https');
    const front = createTcpServer((socket) => {
      const behind = connectTcp(Number(port), '127.0.0.1');
      socket.pipe(behind).pipe(socket);
      socket.on('error', () => behind.destroy());
      behind.on('error', () => socket.destroy());
      void ran.promise.then(() => socket.write(Buffer.from(RECORD, 'hex')));
    });
    const url = await listen(front, 'https');
    const call = infer(connect(url, { tls: { ca: authority.cert } }), new Float32Array(1));
    await expect(call).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'tls',
      progress: 'sent',
    });
  });

  it('shows a certificate of its own', async () => {
    const { cert, key } = good;
    const url = await serveTls({ cert, key, ca: authority.cert, requestCert: true });
    const mine = makeCertificate({ name: 'me', issuer: authority });
    const tls = { ca: authority.cert, cert: mine.cert, key: mine.key };
    expect(await isLive(connect(url, { tls }))).toBe(true);
    // Node closes the connection without a word; other servers send an alert.
    await expect(isLive(connect(url, { tls: { ca: authority.cert } }))).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});
