import { invalidArgument } from '../triton-error.js';

/** One server. */
export interface EndpointAddress {
  readonly url: URL;
  /** The name that its certificate has to have, where that is not the host of the URL. */
  readonly serverName?: string | undefined;
}

/** What the transports take where a URL names no port. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  'grpc:': 8001,
  'grpcs:': 8001,
  'http:': 80,
  'https:': 443,
};

/** `host:port`, as the errors of the transports name an endpoint. */
export function addressOf({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port || DEFAULT_PORTS[protocol]}`;
}

/** @throws TritonError `invalid_argument` that names the field */
export function readUrl(url: string | URL, where: string): URL {
  const read = URL.parse(url.toString());
  if (read === null || read.hostname === '' || !(read.protocol in DEFAULT_PORTS)) {
    const mend =
      'give scheme (grpc, grpcs, http or https), host and port, as grpc://127.0.0.1:8001';
    const shown = JSON.stringify(withoutCredentials(url.toString()));
    throw invalidArgument(where, `${shown} is no URL of a server`, mend);
  }
  return read;
}

/** Errors go to logs, passwords do not. Works on what is no URL, too. */
function withoutCredentials(url: string): string {
  return url.replace(/^([^:/@]+:\/\/)?.*@/s, '$1…@');
}
