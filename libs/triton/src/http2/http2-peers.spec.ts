import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { CallRecorder } from '../../../../test/support/http2/call-recorder.js';
import { connect } from './connect.js';
import { errorCode } from './error-codes.js';
import { flag, frame, frameType, setting, uint32Frame } from './frames.js';
import { Http2Connection } from './http2-connection.js';
import {
  dataFrame,
  goawayFrame,
  headersFrame,
  literals,
  RawPeer,
  RawServer,
  settings,
} from '../../../../test/support/http2/raw-server.js';
import { until } from '../../../../test/support/http2/until.js';

const ok = { ':status': '200' };
const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const it of open.splice(0).toReversed()) await it[Symbol.asyncDispose]();
});

/** A peer that has sent its SETTINGS, and our connection to it. */
async function pair(
  own: Readonly<Record<number, number>> = {},
): Promise<{ connection: Http2Connection; peer: RawPeer }> {
  const accepted = Promise.withResolvers<RawPeer>();
  const server = await RawServer.listen((peer) => {
    peer.write(settings(own));
    accepted.resolve(peer);
  });
  open.push(server);
  const connection = await connect(
    '127.0.0.1',
    server.port,
    false,
    {},
    new AbortController().signal,
  );
  open.push({
    [Symbol.asyncDispose]: async () => {
      connection.close();
    },
  });
  return { connection, peer: await accepted.promise };
}

/** Resolves when the client has read what was written before. */
async function settled(peer: RawPeer): Promise<void> {
  peer.write(frame(frameType.ping, 0, 0, Buffer.alloc(8)));
  await peer.next(frameType.ping);
}

async function begun(call: CallRecorder, peer: RawPeer): Promise<number> {
  const { stream } = await peer.next(frameType.headers);
  expect(call.stream.id).toBe(stream);
  return stream;
}

describe('what is passed over', () => {
  test.each<[string, Buffer[]]>([
    [
      'unknown frame types',
      [frame(0xee, 0xff, 1, Buffer.alloc(77)), frame(0xee, 0, 0, Buffer.alloc(0))],
    ],
    ['PRIORITY', [frame(2, 0, 1, Buffer.alloc(5))]],
    ['unknown settings', [settings({ 0x99: 1, [setting.maxHeaderListSize]: 10 })]],
    [
      'frames of a stream that has ended',
      [
        headersFrame(1, ok),
        dataFrame(1, 'late', flag.endStream),
        uint32Frame(frameType.rstStream, 1, 8),
        uint32Frame(frameType.windowUpdate, 1, 8),
      ],
    ],
  ])('%s', async (_, frames) => {
    const { connection, peer } = await pair();
    const first = new CallRecorder(connection);
    await begun(first, peer);
    peer.write(headersFrame(1, ok, flag.endHeaders | flag.endStream));
    expect(await first.done).toBeUndefined();
    peer.write(...frames);
    const call = new CallRecorder(connection);
    await begun(call, peer);
    peer.write(headersFrame(3, ok), dataFrame(3, 'fine', flag.endStream));
    expect(await call.done).toBeUndefined();
    expect(call.body.toString()).toBe('fine');
  });
});

