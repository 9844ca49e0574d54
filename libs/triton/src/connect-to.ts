import type { ClientSettings } from './client-options.js';
import { balance } from './endpoints/balance.js';
import { dnsEndpoints } from './endpoints/dns-endpoints.js';
import { addressOf, readUrl } from './endpoints/endpoint-address.js';
import { grpcTransport } from './grpc/grpc-transport.js';
import { httpTransport } from './http/http-transport.js';
import { stallWatchdog } from './stall.js';
import type { Transport } from './transport.js';
import { invalidArgument } from './triton-error.js';

/** What a client is made for: one server, several of them, or a way that the user has made. */
export type Target = string | URL | readonly (string | URL)[] | Transport;

/**
 * The way to a client's server or servers.
 *
 * @throws TritonError `invalid_argument` that names the option
 */
export function connectTo(target: Target, settings: ClientSettings): Transport {
  if (typeof target === 'string' || target instanceof URL) return connectToUrl(target, settings);
  refuse(settings, ['resolve'], 'give one URL, whose host name has several addresses');
  if (Array.isArray(target)) return balance({ endpoints: target, ...balancing(settings) });
  if (!isTransport(target)) {
    const problem = target === undefined ? 'missing' : 'neither a URL nor a transport';
    throw invalidArgument('target', problem, 'give a URL, as grpc://127.0.0.1:8001, or several');
  }
  refuse(settings, ['policy', 'health'], 'give them to the balance() in your transport');
  return target;
}

/** Whether it is one, as far as that can be seen. */
export function isTransport(given: unknown): given is Transport {
  if (typeof given !== 'object' || given === null) return false;
  const { unary, stream, close } = given as Partial<Transport>;
  return [unary, stream, close].every((method) => typeof method === 'function');
}

function connectToUrl(url: string | URL, settings: ClientSettings): Transport {
  if (settings.resolve) return balance({ endpoints: dnsEndpoints(url), ...balancing(settings) });
  refuse(settings, ['policy', 'health'], 'give several URLs, or resolve: true');
  return connect(readUrl(url, 'target'), undefined, settings);
}

function balancing(settings: ClientSettings) {
  const { policy, health, metadata } = settings;
  return {
    connect: (url: URL, serverName: string | undefined) => connect(url, serverName, settings),
    policy,
    health: { metadata, ...health },
  };
}

function connect(url: URL, serverName: string | undefined, settings: ClientSettings): Transport {
  const { stallMs, tls } = settings;
  const isNamed = serverName !== undefined && url.protocol.endsWith('s:');
  const options = isNamed
    ? { ...settings, tls: { ...tls, serverName: tls?.serverName ?? serverName } }
    : settings;
  const make = url.protocol.startsWith('grpc') ? grpcTransport : httpTransport;
  const transport = make(url, options);
  return stallMs === Infinity ? transport : stallWatchdog(stallMs, addressOf(url))(transport);
}

/** What would be of no effect: it was meant to have one. */
function refuse(
  settings: ClientSettings,
  names: readonly ('resolve' | 'policy' | 'health')[],
  mend: string,
): void {
  for (const name of names)
    if (settings[name]) throw invalidArgument(name, 'is of no effect here', mend);
}
