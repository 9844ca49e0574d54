import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { CallResult, Effect, ErrorCode } from '#libs/contracts';
import { executeCall } from './execute-call.js';
import type { Tool } from './toolset.js';

const running: { server: Server; sockets: Set<Socket> }[] = [];

afterEach(() => {
  for (const { server, sockets } of running.splice(0)) {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
});

/** Listens on a free port until the test ends; resolves to the server's address. */
async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  running.push({ server, sockets });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function serve(listener: RequestListener): Promise<string> {
  return listen(createServer(listener));
}

/** Answers each connection, once a request's head is there, with bytes as they are. */
function serveBytes(answer: (socket: Socket) => void): Promise<string> {
  return listen(
    createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => answer(socket));
    }),
  );
}

interface Options {
  effect?: Effect;
  method?: 'GET' | 'POST' | 'DELETE';
  timeoutMs?: number;
  maxResultBytes?: number;
  headers?: Record<string, string>;
  statuses?: Record<string, 'succeeded' | 'failed' | 'outcome_unknown'>;
  args?: Record<string, unknown>;
  env?: Record<string, string>;
  signal?: AbortSignal;
  mayStart?: () => boolean;
}

function call(url: string, options: Options = {}): Promise<CallResult> {
  const { effect = 'once', method = 'POST', headers = {}, timeoutMs = 10_000 } = options;
  const { statuses } = options;
  const tool: Tool = {
    name: 'tool',
    description: '',
    parameters: { type: 'object' },
    effect,
    approval: 'never',
    executor: { kind: 'http', method, url, headers, statuses },
    timeoutMs,
    maxResultBytes: options.maxResultBytes ?? 65_536,
  };
  return executeCall(
    tool,
    { id: 'call-1', arguments: options.args ?? {} },
    {
      env: options.env ?? {},
      filesDir: '/nowhere',
      signal: options.signal ?? new AbortController().signal,
      mayStart: options.mayStart,
      traceparent: '00-a-b-01',
    },
  );
}

function answering(status: number, body = '', type = 'text/plain'): Promise<string> {
  return serve((_, response) => response.writeHead(status, { 'content-type': type }).end(body));
}

const unknown = (message: string): CallResult => ({
  state: 'outcome_unknown',
  error: { code: 'outcome_unknown', message },
});
const failedWith = (
  message: string,
  mayRetry?: 'not_sent' | 'transient',
  code: ErrorCode = 'tool_failed',
): CallResult => ({ state: 'failed', error: { code, message }, mayRetry });