describe('a server that breaks HTTP/2 loses its connection', () => {
  const block = literals(ok);
  test.each<[string, number, Buffer[]]>([
    ['DATA on stream 0', errorCode.protocol, [dataFrame(0, 'x')]],
    ['DATA on an idle stream', errorCode.protocol, [dataFrame(3, 'x')]],
    ['DATA on a stream of its own', errorCode.protocol, [dataFrame(2, 'x')]],
    [
      'padding beyond its DATA',
      errorCode.protocol,
      [dataFrame(1, Buffer.from([9, 1]), flag.padded)],
    ],
    ['padded DATA of nothing', errorCode.protocol, [dataFrame(1, '', flag.padded)]],
    ['HEADERS on an idle stream', errorCode.protocol, [headersFrame(3, ok)]],
    ['HEADERS on stream 0', errorCode.protocol, [headersFrame(0, ok)]],
    [
      'padding beyond its HEADERS',
      errorCode.protocol,
      [frame(frameType.headers, flag.padded | flag.endHeaders, 1, Buffer.from([200, 0x88]))],
    ],
    [
      'HEADERS cut off in their priority',
      errorCode.protocol,
      [frame(frameType.headers, flag.priority | flag.endHeaders, 1, Buffer.from([0, 0]))],
    ],
    [
      'broken HPACK',
      errorCode.compression,
      [frame(frameType.headers, flag.endHeaders, 1, Buffer.from([0x80]))],
    ],
    [
      'CONTINUATION of nothing',
      errorCode.protocol,
      [frame(frameType.continuation, flag.endHeaders, 1, block)],
    ],
    [
      'CONTINUATION of another stream',
      errorCode.protocol,
      [headersFrame(1, ok, 0), frame(frameType.continuation, flag.endHeaders, 3, block)],
    ],
    [
      'a header block interrupted by DATA',
      errorCode.protocol,
      [headersFrame(1, ok, 0), dataFrame(1, 'x')],
    ],
    [
      'a header block interrupted by PING',
      errorCode.protocol,
      [headersFrame(1, ok, 0), frame(frameType.ping, 0, 0, Buffer.alloc(8))],
    ],
    [
      'a header block interrupted by an unknown frame',
      errorCode.protocol,
      [headersFrame(1, ok, 0), frame(0xee, 0, 0, Buffer.alloc(8))],
    ],
    [
      'endless CONTINUATION',
      errorCode.enhanceYourCalm,
      [
        headersFrame(1, ok, 0),
        ...Array.from({ length: 5_000 }, () =>
          frame(frameType.continuation, 0, 1, Buffer.alloc(0)),
        ),
      ],
    ],
    [
      'a large header block',
      errorCode.enhanceYourCalm,
      [headersFrame(1, ok, 0), frame(frameType.continuation, 0, 1, Buffer.alloc(2 ** 18))],
    ],
    [
      'a small block that unfolds',
      errorCode.compression,
      [
        frame(
          frameType.headers,
          flag.endHeaders,
          1,
          Buffer.concat([
            Buffer.from('4001617fa11e', 'hex'),
            Buffer.alloc(4000, 'x'),
            Buffer.alloc(1000, 0xbe),
          ]),
        ),
      ],
    ],
    [
      'RST_STREAM of a wrong size',
      errorCode.frameSize,
      [frame(frameType.rstStream, 0, 1, Buffer.alloc(3))],
    ],
    ['RST_STREAM of an idle stream', errorCode.protocol, [uint32Frame(frameType.rstStream, 3, 0)]],
    [
      'SETTINGS of a wrong size',
      errorCode.frameSize,
      [frame(frameType.settings, 0, 0, Buffer.alloc(5))],
    ],
    [
      'SETTINGS on a stream',
      errorCode.protocol,
      [frame(frameType.settings, 0, 1, Buffer.alloc(0))],
    ],
    [
      'an acknowledgement with SETTINGS',
      errorCode.frameSize,
      [frame(frameType.settings, flag.ack, 0, Buffer.alloc(6))],
    ],
    [
      'a window beyond 2^31',
      errorCode.flowControl,
      [settings({ [setting.initialWindowSize]: 2 ** 31 })],
    ],
    [
      'a frame size below 2^14',
      errorCode.protocol,
      [settings({ [setting.maxFrameSize]: 2 ** 14 - 1 })],
    ],
    ['a frame size of 2^24', errorCode.protocol, [settings({ [setting.maxFrameSize]: 2 ** 24 })]],
    ['PING of a wrong size', errorCode.frameSize, [frame(frameType.ping, 0, 0, Buffer.alloc(7))]],
    ['PING on a stream', errorCode.protocol, [frame(frameType.ping, 0, 1, Buffer.alloc(8))]],
    ['a short GOAWAY', errorCode.frameSize, [frame(frameType.goaway, 0, 0, Buffer.alloc(7))]],
    [
      'WINDOW_UPDATE of a wrong size',
      errorCode.frameSize,
      [frame(frameType.windowUpdate, 0, 0, Buffer.alloc(5))],
    ],
    ['WINDOW_UPDATE of nothing', errorCode.protocol, [uint32Frame(frameType.windowUpdate, 0, 0)]],
    [
      'WINDOW_UPDATE beyond 2^31',
      errorCode.flowControl,
      [uint32Frame(frameType.windowUpdate, 0, 2 ** 31 - 1)],
    ],
    [
      'WINDOW_UPDATE beyond 2^31 on a stream',
      errorCode.flowControl,
      [uint32Frame(frameType.windowUpdate, 1, 2 ** 31 - 1)],
    ],
    [
      'SETTINGS that make the window of an open stream too large',
      errorCode.flowControl,
      [
        uint32Frame(frameType.windowUpdate, 1, 2 ** 31 - 1 - 65_535),
        settings({ [setting.initialWindowSize]: 65_536 }),
      ],
    ],
    [
      'WINDOW_UPDATE on an idle stream',
      errorCode.protocol,
      [uint32Frame(frameType.windowUpdate, 3, 1)],
    ],
    [
      'PUSH_PROMISE',
      errorCode.protocol,
      [frame(frameType.pushPromise, flag.endHeaders, 1, Buffer.from([0, 0, 0, 2, 0x82]))],
    ],
    [
      'a frame beyond the size that we take',
      errorCode.frameSize,
      [frame(frameType.data, 0, 1, Buffer.alloc(2 ** 20 + 1)).subarray(0, 9)],
    ],
    [
      'more data than its window',
      errorCode.flowControl,
      Array.from({ length: 5 }, () => dataFrame(1, Buffer.alloc(2 ** 20))),
    ],
    [
      'endless PINGs',
      errorCode.enhanceYourCalm,
      [
        Buffer.concat(
          Array.from({ length: 2_000 }, () => frame(frameType.ping, 0, 0, Buffer.alloc(8))),
        ),
      ],
    ],
  ])('%s', async (_, code, frames) => {
    const { connection, peer } = await pair();
    const call = new CallRecorder(connection, { end: false });
    // Who is sent too much does not read.
    call.reads = false;
    await begun(call, peer);
    peer.write(...frames);
    expect(await call.done).toMatchObject({
      code: 'unavailable',
      reason: 'protocol',
      progress: 'sent',
    });
    const { payload } = await peer.next(frameType.goaway);
    expect(payload.readUInt32BE(4)).toBe(code);
    expect(connection.usable).toBe(false);
    await peer.closed();
  });

  test('no SETTINGS first', async () => {
    const server = await RawServer.listen((peer) =>
      peer.write(frame(frameType.ping, 0, 0, Buffer.alloc(8))),
    );
    open.push(server);
    await expect(
      connect('127.0.0.1', server.port, false, {}, new AbortController().signal),
    ).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'protocol',
      progress: 'unsent',
    });
  });
});

