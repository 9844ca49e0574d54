import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { makeCertificate } from '../../support/stub-certificate.js';

/** Whose certificates the servers with TLS have. */
export const authority = makeCertificate({ name: 'Authority' });

/** What may be found on a port in place of a Triton. */
export const FOREIGN = {
  'a web server': () =>
    createHttpServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>It works!</h1>');
    }),
  'another API': () =>
    createHttpServer((_, response) => {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"detail":"Not Found"}');
    }),
  'a web server with TLS': () => withTls('http/1.1'),
  'a web server with an expired certificate': () => withTls('http/1.1', true),
  'an HTTP/2 server with an expired certificate': () => withTls('h2', true),
  'a database that waits for a command': () =>
    createServer((socket) => {
      socket.on('data', () => socket.end('-ERR unknown command\r\n'));
    }),
  'a server that greets': () =>
    createServer((socket) => void socket.write('SSH-2.0-OpenSSH_9.2p1\r\n')),
  'a server that says nothing': () => createServer(),
  'a server that hangs up': () => createServer((socket) => void socket.end()),
} satisfies Record<string, () => Server>;

/** A web server behind TLS, which speaks one protocol of ALPN. */
function withTls(protocol: string, expired = false): Server {
  const { cert, key } = makeCertificate({ issuer: authority, expired });
  return createTlsServer({ cert, key, ALPNProtocols: [protocol] }, (socket) => {
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi'));
  });
}

/** Starts one on a free port. `close` ends its connections, too. */
export async function startForeign(
  server: Server,
): Promise<{ readonly address: string; close: () => void }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    // Whoever finds out where it is may break off as it likes.
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
