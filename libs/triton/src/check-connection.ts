import { checkKeys, keysOf } from './check-keys.js';
import { checkTls } from './check-tls.js';
import type { ConnectionOptions, TlsOptions } from './connection-options.js';
import { invalidArgument } from './triton-error.js';

const numbers = [
  'connectTimeoutMs',
  'keepAliveMs',
  'keepAliveTimeoutMs',
  'connections',
  'maxMessageBytes',
] as const;

const tlsKeys = keysOf({
  ca: true,
  cert: true,
  key: true,
  passphrase: true,
  serverName: true,
} satisfies Record<keyof TlsOptions, true>);

/**
 * Refuses a URL or options that a transport would have to guess at.
 *
 * @param schemes without and with TLS, as `['grpc:', 'grpcs:']`
 * @throws TritonError `invalid_argument` that names the field
 */
export function checkConnection(
  { protocol, username, password, search, hash }: URL,
  options: ConnectionOptions,
  [plain, secure]: readonly [plain: string, secure: string],
): void {
  if (protocol !== plain && protocol !== secure) {
    const mend = `give ${plain}//host:port or ${secure}//host:port`;
    throw invalidArgument('url', `begins with ${protocol}`, mend);
  }
  if (username || password || search || hash) {
    const mend = 'leave them out; give credentials as metadata';
    throw invalidArgument('url', 'has a user, a query or a fragment', mend);
  }
  if (options.tls !== undefined) checkKeys('tls', options.tls, tlsKeys);
  if (options.tls !== undefined && protocol === plain) {
    throw invalidArgument('tls', `without ${secure}`, `give a ${secure} URL, or leave it out`);
  }
  if (options.tls !== undefined) checkTls(options.tls);
  for (const name of numbers) {
    const value = options[name];
    if (value === undefined || value > 0) continue;
    throw invalidArgument(name, `${value} is too little`, 'leave it out for its default');
  }
  const { connections = 1 } = options;
  if (!Number.isSafeInteger(connections)) {
    throw invalidArgument('connections', `${connections} is no whole number`, 'give 1 or more');
  }
  const { compression } = options;
  if (compression !== undefined && compression !== 'gzip' && compression !== 'deflate') {
    throw invalidArgument(
      'compression',
      `${String(compression)} is unknown`,
      'give gzip or deflate',
    );
  }
}
