import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import { LONGEST_DELAY } from '../call-limits.js';
import type { ConnectionOptions } from '../connection-options.js';
import { TritonError } from '../triton-error.js';
import { Http2Connection } from './http2-connection.js';

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
  const socket = open(host, port, secure, options);
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
    await connection.ready;
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
    let connected = false;
    const refuse = (message: string, reason: 'connection' | 'tls', cause?: unknown): void =>
      reject(
        new TritonError('unavailable', `${endpoint}: ${message}`, { reason, endpoint, cause }),
      );
    socket.once('connect', () => {
      connected = true;
      if (!secure) resolve();
    });
    socket.once('secureConnect', () => {
      if ('alpnProtocol' in socket && socket.alpnProtocol === 'h2') resolve();
      else refuse('the server speaks TLS, but not HTTP/2: is this the gRPC port?', 'tls');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error instanceof TritonError) reject(error);
      else if (connected && secure && error.code !== 'ECONNRESET')
        refuse(tlsWords(error), 'tls', error);
      else refuse(connectionWords(error), 'connection', error);
    });
    socket.once('close', () => {
      refuse(
        `the server closed the connection${secure ? ' during the TLS handshake' : ''}`,
        secure && connected ? 'tls' : 'connection',
      );
    });
  });
}

/** A name with several addresses fails with the errors of all, and no words of its own. */
function connectionWords(error: Error): string {
  if (!(error instanceof AggregateError)) return error.message;
  return error.errors.map((it) => (it instanceof Error ? it.message : String(it))).join(', ');
}

function tlsWords(error: NodeJS.ErrnoException): string {
  if (error.code === 'CERT_HAS_EXPIRED') return "the server's certificate has expired";
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/.test(error.code ?? ''))
    return 'what answers does not speak TLS: is it a plain port (grpc:, not grpcs:)?';
  return `TLS failed: ${error.message}`;
}
