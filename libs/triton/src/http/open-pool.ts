import type { Socket } from 'node:net';
import { buildConnector, Pool } from 'undici';
import { LONGEST_DELAY } from '../call-limits.js';
import type { ConnectionOptions } from '../connection-options.js';

const MAX_CONNECTIONS = 64;
/** An unused connection is closed after so long, milliseconds; TCP probes one that is used. HTTP/1.1 has no ping. */
const IDLE_MS = 20_000;

/** The connections to one server, made as they are needed. */
export function openPool(url: URL, options: ConnectionOptions): Pool {
  return new Pool(url.origin, {
    connections: options.connections ?? MAX_CONNECTIONS,
    pipelining: 1,
    allowH2: false,
    // A call has its deadline; undici's own would end a model that thinks for long.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: IDLE_MS,
    connect: connector(options),
  });
}

function connector({
  tls = {},
  connectTimeoutMs = 5_000,
}: ConnectionOptions): buildConnector.connector {
  const connect = buildConnector({
    allowH2: false,
    // Undici's own timer may be a second late.
    timeout: 0,
    keepAliveInitialDelay: IDLE_MS,
    ...(tls.ca !== undefined && { ca: [tls.ca].flat() }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
    ...(tls.passphrase !== undefined && { passphrase: tls.passphrase }),
    ...(tls.serverName !== undefined && { servername: tls.serverName }),
  });
  return (target, callback) => {
    // Undici returns the socket, though its types do not say so.
    const opening = connect(target, (...[error, socket]) => {
      clearTimeout(timer);
      // Where an address of several did not answer, undici tells of a time-out, of its own and of 0 ms.
      if (error) return callback(error.cause instanceof AggregateError ? error.cause : error, null);
      // A server that refuses our certificate sends an alert and closes; undici would tell only of the closing.
      socket.once('error', (alert) => socket.destroy(alert));
      return callback(null, socket);
    }) as unknown as Socket;
    const late = (): void =>
      void opening.destroy(new Error(`no connection within ${connectTimeoutMs} ms`));
    const timer = setTimeout(late, Math.min(connectTimeoutMs, LONGEST_DELAY));
  };
}