describe('what goes wrong on this side', () => {
  const changed = expect.stringContaining("an input's buffer was transferred or resized");

  test.each([
    ['small', 100, 1],
    ['in several frames', 40_000, 1],
    ['larger than is copied', 200_000, 1],
    ['of two pieces', 40_000, 2],
  ])(
    'an input that is gone before it left, %s, ends the connection: nothing of it was sent',
    async (_, bytes, pieces) => {
      const { connection, peer } = await pair({ [setting.initialWindowSize]: 2 ** 20 });
      peer.write(uint32Frame(frameType.windowUpdate, 0, 2 ** 20));
      await settled(peer);
      const call = new CallRecorder(connection, { end: false });
      const input = new Uint8Array(bytes);
      const body = [new Uint8Array(7), ...Array.from({ length: pieces }, () => input)];
      call.stream.send(body, false);
      structuredClone(input.buffer, { transfer: [input.buffer] });
      expect(await call.done).toMatchObject({
        code: 'unavailable',
        reason: 'connection',
        progress: 'unsent',
        message: changed,
      });
      expect(connection.closed).toBe(true);
      expect((await peer.rest()).map(({ type }) => type)).not.toContain(frameType.data);
    },
  );

  test.each<[string, (buffer: ArrayBuffer) => unknown]>([
    ['transferred', (buffer) => structuredClone(buffer, { transfer: [buffer] })],
    ['shrunk', (buffer) => buffer.resize(50)],
    ['grown', (buffer) => buffer.resize(3_000)],
  ])('an input that is %s while it waits for room ends its own call only', async (_, change) => {
    const { connection, peer } = await pair({ [setting.initialWindowSize]: 10 });
    const buffer = new ArrayBuffer(1_000, { maxByteLength: 3_000 });
    const call = new CallRecorder(connection, { body: [new Uint8Array(buffer)] });
    const id = await begun(call, peer);
    await peer.next(frameType.data);
    change(buffer);
    peer.write(uint32Frame(frameType.windowUpdate, id, 100_000));
    const lost = { code: 'invalid_argument', progress: 'sent', message: changed };
    expect(await call.done).toMatchObject(lost);
    await peer.next(frameType.rstStream);
    expect(connection.usable).toBe(true);
  });

  test('an input that is gone when its turn comes: the heads that follow can still be read', async () => {
    const { connection, peer } = await pair({ [setting.maxConcurrentStreams]: 0 });
    const input = new Uint8Array(100);
    const lost = new CallRecorder(connection, { body: [input] });
    const next = new CallRecorder(connection, { path: '/next' });
    structuredClone(input.buffer, { transfer: [input.buffer] });
    peer.write(settings({ [setting.maxConcurrentStreams]: 9 }));
    expect(await lost.done).toMatchObject({ code: 'invalid_argument', message: changed });
    const frames: number[] = [];
    while (frames.length < 4) {
      const { type, stream } = await peer.any();
      if (stream > 0) frames.push(type);
    }
    const { headers, rstStream, data } = frameType;
    expect(frames).toEqual([headers, rstStream, headers, data]);
    peer.write(headersFrame(3, ok, flag.endHeaders | flag.endStream));
    expect(await next.done).toBeUndefined();
  });

  test('a fault in what hears an answer ends the connection, not the process', async () => {
    const { connection, peer } = await pair();
    const [faulty, other] = [new CallRecorder(connection), new CallRecorder(connection)];
    faulty.headers = () => {
      throw new RangeError('a fault');
    };
    await begun(faulty, peer);
    peer.write(headersFrame(1, ok));
    for (const call of [faulty, other])
      expect(await call.done).toMatchObject({ code: 'internal', message: 'a fault' });
    const { payload } = await peer.next(frameType.goaway);
    expect(payload.readUInt32BE(4)).toBe(errorCode.internal);
  });
});

