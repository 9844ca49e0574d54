import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import type { ConnectionOptions } from '../connection-options.js';
import { makeCertificate } from '../../../../test/support/stub-certificate.js';
import { CallRecorder } from '../../../../test/support/http2/call-recorder.js';
import { connect } from './connect.js';
import type { Http2Connection } from './http2-connection.js';

const certificate = makeCertificate();
const servers: Server[] = [];
const connections: Http2Connection[] = [];

afterEach(() => {
  for (const connection of connections.splice(0)) connection.close();
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on('connection', (socket) => socket.on('error', () => {}).unref());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function open(
  port: number,
  {
    secure = false,
    host = '127.0.0.1',
    ...options
  }: ConnectionOptions & { secure?: boolean; host?: string } = {},
): Promise<Http2Connection> {
  const connection = await connect(host, port, secure, options, new AbortController().signal);
  connections.push(connection);
  return connection;
}

function secureServer(): Server {
  const server = createSecureServer({ cert: certificate.cert, key: certificate.key });
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200 });
    stream.end('secure');
  });
  return server;
}

test('TLS, with the authority and the name that we were told', async () => {
  const port = await listen(secureServer());
  for (const serverName of [undefined, 'localhost', '127.0.0.1']) {
    const connection = await open(port, {
      secure: true,
      tls: { ca: certificate.cert, serverName },
    });
    const call = new CallRecorder(connection);
    expect(await call.done).toBeUndefined();
    expect(call.body.toString()).toBe('secure');
  }
});

test.each([
  ['an unknown authority', {}],
  ['another name', { ca: certificate.cert, serverName: 'triton.example' }],
  ['another address as its name', { ca: certificate.cert, serverName: '10.9.8.7' }],
])('a certificate is refused: %s', async (_, tls) => {
  const port = await listen(secureServer());
  await expect(open(port, { secure: true, tls })).rejects.toMatchObject({
    code: 'unavailable',
    reason: 'tls',
    progress: 'unsent',
  });
});

test('an expired certificate', async () => {
  const { cert, key } = makeCertificate({ expired: true });
  const port = await listen(createSecureServer({ cert, key }));
  await expect(open(port, { secure: true, tls: { ca: cert } })).rejects.toMatchObject({
    reason: 'tls',
    message: expect.stringContaining('has expired'),
  });
});

test.each([
  ['no application protocol', undefined],
  ['another one', ['http/1.1']],
])('TLS without HTTP/2: %s', async (_, ALPNProtocols) => {
  const { cert, key } = certificate;
  const port = await listen(
    createTlsServer({ cert, key, ...(ALPNProtocols && { ALPNProtocols }) }),
  );
  await expect(open(port, { secure: true, tls: { ca: cert } })).rejects.toMatchObject({
    code: 'unavailable',
    reason: 'protocol',
  });
});

test('TLS to a plain port', async () => {
  const port = await listen(
    createTcpServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
  );
  await expect(open(port, { secure: true })).rejects.toMatchObject({
    code: 'unavailable',
    reason: 'tls',
    message: expect.stringContaining('does not speak TLS'),
  });
});

test('HTTP/1', async () => {
  const port = await listen(createHttpServer());
  await expect(open(port)).rejects.toMatchObject({
    code: 'unavailable',
    reason: 'protocol',
    message: expect.stringContaining('speaks HTTP/1 ("HTTP/1.1 400 Bad Request")'),
  });
});

test('something else', async () => {
  const port = await listen(
    createTcpServer((socket) => socket.write('220 mail.example ESMTP\r\n')),
  );
  await expect(open(port)).rejects.toMatchObject({ code: 'unavailable', reason: 'protocol' });
});

test('a server that hangs up', async () => {
  const port = await listen(createTcpServer((socket) => socket.end()));
  await expect(open(port)).rejects.toMatchObject({
    code: 'unavailable',
    reason: 'connection',
    message: `127.0.0.1:${port}: the server closed the connection before it spoke HTTP/2: is this its gRPC port?`,
  });
});

test.each([
  ['plain', false],
  ['with TLS', true],
])('a server that accepts and says nothing: %s', async (_, secure) => {
  const port = await listen(createTcpServer());
  await expect(open(port, { secure, connectTimeoutMs: 50 })).rejects.toMatchObject({
    code: 'unavailable',
    reason: 'connection',
    message: expect.stringContaining('within 50 ms'),
  });
});

test('giving up while it connects', async () => {
  const port = await listen(createTcpServer(() => controller.abort()));
  const controller = new AbortController();
  await expect(connect('127.0.0.1', port, false, {}, controller.signal)).rejects.toMatchObject({
    code: 'cancelled',
    progress: 'unsent',
  });
});

test('nobody there', async () => {
  const server = createTcpServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  for (const host of ['127.0.0.1', 'localhost']) {
    await expect(open(port, { host })).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'connection',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  }
});

test('a name that nobody has', async () => {
  await expect(open(1, { host: 'nobody.invalid' })).rejects.toMatchObject({
    code: 'unavailable',
    reason: 'connection',
    message: expect.stringContaining('nobody.invalid'),
  });
});