describe('an HTTP call', () => {
  it('sends one request, on a connection of its own', async () => {
    const seen: unknown[] = [];
    const connections = new Set<unknown>();
    const url = await serve((request, response) => {
      connections.add(request.socket);
      const { method, headers } = request;
      request.setEncoding('utf8');
      let body = '';
      request.on('data', (text: string) => (body += text));
      request.on('end', () => {
        seen.push({ method, url: request.url, body, headers });
        response.setHeader('content-type', 'application/json; charset=utf-8').end('{"ok":[1,"ü"]}');
      });
    });
    const headers = { 'X-Key': '${KEY}' };
    const env = { KEY: 'k1' };
    expect(await call(`${url}/a`, { args: { x: 1 }, headers, env })).toEqual({
      state: 'succeeded',
      result: { ok: [1, 'ü'] },
    });
    await call(`${url}/b`, { method: 'GET', args: { x: 1 } });
    expect(seen).toMatchObject([
      {
        method: 'POST',
        url: '/a',
        body: '{"x":1}',
        headers: {
          'x-key': 'k1',
          'idempotency-key': 'call-1',
          traceparent: '00-a-b-01',
          'content-type': 'application/json',
          connection: 'close',
        },
      },
      { method: 'GET', url: '/b?x=1', body: '' },
    ]);
    expect(connections.size).toBe(2);
  });

  it.each([
    ['text', 200, 'plain', 'text/plain', 'plain'],
    ['JSON that says it is text', 200, '1', 'text/plain', '1'],
    ['JSON of a kind of its own', 201, '1', 'application/problem+json', 1],
    ['JSON that is none', 200, '{"a":', 'application/json', '{"a":'],
    [
      'JSON too deep to store',
      200,
      `${'['.repeat(200)}${']'.repeat(200)}`,
      'application/json',
      `${'['.repeat(200)}${']'.repeat(200)}`,
    ],
    [
      'characters that Postgres refuses',
      200,
      String.raw`{"a\u0000":["\ud800x"]}`,
      'application/json',
      { 'a\ufffd': ['\ufffdx'] },
    ],
    ['nothing', 204, '', 'text/plain', null],
  ])('reads %s', async (_, status, body, type, result) => {
    expect(await call(await answering(status, body, type))).toEqual({ state: 'succeeded', result });
  });

  it.each([400, 401, 404, 409, 422])('has failed after %i, whatever its effect', async (status) => {
    const url = await answering(status, ' {"detail":"no"}\n');
    for (const effect of ['read', 'idempotent', 'once'] as const) {
      expect(await call(url, { effect })).toEqual(failedWith(`HTTP ${status}: {"detail":"no"}`));
    }
  });

  it.each([408, 425, 429, 500, 502, 503, 504])(
    'is unknown after %i if it is once',
    async (status) => {
      const url = await answering(status, 'no');
      expect(await call(url)).toEqual(unknown(`HTTP ${status}: no`));
      for (const effect of ['read', 'idempotent'] as const) {
        const message = `HTTP ${status}: no`;
        expect(await call(url, { effect })).toEqual(failedWith(message, 'transient'));
      }
    },
  );

  it('takes a status for what its tool says of it', async () => {
    const statuses = {
      200: 'failed',
      202: 'outcome_unknown',
      409: 'succeeded',
      503: 'failed',
    } as const;
    const outcome = async (status: number, effect: Effect): Promise<CallResult> =>
      call(await answering(status, '{"a":1}', 'application/json'), { effect, statuses });
    for (const effect of ['once', 'read'] as const) {
      expect(await outcome(409, effect)).toEqual({ state: 'succeeded', result: { a: 1 } });
      expect(await outcome(200, effect)).toEqual(failedWith('HTTP 200: {"a":1}'));
      expect(await outcome(503, effect)).toEqual(failedWith('HTTP 503: {"a":1}'));
    }
    expect(await outcome(202, 'once')).toEqual(unknown('HTTP 202: {"a":1}'));
    expect(await outcome(202, 'read')).toEqual(failedWith('HTTP 202: {"a":1}', 'transient'));
    expect(await outcome(201, 'once')).toEqual({ state: 'succeeded', result: { a: 1 } });
  });

  it('reads the whole of an answer that its tool calls a success', async () => {
    const url = await answering(409, 'x'.repeat(10_000));
    const result = await call(url, { statuses: { 409: 'succeeded' } });
    expect(result).toEqual({ state: 'succeeded', result: 'x'.repeat(10_000) });
  });

  it.each([
    [301, 'failed'],
    [302, 'outcome_unknown'],
    [303, 'outcome_unknown'],
    [307, 'failed'],
    [308, 'failed'],
  ])('follows no %i, and is %s', async (status, state) => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests++;
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    const result = await call(url);
    expect(result).toMatchObject({
      state,
      error: { message: `HTTP ${status} (redirects are not followed)` },
    });
    const read = await call(url, { effect: 'read' });
    expect(read).toEqual(failedWith(`HTTP ${status} (redirects are not followed)`));
    expect(requests).toBe(2);
  });

  it('quotes little of a long error', async () => {
    const result = await call(await answering(404, 'x'.repeat(1_000_000)));
    expect(result).toEqual(failedWith(`HTTP 404: ${'x'.repeat(300)}`));
  });

  it.each([
    ['closes', (socket: Socket) => socket.end()],
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
    ['talks nonsense', (socket: Socket) => socket.end('220 mail ready\r\n')],
    ['breaks off in the head', (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nconte')],
    [
      'breaks off in the body',
      (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234'),
    ],
    [
      'resets in the body',
      (socket: Socket) => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234', () =>
          socket.resetAndDestroy(),
        );
      },
    ],
    [
      'breaks off between chunks',
      (socket: Socket) =>
        socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n1234\r\n'),
    ],
    [
      'wants another protocol',
      (socket: Socket) =>
        socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    ],
  ])('is unknown if the server %s', async (_, answer) => {
    let connections = 0;
    const url = await serveBytes((socket) => {
      connections++;
      answer(socket);
    });
    expect(await call(url)).toMatchObject({
      state: 'outcome_unknown',
      error: { code: 'outcome_unknown' },
    });
    expect(await call(url, { effect: 'read' })).toMatchObject({
      state: 'failed',
      error: { code: 'tool_failed' },
      mayRetry: 'transient',
    });
    expect(connections).toBe(2);
  });

  it('goes by the status of a refusal whose body breaks off', async () => {
    const url = await serveBytes((socket) =>
      socket.end('HTTP/1.1 404 No\r\ncontent-length: 9\r\n\r\n1234'),
    );
    expect(await call(url)).toEqual(failedWith('HTTP 404: 1234'));
  });

  it('goes by the status of a refusal whose body hangs', async () => {
    const url = await serveBytes((socket) =>
      socket.write('HTTP/1.1 404 No\r\ncontent-length: 9\r\n\r\n1234'),
    );
    expect(await call(url, { timeoutMs: 100 })).toEqual(failedWith('HTTP 404: 1234'));
  });

  it.each([
    ['before it answers', ''],
    ['in the middle of its answer', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234'],
  ])('times out if the server hangs %s', async (_, bytes) => {
    const url = await serveBytes((socket) => socket.write(bytes));
    const timeoutMs = 100;
    expect(await call(url, { timeoutMs })).toMatchObject({
      state: 'outcome_unknown',
      error: { code: 'outcome_unknown' },
    });
    expect(await call(url, { timeoutMs, effect: 'idempotent' })).toMatchObject({
      state: 'failed',
      error: { code: 'tool_timeout' },
      mayRetry: 'transient',
    });
  });

  it.each(['once', 'idempotent', 'read'] as const)(
    'that is %s stops when it is told to, and closes the connection',
    async (effect) => {
      const controller = new AbortController();
      const closed = Promise.withResolvers<void>();
      const url = await serveBytes((socket) => {
        socket.once('close', () => closed.resolve());
        controller.abort();
      });
      expect(await call(url, { signal: controller.signal, effect })).toEqual(
        effect === 'once'
          ? unknown('the call was stopped')
          : failedWith('the call was stopped', 'transient', 'cancelled'),
      );
      await closed.promise;
    },
  );

  it('sends nothing once it is stopped', async () => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests++;
      response.end();
    });
    const result = await call(url, { signal: AbortSignal.abort() });
    expect(result).toEqual(failedWith('not sent: the call was stopped', 'not_sent', 'cancelled'));
    await call(url);
    expect(requests).toBe(1);
  });

  it('asks when its connection stands whether it may still start, and else sends nothing', async () => {
    const bytes: Buffer[] = [];
    const closed = Promise.withResolvers<void>();
    const url = await listen(
      createTcpServer((socket) => {
        socket.on('data', (chunk) => bytes.push(chunk));
        socket.on('close', () => closed.resolve());
        socket.on('error', () => {});
      }),
    );
    const result = await call(url, {
      mayStart: () => false,
    });
    expect(result).toEqual(
      failedWith('not sent: it may not start any more', 'not_sent', 'cancelled'),
    );
    await closed.promise;
    expect(bytes).toEqual([]);
  });

  it('has failed, not sent, if no connection is made', async () => {
    const url = await answering(200);
    const { server } = running[0] as (typeof running)[number];
    server.close();
    await once(server, 'close');
    expect(await call(url)).toEqual(
      failedWith(expect.stringMatching(/^not sent: .*ECONNREFUSED/) as string, 'not_sent'),
    );
    expect(await call('http://no-such-host.invalid/')).toEqual(
      failedWith(
        expect.stringMatching(/^not sent: .*(?:ENOTFOUND|EAI_AGAIN)/) as string,
        'not_sent',
      ),
    );
  });

  it('is not worth another try if its request cannot be built', async () => {
    const headers = { authorization: '${NO_SUCH}' };
    const message =
      'not sent: the environment variable NO_SUCH is not set; set it for the executor';
    expect(await call('http://127.0.0.1:9/', { headers })).toEqual(failedWith(message));
  });

  it('has failed, not sent, if TLS cannot be agreed on', async () => {
    const url = await serveBytes((socket) => socket.end('this is no TLS'));
    expect(await call(url.replace('http:', 'https:'))).toMatchObject({
      state: 'failed',
      error: { message: expect.stringMatching(/^not sent: /) as string },
      mayRetry: 'not_sent',
    });
    const hangs = await serveBytes(() => {});
    expect(await call(hangs.replace('http:', 'https:'), { timeoutMs: 100 })).toEqual(
      failedWith('not sent: no answer in time', 'not_sent', 'tool_timeout'),
    );
  });

  it('reads no more than its cap, and takes a done call for done', async () => {
    let written = 0;
    const url = await serve((_, response) => {
      response.on('error', () => {});
      const more = (): void => {
        while (!response.destroyed) {
          written += 65_536;
          if (!response.write('x'.repeat(65_536))) {
            response.once('drain', more);
            return;
          }
        }
      };
      more();
    });
    const maxResultBytes = 5_000;
    const start = 'x'.repeat(1_024);
    for (const effect of ['once', 'idempotent'] as const) {
      expect(await call(url, { effect, maxResultBytes })).toEqual({
        state: 'succeeded',
        result: { truncated: true, maxResultBytes, start },
      });
    }
    expect(await call(url, { effect: 'read', maxResultBytes })).toMatchObject({
      state: 'failed',
      error: { code: 'result_too_large' },
    });
    expect(written).toBeLessThan(100_000_000);
  });

  it('takes a result of exactly its cap whole', async () => {
    const url = await answering(200, 'x'.repeat(5_000));
    const result = await call(url, { maxResultBytes: 5_000 });
    expect(result).toEqual({ state: 'succeeded', result: 'x'.repeat(5_000) });
  });

  it('keeps secrets out of results and errors', async () => {
    const headers = { authorization: 'Bearer ${TOKEN}' };
    const env = { TOKEN: 'very-secret' };
    for (const status of [200, 400, 500]) {
      const url = await serve((request, response) => {
        response.writeHead(status).end(`you sent ${request.headers.authorization}`);
      });
      const result = JSON.stringify(await call(url, { headers, env }));
      expect(result).toContain('you sent Bearer ${TOKEN}');
      expect(result).not.toContain('very-secret');
    }
  });
});
