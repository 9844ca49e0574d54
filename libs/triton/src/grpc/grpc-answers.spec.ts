import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import type { ConnectionOptions } from '../connection-options.js';
import { frame, frameType } from '../http2/frames.js';
import { type RawPeer, RawServer, settings } from '../../../../test/support/http2/raw-server.js';
import { until } from '../../../../test/support/http2/until.js';
import type { CallContext, StreamAnswer, Transport } from '../transport.js';
import { grpcTransport } from './grpc-transport.js';

const grpcHead = { ':status': 200, 'content-type': 'application/grpc' };
const closing: (() => unknown)[] = [];

afterEach(async () => {
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

function streamOf(transport: Transport): AsyncIterator<StreamAnswer> {
  const answers = transport.stream({
    operation: 'ModelStreamInfer',
    requests: [],
    context: { metadata: {} },
  });
  return answers[Symbol.asyncIterator]();
}

function message(body: Uint8Array, flag = 0): Buffer {
  const prefix = Buffer.from([flag, 0, 0, 0, 0]);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

/** ServerMetadataResponse of this name. */
function named(name: string): Buffer {
  return Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]);
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
  const whole = 400;
  const one = message(
    Buffer.concat([
      Buffer.from([0x12, 0x84, 0x80, 0x04, 0x1a, 0x80, 0x80, 0x04]),
      Buffer.alloc(2 ** 16, 'i'),
    ]),
  );
  let sent = 0;
  const port = await serve((stream) => {
    stream.respond(grpcHead, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    const write = (): void => {
      if (sent === whole) stream.end();
      // Called back once it has left the server.
      else
        stream.write(one, () => {
          sent++;
          write();
        });
    };
    write();
  });
  const transport = client(port);
  const answers = streamOf(transport);
  expect((await answers.next()).value).toMatchObject({ answer: { id: 'i'.repeat(2 ** 16) } });
  // The window of a stream is 4 MiB; what is read gives room for as much again, half of it at a time.
  let before = 0;
  let still = 0;
  await until(() => {
    still = sent === before ? still + 1 : 0;
    before = sent;
    return still > 50 && sent * one.length > 3 * 2 ** 20;
  });
  expect(sent * one.length).toBeLessThan(6 * 2 ** 20);
  let count = 1;
  while ((await answers.next()).done !== true) count++;
  expect(count).toBe(whole);
});

test('a deadline that passes while it connects, and while it waits for its turn', async () => {
  const silent = await RawServer.listen(() => {});
  closing.push(() => silent[Symbol.asyncDispose]());
  const late = { code: 'deadline_exceeded', progress: 'unsent' };
  await expect(
    call(client(silent.port), { deadline: performance.now() + 20 }),
  ).rejects.toMatchObject(late);
  const one = await RawServer.listen((peer) => peer.write(settings({ 3: 1 })));
  closing.push(() => one[Symbol.asyncDispose]());
  const transport = client(one.port);
  const first = call(transport, { deadline: performance.now() + 60 });
  const second = call(transport, { deadline: performance.now() + 40 });
  await expect(second).rejects.toMatchObject(late);
  await expect(first).rejects.toMatchObject({ code: 'deadline_exceeded', progress: 'sent' });
});

test('a call without an answer in time makes the connection prove that it lives: it does not', async () => {
  const accepted: RawPeer[] = [];
  const server = await RawServer.listen((peer) => {
    accepted.push(peer);
    peer.write(settings({}));
  });
  closing.push(() => server[Symbol.asyncDispose]());
  const transport = client(server.port, { keepAliveTimeoutMs: 30 });
  const other = call(transport);
  const [late] = await Promise.allSettled([call(transport, { deadline: performance.now() + 20 })]);
  expect(late).toMatchObject({ reason: { code: 'deadline_exceeded' } });
  await accepted[0]?.next(frameType.ping);
  await expect(other).rejects.toMatchObject({
    code: 'unavailable',
    reason: 'connection',
    progress: 'sent',
    message: expect.stringContaining('no sign of life'),
  });
  // The next one takes a new connection.
  const next = call(transport, { deadline: performance.now() + 20 }).catch(() => {});
  await until(() => accepted.length === 2);
  await next;
});

test('a silent connection is asked after keepAliveMs, and lives if it answers', async () => {
  const pinged = Promise.withResolvers<RawPeer>();
  const server = await RawServer.listen(async (peer) => {
    peer.write(settings({}));
    const { payload } = await peer.next(frameType.ping);
    peer.write(frame(frameType.ping, 1, 0, payload));
    await peer.next(frameType.ping);
    pinged.resolve(peer);
  });
  closing.push(() => server[Symbol.asyncDispose]());
  const transport = client(server.port, { keepAliveMs: 20, keepAliveTimeoutMs: 40 });
  const outcome = call(transport).catch((error: unknown) => error);
  await pinged.promise;
  expect(await outcome).toMatchObject({
    code: 'unavailable',
    progress: 'sent',
  });
});
