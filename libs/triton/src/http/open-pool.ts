import { buildConnector, Pool } from 'undici';
import type { ConnectionOptions } from '../connection-options.js';

/** Each carries one call at a time; further calls wait for one. */
const MAX_CONNECTIONS = 64;

/** The connections to one server, made as they are needed. */
export function openPool(url: URL, options: ConnectionOptions): Pool {
  const { keepAliveMs = 20_000 } = options;
  return new Pool(url.origin, {
    connections: MAX_CONNECTIONS,
    pipelining: 1,
    allowH2: false,
    // A call has its deadline; undici's own would end a model that thinks for long.
    headersTimeout: 0,
    bodyTimeout: 0,
    // HTTP/1.1 has no ping: an unused connection is closed after that time, and TCP probes one that is used.
    keepAliveTimeout: keepAliveMs,
    connect: connector(options, keepAliveMs),
  });
}

function connector(
  { tls = {}, connectTimeoutMs = 5_000 }: ConnectionOptions,
  keepAliveMs: number,
): buildConnector.connector {
  const connect = buildConnector({
    allowH2: false,
    timeout: connectTimeoutMs,
    keepAliveInitialDelay: keepAliveMs,
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
