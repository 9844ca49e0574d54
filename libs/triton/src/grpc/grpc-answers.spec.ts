import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterEach, expect, test, vi } from 'vitest';
import type { ConnectionOptions } from '../connection-options.js';
import { flag, frame, frameType } from '../http2/frames.js';
import {
  dataFrame,
  headersFrame,
  type RawPeer,
  RawServer,
  settings,
} from '../../../../test/support/http2/raw-server.js';
import { until } from '../../../../test/support/http2/until.js';
import type { CallContext, StreamAnswer, Transport } from '../transport.js';
import { grpcTransport } from './grpc-transport.js';

const grpcHead = { ':status': 200, 'content-type': 'application/grpc' };
const closing: (() => unknown)[] = [];

afterEach(async () => {
  vi.useRealTimers();
  for (const close of closing.splice(0).toReversed()) await close();
});

/** A server of node:http2, which knows nothing of gRPC. */
async function serve(
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<number> {
  const server = createServer();
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {});
    onStream(stream, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    return once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

function client(port: number, options: ConnectionOptions = {}): Transport {
  const transport = grpcTransport(new URL(`grpc://127.0.0.1:${port}`), options);
  closing.push(() => transport.close());
  return transport;
}

function call(transport: Transport, context: Partial<CallContext> = {}): Promise<string> {
  return transport
    .unary({ operation: 'ServerMetadata', request: {}, context: { metadata: {}, ...context } })
    .then(({ name }) => name);
}

function streamOf(
  transport: Transport,
  context: Partial<CallContext> = {},
): AsyncIterator<StreamAnswer> {
  const answers = transport.stream({
    operation: 'ModelStreamInfer',
    requests: [],
    context: { metadata: {}, ...context },
  });
  return answers[Symbol.asyncIterator]();
}

function message(body: Uint8Array, compressed = 0): Buffer {
  const prefix = Buffer.from([compressed, 0, 0, 0, 0]);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

/** ServerMetadataResponse of this name. */
function named(name: string): Buffer {
  return Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]);
}

/** A server that says what it is told, and the peer of its first connection. */
async function raw(
  own: Readonly<Record<number, number>> = {},
): Promise<[number, Promise<RawPeer>]> {
  const accepted = Promise.withResolvers<RawPeer>();
  const server = await RawServer.listen((peer) => {
    peer.write(settings(own));
    accepted.resolve(peer);
  });
  closing.push(() => server[Symbol.asyncDispose]());
  return [server.port, accepted.promise];
}

const rawHead = { ':status': '200', 'content-type': 'application/grpc' };

/** The bytes by which the client widens the window of stream 1 before it answers a ping. */
async function credited(peer: RawPeer): Promise<number> {
  peer.write(frame(frameType.ping, 0, 0, Buffer.alloc(8)));
  for (let bytes = 0; ;) {
    const { type, stream, payload } = await peer.any();
    if (type === frameType.ping) return bytes;
    if (type === frameType.windowUpdate && stream === 1) bytes += payload.readUInt32BE();
  }
}

function answer(
  stream: ServerHttp2Stream,
  body: Uint8Array,
  trailers: OutgoingHttpHeaders,
  head: OutgoingHttpHeaders = {},
): void {
  stream.respond({ ...grpcHead, ...head }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}

test('what goes over the wire', async () => {
  let got: IncomingHttpHeaders = {};
  const port = await serve((stream, headers) => {
    got = headers;
    stream.on('data', (data: Buffer) => expect(data.toString('hex')).toBe('0000000000'));
    answer(stream, message(named('triton')), { 'grpc-status': '0' });
  });
  const metadata = { authorization: 'Bearer x', 'x-b': 'y' };
  expect(await call(client(port), { metadata, deadline: performance.now() + 5_000 })).toBe(
    'triton',
  );
  expect(got).toMatchObject({
    ':method': 'POST',
    ':scheme': 'http',
    ':path': '/inference.GRPCInferenceService/ServerMetadata',
    ':authority': `127.0.0.1:${port}`,
    te: 'trailers',
    'content-type': 'application/grpc',
    'grpc-accept-encoding': 'identity,deflate,gzip',
    'grpc-timeout': expect.stringMatching(/^(5000|49\d\d)m$/),
    ...metadata,
  });
  expect(got).not.toHaveProperty('grpc-encoding');
});

test.each([
  [99_000_000, /^(99000000|98999\d{3})m$/],
  [200_000_000, /^(200000|199999)S$/],
  [1e15, /^99999999S$/],
])('a deadline in %d ms as gRPC writes it', async (ms, expected) => {
  let text: unknown;
  const port = await serve((stream, headers) => {
    text = headers['grpc-timeout'];
    answer(stream, message(named('ok')), { 'grpc-status': '0' });
  });
  await call(client(port), { deadline: performance.now() + ms });
  expect(text).toMatch(expected);
});

test.each<[string, OutgoingHttpHeaders, string]>([
  ['a trailing space', { 'grpc-message': 'went wrong: ' }, 'went wrong: '],
  ['percent-encoded UTF-8', { 'grpc-message': 'gr%C3%BC%C3%9Fe%20%25' }, 'grüße %'],
  ['a broken percent code', { 'grpc-message': '100% %zz' }, '100% %zz'],
  ['no words', {}, ''],
])('trailers only: %s', async (_, words, expected) => {
  const port = await serve((stream) => {
    stream.respond({ ...grpcHead, 'grpc-status': '5', ...words }, { endStream: true });
  });
  await expect(call(client(port))).rejects.toMatchObject({
    code: 'not_found',
    status: 5,
    message: expected,
  });
});

test.each<[string, (stream: ServerHttp2Stream) => void, object]>([
  [
    'a page of another server',
    (stream) => {
      stream.respond({ ':status': 404, 'content-type': 'text/html' });
      stream.end('<html>not found</html>');
    },
    {
      code: 'unimplemented',
      reason: 'protocol',
      message: expect.stringContaining('HTTP status 404 (text/html), not gRPC'),
    },
  ],
  [
    'a proxy without a server behind it',
    (stream) => stream.respond({ ':status': 503 }, { endStream: true }),
    {
      code: 'unavailable',
      reason: 'protocol',
      message: expect.stringContaining('503 (no content type)'),
    },
  ],
  [
    'a proxy that says gRPC',
    (stream) => stream.respond({ ...grpcHead, ':status': 502 }, { endStream: true }),
    { code: 'unavailable', reason: 'protocol' },
  ],
  [
    'no status',
    (stream) => {
      stream.respond(grpcHead);
      stream.end(message(named('x')));
    },
    {
      code: 'internal',
      reason: 'protocol',
      progress: 'answered',
      message: expect.stringContaining('without a gRPC status'),
    },
  ],
  [
    'an unknown status',
    (stream) => answer(stream, Buffer.alloc(0), { 'grpc-status': '77' }),
    { code: 'unknown', status: 77 },
  ],
  [
    'a good end without an answer',
    (stream) => answer(stream, Buffer.alloc(0), { 'grpc-status': '0' }),
    { code: 'internal', reason: 'protocol', progress: 'sent' },
  ],
  [
    'an answer that is cut off',
    (stream) => answer(stream, message(named('whole')).subarray(0, 8), { 'grpc-status': '0' }),
    { code: 'internal', reason: 'protocol', message: 'the answer is cut off' },
  ],
  [
    'an answer that is no protobuf',
    (stream) => answer(stream, message(Buffer.from([0x0a, 0x7f, 1])), { 'grpc-status': '0' }),
    { progress: 'answered' },
  ],
  [
    'a compression that was not offered',
    (stream) =>
      answer(stream, message(named('x'), 1), { 'grpc-status': '0' }, { 'grpc-encoding': 'br' }),
    { code: 'internal', reason: 'protocol', message: expect.stringContaining('"br"') },
  ],
  [
    'a compression by a name that objects have',
    (stream) =>
      answer(
        stream,
        message(named('x'), 1),
        { 'grpc-status': '0' },
        { 'grpc-encoding': 'constructor' },
      ),
    { code: 'internal', reason: 'protocol' },
  ],
  [
    'a compressed answer without a name',
    (stream) => answer(stream, message(named('x'), 1), { 'grpc-status': '0' }),
    { code: 'internal', reason: 'protocol', message: expect.stringContaining('"identity"') },
  ],
  [
    'broken gzip',
    (stream) =>
      answer(
        stream,
        message(Buffer.from('no gzip'), 1),
        { 'grpc-status': '0' },
        { 'grpc-encoding': 'gzip' },
      ),
    { code: 'internal', reason: 'protocol' },
  ],
])('%s', async (_, onStream, expected) => {
  const transport = client(await serve(onStream));
  await expect(call(transport)).rejects.toMatchObject({
    name: 'TritonError',
    operation: 'ServerMetadata',
    ...expected,
  });
});

test.each([
  ['gzip', gzipSync],
  ['deflate', deflateSync],
])(
  '%s: a small answer that would unfold into a large one is refused and cancelled',
  async (encoding, compress) => {
    const bomb = compress(Buffer.alloc(10_000_000));
    const cancelled = Promise.withResolvers<number | undefined>();
    const port = await serve((stream) => {
      stream.on('close', () => cancelled.resolve(stream.rstCode));
      stream.respond({ ...grpcHead, 'grpc-encoding': encoding });
      stream.write(message(bomb, 1));
    });
    await expect(call(client(port, { maxMessageBytes: 1_000_000 }))).rejects.toMatchObject({
      code: 'resource_exhausted',
      reason: 'too_large',
    });
    expect(await cancelled.promise).toBe(8);
  },
);

test('messages cut anywhere', async () => {
  const body = Buffer.concat([
    message(Buffer.from([0x12, 0])),
    message(Buffer.alloc(0)),
    message(Buffer.alloc(0)),
  ]);
  const port = await serve((stream) => {
    stream.respond(grpcHead, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    for (const byte of body) stream.write(Buffer.from([byte]));
    stream.end();
  });
  const answers = streamOf(client(port));
  for (let at = 0; at < 3; at++) expect(await answers.next()).toMatchObject({ done: false });
  expect(await answers.next()).toEqual({ done: true, value: undefined });
});

test('a malformed message ends its own stream only', async () => {
  let began = 0;
  const port = await serve((stream) => {
    if (began++ > 0) return answer(stream, message(named('fine')), { 'grpc-status': '0' });
    stream.respond(grpcHead);
    stream.write(message(Buffer.from([0x12, 0x7f, 1])));
  });
  const transport = client(port);
  await expect(streamOf(transport).next()).rejects.toMatchObject({ name: 'TritonError' });
  expect(await call(transport)).toBe('fine');
  expect(began).toBe(2);
});

test('a slow reader holds the server back, and gets it all', async () => {
  const [port, accepted] = await raw();
  const answers = streamOf(client(port));
  const first = answers.next();
  const peer = await accepted;
  await peer.next(frameType.headers);
  peer.write(headersFrame(1, rawHead));
  const id = Buffer.from([0x12, 0x84, 0x80, 0x04, 0x1a, 0x80, 0x80, 0x04]);
  const one = message(Buffer.concat([id, Buffer.alloc(2 ** 16, 'i')]));
  const all = Buffer.concat(Array.from({ length: 200 }, () => one));
  let sent = 0;
  const send = (window: number): void => {
    for (const end = Math.min(all.length, sent + window); sent < end; sent += 2 ** 14)
      peer.write(dataFrame(1, all.subarray(sent, Math.min(end, sent + 2 ** 14))));
    sent = Math.min(sent, all.length);
  };
  // A window of 4 MiB, of which a quarter is taken before the reader reads.
  send(4 * 2 ** 20);
  expect((await first).value).toMatchObject({ answer: { id: 'i'.repeat(2 ** 16) } });
  expect(await credited(peer)).toBe(0);
  let count = 1;
  const read = async (): Promise<void> => {
    while ((await answers.next()).done !== true) count++;
  };
  const done = read();
  while (sent < all.length) {
    const { stream, payload } = await peer.next(frameType.windowUpdate);
    if (stream === 1) send(payload.readUInt32BE());
  }
  peer.write(headersFrame(1, { 'grpc-status': '0' }, flag.endHeaders | flag.endStream));
  await done;
  expect(count).toBe(200);
});

test('messages without content hold the server back, too', async () => {
  const [port, accepted] = await raw();
  const answers = streamOf(client(port));
  const first = answers.next();
  const peer = await accepted;
  await peer.next(frameType.headers);
  peer.write(headersFrame(1, rawHead));
  for (let sent = 0; sent < 2 ** 21; sent += 10_000) peer.write(dataFrame(1, Buffer.alloc(10_000)));
  expect(await first).toMatchObject({ done: false });
  expect(await credited(peer)).toBe(0);
});

test('a deadline that passes while it connects, and while it waits for its turn', async () => {
  const silent = await RawServer.listen(() => {});
  closing.push(() => silent[Symbol.asyncDispose]());
  const late = { code: 'deadline_exceeded', progress: 'unsent' };
  await expect(
    call(client(silent.port), { deadline: performance.now() + 20 }),
  ).rejects.toMatchObject(late);
  const [port, accepted] = await raw({ 3: 1 });
  const transport = client(port);
  const controller = new AbortController();
  const first = call(transport, { signal: controller.signal }).catch((error: unknown) => error);
  await (await accepted).next(frameType.headers);
  await expect(call(transport, { deadline: performance.now() + 20 })).rejects.toMatchObject(late);
  controller.abort();
  expect(await first).toMatchObject({ code: 'cancelled', progress: 'sent' });
});

test('a call that is given up as soon as it was made counts as sent: the server gets all of it', async () => {
  let bodies = 0;
  const port = await serve((stream) => {
    stream.on('data', () => bodies++);
    if (bodies === 0) answer(stream, message(named('first')), { 'grpc-status': '0' });
  });
  const transport = client(port);
  await call(transport);
  const controller = new AbortController();
  const given = call(transport, { signal: controller.signal });
  controller.abort();
  await expect(given).rejects.toMatchObject({ code: 'cancelled', progress: 'sent' });
  await until(() => bodies === 2);
});

test('an input that is gone before there is a connection is refused', async () => {
  const [port] = await raw();
  const data = new Float32Array(50_000);
  const infer = client(port).unary({
    operation: 'ModelInfer',
    request: {
      model: 'm',
      inputs: [{ name: 'I', tensor: { datatype: 'FP32', shape: [50_000], data } }],
    },
    context: { metadata: {} },
  });
  structuredClone(data.buffer, { transfer: [data.buffer] });
  await expect(infer).rejects.toMatchObject({
    code: 'invalid_argument',
    progress: 'unsent',
    operation: 'ModelInfer',
    message: expect.stringContaining('transferred or resized'),
  });
});

test('what waits for its reader when the deadline passes is not read on', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const port = await serve((stream) => {
    stream.respond(grpcHead);
    stream.write(Buffer.concat([message(Buffer.alloc(0)), message(Buffer.alloc(0))]));
  });
  const answers = streamOf(client(port), { deadline: performance.now() + 1_000 });
  expect(await answers.next()).toMatchObject({ done: false });
  vi.advanceTimersByTime(1_000);
  await expect(answers.next()).rejects.toMatchObject({
    code: 'deadline_exceeded',
    progress: 'answered',
  });
});

test('a call without an answer in time makes the connection prove that it lives: it does not', async () => {
  const accepted: RawPeer[] = [];
  const server = await RawServer.listen((peer) => {
    accepted.push(peer);
    peer.write(settings({}));
  });
  closing.push(() => server[Symbol.asyncDispose]());
  const transport = client(server.port, { keepAliveTimeoutMs: 30 });
  const other = call(transport).catch((error: unknown) => error);
  await until(() => accepted.length === 1);
  await accepted[0]?.next(frameType.headers);
  await expect(call(transport, { deadline: performance.now() + 20 })).rejects.toMatchObject({
    code: 'deadline_exceeded',
  });
  await accepted[0]?.next(frameType.ping);
  expect(await other).toMatchObject({
    code: 'unavailable',
    reason: 'connection',
    progress: 'sent',
    message: expect.stringContaining('no sign of life'),
  });
  // The next one takes a new connection.
  const controller = new AbortController();
  const next = call(transport, { signal: controller.signal }).catch(() => {});
  await until(() => accepted.length === 2);
  controller.abort();
  await next;
});

test('a silent connection is asked after keepAliveMs, and lives as long as it answers', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const [port, accepted] = await raw();
  const transport = client(port, { keepAliveMs: 20, keepAliveTimeoutMs: 40 });
  const outcome = call(transport).catch((error: unknown) => error);
  const peer = await accepted;
  await peer.next(frameType.headers);
  vi.advanceTimersByTime(20);
  for (let round = 0; round < 3; round++) {
    const { payload } = await peer.next(frameType.ping);
    peer.write(frame(frameType.ping, flag.ack, 0, payload));
    await credited(peer);
    vi.advanceTimersByTime(40);
  }
  await peer.next(frameType.ping);
  vi.advanceTimersByTime(40);
  expect(await outcome).toMatchObject({
    code: 'unavailable',
    progress: 'sent',
    message: expect.stringContaining('no sign of life for'),
  });
});