describe('what a server may do', () => {
  test('ask for a sign of life', async () => {
    const { peer } = await pair();
    peer.write(frame(frameType.ping, 0, 0, Buffer.from('12345678')));
    const { flags, payload } = await peer.next(frameType.ping);
    expect(flags).toBe(flag.ack);
    expect(payload.toString()).toBe('12345678');
  });

  test('a head in single bytes, padded, with priority, and trailers at once', async () => {
    const { connection, peer } = await pair();
    const call = new CallRecorder(connection);
    await begun(call, peer);
    const first = Buffer.concat([
      Buffer.from([3, 0, 0, 0, 0, 9]),
      literals(ok).subarray(0, 4),
      Buffer.alloc(3),
    ]);
    const rest = [...literals(ok).subarray(4)].map((byte) =>
      frame(frameType.continuation, 0, 1, Buffer.from([byte])),
    );
    peer.write(
      frame(frameType.headers, flag.padded | flag.priority, 1, first),
      ...rest,
      frame(frameType.continuation, flag.endHeaders, 1, Buffer.alloc(0)),
      headersFrame(1, { 'grpc-status': '0' }, flag.endHeaders | flag.endStream),
    );
    expect(await call.done).toBeUndefined();
    expect(call.heads).toEqual([[[':status', '200']], [['grpc-status', '0']]]);
  });

  test('pad each byte with 255 more: they are given back, too', async () => {
    const { connection, peer } = await pair();
    const call = new CallRecorder(connection);
    await begun(call, peer);
    const padded = dataFrame(
      1,
      Buffer.concat([Buffer.from([255]), Buffer.alloc(256)]),
      flag.padded,
    );
    peer.write(headersFrame(1, ok), ...Array.from({ length: 10_000 }, () => padded));
    const { stream } = await peer.next(frameType.windowUpdate);
    expect(stream).toBe(1);
    expect(call.body.length).toBeLessThanOrEqual(10_000);
  });

  test('answer before our request is whole: the rest is not sent', async () => {
    const { connection, peer } = await pair({ [setting.initialWindowSize]: 10 });
    const call = new CallRecorder(connection, { body: [Buffer.alloc(1_000)] });
    await begun(call, peer);
    peer.write(headersFrame(1, ok, flag.endHeaders | flag.endStream));
    expect(await call.done).toBeUndefined();
    const { payload } = await peer.next(frameType.rstStream);
    expect(payload.readUInt32BE()).toBe(errorCode.cancel);
    expect(call.stream.pendingBytes).toBe(990);
  });

  test('GOAWAY: calls above its stream, and those that wait, are unsent; those below finish', async () => {
    const { connection, peer } = await pair({ [setting.maxConcurrentStreams]: 3 });
    const calls = Array.from({ length: 5 }, () => new CallRecorder(connection));
    for (const call of calls.slice(0, 3)) await begun(call, peer);
    peer.write(goawayFrame(1, errorCode.enhanceYourCalm, 'too_many_pings'));
    for (const call of calls.slice(1)) {
      expect(await call.done).toMatchObject({
        code: 'unavailable',
        reason: 'connection',
        progress: 'unsent',
        message: expect.stringContaining('ENHANCE_YOUR_CALM (too_many_pings)'),
      });
    }
    peer.write(headersFrame(1, ok), dataFrame(1, 'done', flag.endStream));
    expect(await calls[0]?.done).toBeUndefined();
    expect(connection.closed).toBe(true);
    // What waited did not begin when others made way.
    expect((await peer.rest()).map(({ type }) => type)).not.toContain(frameType.headers);
  });

  test('GOAWAY with its very first words', async () => {
    const server = await RawServer.listen((peer) => peer.write(settings({}), goawayFrame(0, 0)));
    open.push(server);
    const connection = await connect(
      '127.0.0.1',
      server.port,
      false,
      {},
      new AbortController().signal,
    );
    expect(connection.usable).toBe(false);
    expect(await new CallRecorder(connection).done).toMatchObject({
      code: 'unavailable',
      progress: 'unsent',
    });
  });

  test.each<[string, (peer: RawPeer) => void]>([
    ['is closed', (peer) => peer.socket.end()],
    ['is reset', (peer) => peer.socket.resetAndDestroy()],
  ])('a connection that %s: what was sent is known to be, what waited is not', async (_, end) => {
    const { connection, peer } = await pair({ [setting.maxConcurrentStreams]: 1 });
    const [sent, waiting] = [new CallRecorder(connection), new CallRecorder(connection)];
    await begun(sent, peer);
    end(peer);
    const error = { code: 'unavailable', reason: 'connection' };
    expect(await sent.done).toMatchObject({ ...error, progress: 'sent' });
    expect(await waiting.done).toMatchObject({ ...error, progress: 'unsent' });
  });

  test('no streams at all: calls wait, are cancelled, and begin when it allows them', async () => {
    const { connection, peer } = await pair({ [setting.maxConcurrentStreams]: 0 });
    const [cancelled, call] = [new CallRecorder(connection), new CallRecorder(connection)];
    expect(connection.isBusy()).toBe(true);
    cancelled.stream.cancel();
    peer.write(settings({ [setting.maxConcurrentStreams]: 100 }));
    expect(await begun(call, peer)).toBe(1);
    peer.write(headersFrame(1, ok, flag.endHeaders | flag.endStream));
    expect(await call.done).toBeUndefined();
  });

  test('give so much room that all could be written at once: it is, bit by bit', async () => {
    const whole = Promise.withResolvers<number>();
    const server = await RawServer.listen(async (peer) => {
      peer.write(
        settings({ [setting.initialWindowSize]: 2 ** 30 }),
        uint32Frame(frameType.windowUpdate, 0, 2 ** 30),
      );
      let bytes = 0;
      for (let ended = false; !ended;) {
        const { flags, payload } = await peer.next(frameType.data);
        bytes += payload.length;
        ended = (flags & flag.endStream) !== 0;
      }
      whole.resolve(bytes);
    });
    open.push(server);
    // A socket whose buffer never counts as full.
    const options = { port: server.port, host: '127.0.0.1', highWaterMark: 2 ** 26 };
    const socket = connectTcp(options);
    await once(socket, 'connect');
    const connection = new Http2Connection({
      socket,
      endpoint: 'test',
      keepAliveMs: 60_000,
      keepAliveTimeoutMs: 60_000,
    });
    await connection.ready;
    const call = new CallRecorder(connection, { body: [Buffer.alloc(5 * 2 ** 20)] });
    expect(await whole.promise).toBe(5 * 2 ** 20);
    connection.close();
    expect(await call.done).toMatchObject({ code: 'cancelled' });
  });

  test('read slowly: a large body stays with its owner, and a cancelled one is not sent on', async () => {
    const { connection, peer } = await pair({ [setting.initialWindowSize]: 2 ** 30 });
    peer.write(uint32Frame(frameType.windowUpdate, 0, 2 ** 30));
    await settled(peer);
    peer.socket.pause();
    const call = new CallRecorder(connection, {
      body: Array.from({ length: 64 }, () => Buffer.alloc(2 ** 20)),
    });
    let turns = 0;
    await until(() => connection.wasSent(call.stream) && turns++ > 20);
    // Some went to the system's buffers, the rest did not leave.
    expect(call.stream.pendingBytes).toBeGreaterThan(32 * 2 ** 20);
    call.stream.cancel();
    peer.socket.resume();
    const { payload } = await peer.next(frameType.rstStream);
    expect(payload.readUInt32BE()).toBe(errorCode.cancel);
  });
});
