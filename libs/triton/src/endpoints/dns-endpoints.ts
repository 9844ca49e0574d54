import { lookup as lookupName } from 'node:dns/promises';
import { isIP } from 'node:net';
import { checkTime } from '../call-options.js';
import { TritonError } from '../triton-error.js';
import { addressOf, type EndpointAddress, readUrl } from './endpoint-address.js';

/** Servers that come and go. */
export interface EndpointSource {
  /** What is read, for messages. */
  readonly name: string;
  /** Milliseconds from one reading to the next; Infinity: none but those that a failed connection asks for. */
  readonly refreshMs: number;
  /** All servers there are now. To fail, or to find none, changes nothing: those known before stay. */
  resolve(): Promise<readonly EndpointAddress[]>;
}

export interface DnsOptions {
  /**
   * Milliseconds from one look-up to the next. A connection that fails brings the next one forward; with Infinity, nothing
   * else does. Default 10,000.
   */
  readonly refreshMs?: number | undefined;
  /** Only IPv4 or only IPv6 addresses. Default both: a server that has one of each counts as two. */
  readonly family?: 4 | 6 | undefined;
  /** Default: the system's resolver. */
  readonly lookup?:
    ((host: string) => Promise<readonly { readonly address: string }[]>) | undefined;
}

/**
 * Every address of a host name, as of a Kubernetes headless service. Asked is the system's resolver (getaddrinfo): unlike
 * a query to a name server, it knows the hosts file and the search domains, so that the short name of a service will do.
 * It does not tell how long an answer holds, hence the fixed interval.
 *
 * @throws TritonError `invalid_argument` that names the field
 */
export function dnsEndpoints(
  url: string | URL,
  {
    refreshMs = 10_000,
    family,
    lookup = (host) => lookupName(host, { all: true, family: family ?? 0 }),
  }: DnsOptions = {},
): EndpointSource {
  checkTime('refreshMs', refreshMs);
  const base = readUrl(url, 'url');
  const host = base.hostname.replace(/^\[(.*)\]$/, '$1');
  const serverName = isIP(host) === 0 ? host : undefined;
  return {
    name: `DNS of ${host}`,
    refreshMs,
    async resolve() {
      try {
        const found = await lookup(host);
        return found.map(({ address }) => ({ url: withHost(base, address), serverName }));
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        const message = `the host name ${host} does not resolve: ${why}`;
        throw new TritonError('unavailable', message, {
          reason: 'connection',
          endpoint: addressOf(base),
          cause,
        });
      }
    },
  };
}

function withHost(base: URL, address: string): URL {
  const url = new URL(base);
  url.hostname = isIP(address) === 6 ? `[${address}]` : address;
  return url;
}
