import { once } from 'node:events';
import {
  constants,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { CallRecorder } from '../../../../test/support/http2/call-recorder.js';
import { connect } from './connect.js';
import { Http2Connection } from './http2-connection.js';
import { until } from '../../../../test/support/http2/until.js';

type OnStream = (stream: ServerHttp2Stream, path: string) => void;

interface Pair {
  readonly connection: Http2Connection;
  readonly session: ServerHttp2Session;
}

const servers: Http2Server[] = [];
const connections: Http2Connection[] = [];

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  await Promise.all(
    servers.splice(0).map((server) => {
      server.close();
      return once(server, 'close');
    }),
  );
});

/** A server of node:http2, thus nghttp2, and our connection to it. */
async function pair(onStream: OnStream, options: ServerOptions = {}): Promise<Pair> {
  const server = createServer(options);
  servers.push(server);
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {});
    onStream(stream, String(headers[':path']));
  });
  server.listen(0, '127.0.0.1');
  const opened = once(server, 'session');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connection = await connect('127.0.0.1', port, false, {}, new AbortController().signal);
  connections.push(connection);
  const [session] = (await opened) as [ServerHttp2Session];
  return { connection, session };
}

function echo(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200 });
  stream.pipe(stream);
}

function bytes(length: number): Buffer {
  return Buffer.from(
    Uint32Array.from({ length: Math.ceil(length / 4) }, (_, at) => at).buffer,
  ).subarray(0, length);
}

