import { buildConnector, Pool } from 'undici';
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
    timeout: connectTimeoutMs,
    keepAliveInitialDelay: IDLE_MS,
    ...(tls.ca !== undefined && { ca: [tls.ca].flat() }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
    ...(tls.passphrase !== undefined && { passphrase: tls.passphrase }),
    ...(tls.serverName !== undefined && { servername: tls.serverName }),
  });
  return (target, callback) => {
    connect(target, (...[error, socket]) => {
      if (error) return callback(error, null);
      // A server that refuses our certificate sends an alert and closes; undici would tell only of the closing.
      socket.once('error', (alert) => socket.destroy(alert));
      return callback(null, socket);
    });
  };
}
