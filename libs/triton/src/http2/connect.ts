import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import { LONGEST_DELAY } from '../call-limits.js';
import { connectionError, notSpoken } from '../connection-error.js';
import type { ConnectionOptions } from '../connection-options.js';
import { TritonError } from '../triton-error.js';
import { Http2Connection } from './http2-connection.js';

const expected = { protocol: 'HTTP/2', plain: 'grpc:', secure: 'grpcs:', port: 'gRPC' } as const;

export const connectionDefaults = {
  connectTimeoutMs: 5_000,
  // Triton takes pings more often than every five minutes for abuse (--grpc-http2-min-recv-ping-interval-without-data).
  keepAliveMs: 300_000,
  keepAliveTimeoutMs: 10_000,
};

/**
 * Opens an HTTP/2 connection, up to the server's first words. Rejects with TritonError `unavailable`: reason `connection`,
 * `tls` or `protocol`, or with `cancelled`.
 *
 * @param secure whether to speak TLS
 * @param signal gives it up
 */
export async function connect(
  host: string,
  port: number,
  secure: boolean,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<Http2Connection> {
  const { connectTimeoutMs, keepAliveMs, keepAliveTimeoutMs } = withDefaults(options);
  const endpoint = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  let socket: Socket;
  try {
    socket = open(host, port, secure, options);
  } catch (error) {
    throw connectionError(error, endpoint, 'unsent', expected);
  }
  const timeout = new TritonError(
    'unavailable',
    `${endpoint}: no ${secure ? 'TLS and HTTP/2' : 'HTTP/2'} connection within ${connectTimeoutMs} ms`,
    { reason: 'connection', endpoint },
  );
  const cancelled = new TritonError('cancelled', 'the client was closed', { endpoint });
  const timer = setTimeout(
    () => socket.destroy(timeout),
    Math.min(connectTimeoutMs, LONGEST_DELAY),
  );
  const cancel = (): void => void socket.destroy(cancelled);
  signal.addEventListener('abort', cancel);
  try {
    await opened(socket, secure, endpoint);
    // Finds a peer that is gone without a word, on an otherwise quiet connection.
    socket.setKeepAlive(true, 20_000);
    const connection = new Http2Connection({ socket, endpoint, keepAliveMs, keepAliveTimeoutMs });
    await connection.ready.catch((error: unknown) => {
      throw explained(error, secure, endpoint);
    });
    return connection;
  } catch (error) {
    socket.destroy();
    throw [timeout, cancelled].find((own) => own === socket.errored) ?? error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', cancel);
  }
}

function withDefaults(options: ConnectionOptions): typeof connectionDefaults {
  return {
    connectTimeoutMs: options.connectTimeoutMs ?? connectionDefaults.connectTimeoutMs,
    keepAliveMs: options.keepAliveMs ?? connectionDefaults.keepAliveMs,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? connectionDefaults.keepAliveTimeoutMs,
  };
}

function open(
  host: string,
  port: number,
  secure: boolean,
  { tls = {} }: ConnectionOptions,
): Socket {
  if (!secure) return connectTcp({ host, port });
  const servername = tls.serverName ?? host;
  return connectTls({
    host,
    port,
    ALPNProtocols: ['h2'],
    // An address is no name that TLS could ask for; it is still compared with the certificate.
    servername: isIP(servername) ? '' : servername,
    checkServerIdentity: (_, certificate) => checkServerIdentity(servername, certificate),
    ca: tls.ca === undefined ? undefined : [tls.ca].flat(),
    cert: tls.cert,
    key: tls.key,
    passphrase: tls.passphrase,
  });
}

function opened(socket: Socket, secure: boolean, endpoint: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown): void =>
      reject(connectionError(error, endpoint, 'unsent', expected));
    socket.once('connect', () => {
      if (!secure) resolve();
    });
    socket.once('secureConnect', () => {
      if ('alpnProtocol' in socket && socket.alpnProtocol === 'h2') return resolve();
      const reason = 'protocol';
      refuse(new TritonError('unavailable', `${endpoint}: ${notSpoken(expected)}`, { reason }));
    });
    socket.once('error', refuse);
    socket.once('close', () => refuse(new Error('the server closed the connection')));
  });
}

/** What broke before the server's first words may be no fault of the connection. */
function explained(error: unknown, secure: boolean, endpoint: string): unknown {
  if (!(error instanceof TritonError) || error.reason !== 'connection') return error;
  // With TLS 1.3 a server judges our certificate after our side of the handshake is done.
  const [words, reason] = secure
    ? (['does it want another client certificate (tls.cert, tls.key)?', 'tls'] as const)
    : (['is this its gRPC port?', 'connection'] as const);
  const told = connectionError(error.cause ?? error, endpoint, 'unsent', expected);
  if (told.reason !== 'connection') return told;
  const { cause } = error;
  return new TritonError('unavailable', `${error.message} before it spoke HTTP/2: ${words}`, {
    reason,
    endpoint,
    cause,
  });
}