describe('against nghttp2', () => {
  test('many calls at once, each with its own answer', async () => {
    const { connection } = await pair(echo);
    const calls = Array.from({ length: 1_000 }, (_, at) => {
      return new CallRecorder(connection, { body: [Buffer.from(`call ${at}`)] });
    });
    expect(await Promise.all(calls.map(({ done }) => done))).toEqual(calls.map(() => undefined));
    expect(calls.map(({ body }) => body.toString())).toEqual(calls.map((_, at) => `call ${at}`));
  });

  test.each([
    ['default windows', {}],
    ['small windows and frames', { settings: { initialWindowSize: 1_000 } }],
    ['a large frame size', { settings: { initialWindowSize: 2 ** 24, maxFrameSize: 2 ** 20 } }],
  ])('bodies of many sizes both ways: %s', async (_, options) => {
    const { connection } = await pair(echo, options);
    for (const size of [0, 1, 999, 1_000, 1_001, 16_383, 16_384, 16_385, 2 ** 20]) {
      const body = bytes(size);
      const half = size >> 1;
      const call = new CallRecorder(connection, {
        body: [body.subarray(0, half), body.subarray(half)],
      });
      expect(await call.done).toBeUndefined();
      expect(call.body.equals(body)).toBe(true);
    }
  });

  test('10 MiB both ways, several at once', async () => {
    const { connection } = await pair(echo);
    const body = bytes(10 * 2 ** 20);
    const calls = [1, 2, 3].map(() => new CallRecorder(connection, { body: [body] }));
    for (const call of calls) {
      expect(await call.done).toBeUndefined();
      expect(call.body.equals(body)).toBe(true);
    }
  });

  test('a body that is sent bit by bit, no faster than it is taken', async () => {
    const { connection } = await pair(echo);
    const call = new CallRecorder(connection, { end: false });
    const piece = bytes(100_000);
    for (let at = 0; at < 30; at++) {
      call.stream.send([piece], false);
      await call.stream.drained();
      expect(call.stream.pendingBytes).toBe(0);
    }
    call.stream.send([], true);
    expect(await call.done).toBeUndefined();
    expect(call.body).toHaveLength(3_000_000);
  });

  test('a reader that does not read holds its own stream back, not the others', async () => {
    const written = new Map<string, ServerHttp2Stream>();
    const { connection } = await pair((stream, path) => {
      written.set(path, stream);
      stream.respond({ ':status': 200 });
      if (path === '/fast') stream.end('here');
      else stream.end(bytes(10 * 2 ** 20));
    });
    const slow = new CallRecorder(connection, { path: '/slow' });
    slow.reads = false;
    await until(() => slow.body.length >= 4 * 2 ** 20);
    const fast = new CallRecorder(connection, { path: '/fast' });
    expect(await fast.done).toBeUndefined();
    expect(slow.body).toHaveLength(4 * 2 ** 20);
    slow.resume();
    expect(await slow.done).toBeUndefined();
    expect(slow.body.equals(bytes(10 * 2 ** 20))).toBe(true);
  });

  test('one stream at a time: fifty calls go in their order, one that is cancelled first is never seen', async () => {
    const seen: string[] = [];
    const { connection } = await pair(
      (stream, path) => {
        seen.push(path);
        stream.respond({ ':status': 200 });
        stream.end(path);
      },
      { settings: { maxConcurrentStreams: 1 } },
    );
    const calls = Array.from(
      { length: 50 },
      (_, at) => new CallRecorder(connection, { path: `/${at}` }),
    );
    expect(connection.wasSent(calls[30]?.stream as never)).toBe(false);
    calls[30]?.stream.cancel();
    const others = calls.filter((_, at) => at !== 30);
    await Promise.all(others.map(({ done }) => done));
    expect(seen).toEqual(calls.map((_, at) => `/${at}`).filter((it) => it !== '/30'));
    expect(others.map(({ body }) => body.toString())).toEqual(seen);
    expect(connection.isBusy()).toBe(false);
  });

  test('windows that shrink below nothing while a body is under way, and grow again', async () => {
    const got: number[] = [];
    const { connection, session } = await pair(
      (stream) => {
        stream.once('data', () => {
          session.settings({ initialWindowSize: 100 }, () => {
            session.settings({ initialWindowSize: 200_000 });
          });
        });
        stream.on('data', (part: Buffer) => got.push(part.length));
        stream.on('end', () => {
          stream.respond({ ':status': 200 });
          stream.end();
        });
      },
      { settings: { initialWindowSize: 50_000 } },
    );
    const call = new CallRecorder(connection, { body: [bytes(2 ** 20)] });
    expect(await call.done).toBeUndefined();
    expect(got.reduce((sum, it) => sum + it, 0)).toBe(2 ** 20);
  });

  test('a table of headers that shrinks and grows: the server reads all the same', async () => {
    const seen: unknown[] = [];
    const { connection, session } = await pair((stream, path) => {
      seen.push([path, stream.sentHeaders]);
      stream.respond({ ':status': 200 });
      stream.end();
    });
    for (const [at, size] of [4096, 0, 60, 4096, 1000].entries()) {
      await new Promise<void>((resolve) =>
        session.settings({ headerTableSize: size }, () => resolve()),
      );
      for (const round of [1, 2]) {
        const call = new CallRecorder(connection, { path: `/${at}/${round}` });
        expect(await call.done).toBeUndefined();
      }
    }
    expect(seen).toHaveLength(10);
  });

  test('what nghttp2 encodes is read, whatever it indexes and evicts', async () => {
    const names = Array.from({ length: 40 }, (_, at) => `x-${'long-'.repeat(at % 7)}${at}`);
    const answers = Array.from({ length: 60 }, (_, at) =>
      Object.fromEntries(
        names
          .filter((_name, n) => (n * 7 + at) % 3 === 0)
          .map((name, n) => [
            name,
            `${'~é\u0001'.charAt(n % 2)}${(at * n) % 5}${'v'.repeat(n * 3)}`,
          ]),
      ),
    );
    let at = 0;
    const { connection } = await pair((stream) => {
      stream.respond({ ':status': 200, ...answers[at++] });
      stream.end();
    });
    for (const answer of answers) {
      const call = new CallRecorder(connection);
      expect(await call.done).toBeUndefined();
      const fields = Object.fromEntries(call.heads[0] ?? []);
      expect(fields).toMatchObject(answer);
    }
  });

  test('heads that need CONTINUATION frames, both ways', async () => {
    const long = 'x'.repeat(40_000);
    const { connection } = await pair(
      (stream, path) => {
        stream.respond({ ':status': 200, 'x-long': long, 'x-path': String(path.length) });
        stream.end();
      },
      { maxSessionMemory: 100, settings: { maxHeaderListSize: 2 ** 17 } },
    );
    const call = new CallRecorder(connection, { path: `/${long}` });
    expect(await call.done).toBeUndefined();
    const fields = Object.fromEntries(call.heads[0] ?? []);
    expect(fields).toMatchObject({ 'x-long': long, 'x-path': '40001' });
  });

  test('padded frames and trailers', async () => {
    const { connection } = await pair(
      (stream) => {
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(bytes(3_000_000));
      },
      { paddingStrategy: constants.PADDING_STRATEGY_MAX },
    );
    const call = new CallRecorder(connection);
    expect(await call.done).toBeUndefined();
    expect(call.body.equals(bytes(3_000_000))).toBe(true);
    expect(call.heads[1]).toEqual([['grpc-status', '0']]);
  });

  test('an interim answer is passed over', async () => {
    const { connection } = await pair((stream) => {
      stream.additionalHeaders({ ':status': 103 });
      stream.respond({ ':status': 200 });
      stream.end();
    });
    const call = new CallRecorder(connection);
    expect(await call.done).toBeUndefined();
    expect(call.heads.map(([status]) => status)).toEqual([[':status', '200']]);
  });

  test.each([
    [
      constants.NGHTTP2_REFUSED_STREAM,
      { code: 'unavailable', reason: 'connection', progress: 'unsent' },
    ],
    [constants.NGHTTP2_CANCEL, { code: 'cancelled', progress: 'sent' }],
    [constants.NGHTTP2_ENHANCE_YOUR_CALM, { code: 'resource_exhausted', progress: 'sent' }],
    [constants.NGHTTP2_INADEQUATE_SECURITY, { code: 'permission_denied', progress: 'sent' }],
    [constants.NGHTTP2_INTERNAL_ERROR, { code: 'internal', progress: 'sent' }],
    [constants.NGHTTP2_PROTOCOL_ERROR, { code: 'internal', progress: 'sent' }],
  ])('a stream that is reset with %i ends alone', async (code, expected) => {
    const { connection } = await pair((stream, path) => {
      if (path === '/reset') stream.close(code);
      else echo(stream);
    });
    const other = new CallRecorder(connection, { body: [bytes(10)] });
    expect(await new CallRecorder(connection, { path: '/reset' }).done).toMatchObject(expected);
    expect(await other.done).toBeUndefined();
    expect(connection.usable).toBe(true);
  });

  test('cancelling tells the server, and nothing more is heard', async () => {
    const aborted = Promise.withResolvers<number | undefined>();
    const { connection } = await pair((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('some');
      stream.on('close', () => aborted.resolve(stream.rstCode));
    });
    const call = new CallRecorder(connection, { end: false });
    await until(() => call.body.length > 0);
    expect(connection.wasSent(call.stream)).toBe(true);
    call.stream.cancel();
    expect(await aborted.promise).toBe(constants.NGHTTP2_CANCEL);
    expect(connection.isBusy()).toBe(false);
  });

  test('a graceful GOAWAY: what is under way finishes, new calls are refused unsent, then the connection ends', async () => {
    const held: ServerHttp2Stream[] = [];
    const { connection, session } = await pair((stream) => held.push(stream));
    const call = new CallRecorder(connection);
    await until(() => held.length === 1);
    session.close();
    await until(() => !connection.usable);
    const late = new CallRecorder(connection);
    expect(await late.done).toMatchObject({
      code: 'unavailable',
      reason: 'connection',
      progress: 'unsent',
    });
    held[0]?.respond({ ':status': 200 });
    held[0]?.end('after all');
    expect(await call.done).toBeUndefined();
    expect(call.body.toString()).toBe('after all');
    expect(connection.closed).toBe(true);
    if (!session.destroyed) await once(session, 'close');
  });

  test('close ends the calls under way with cancelled, and tells the server', async () => {
    const { connection, session } = await pair(() => {}, { settings: { maxConcurrentStreams: 1 } });
    const [sent, waiting] = [new CallRecorder(connection), new CallRecorder(connection)];
    await until(() => connection.wasSent(sent.stream));
    const goaway = once(session, 'goaway');
    connection.close();
    expect(await sent.done).toMatchObject({ code: 'cancelled', progress: 'sent' });
    expect(await waiting.done).toMatchObject({ code: 'cancelled', progress: 'unsent' });
    expect((await goaway)[0]).toBe(constants.NGHTTP2_NO_ERROR);
  });

  test('the ids of streams run out: the last call finishes, the next needs another connection', async () => {
    const { session } = await pair(echo);
    const { port } = session.socket.address() as AddressInfo;
    const socket = connectTcp(port, '127.0.0.1');
    await once(socket, 'connect');
    const connection = new Http2Connection({
      socket,
      endpoint: 'test',
      keepAliveMs: 60_000,
      keepAliveTimeoutMs: 60_000,
      firstStream: 2 ** 31 - 3,
    });
    connections.push(connection);
    await connection.ready;
    const [first, last] = [1, 2].map(() => new CallRecorder(connection, { body: [bytes(5)] }));
    expect(last?.stream.id).toBe(2 ** 31 - 1);
    expect(connection.usable).toBe(false);
    const late = new CallRecorder(connection);
    expect(await late.done).toMatchObject({ code: 'unavailable', progress: 'unsent' });
    expect(await first?.done).toBeUndefined();
    expect(await last?.done).toBeUndefined();
    expect(connection.closed).toBe(true);
  });
});
