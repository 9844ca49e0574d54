import type { CallContext } from './transport.js';
import { invalidArgument } from './triton-error.js';

export interface CallOptions {
  /** Milliseconds of the whole call. Default: the client's for calls that answer once, none for streams. */
  readonly timeoutMs?: number | undefined;
  /** Gives the call up with `cancelled`, and at the server too as far as the transport can. */
  readonly signal?: AbortSignal | undefined;
  /** Header fields of HTTP, metadata of gRPC. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** With `prefixAffinity`: calls of the same text go to the same server. */
  readonly affinity?: string | undefined;
}

/** @throws TritonError `invalid_argument` for a time that is none; Infinity is one */
export function checkTime(where: string, ms: number): void {
  if (!(ms > 0)) throw invalidArgument(where, `${ms} is no time`, 'give milliseconds above 0');
}

/** Names of metadata differ in more than their case: so that one value overrides another. */
export function lowerCase(metadata: CallContext['metadata']): CallContext['metadata'] {
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

/**
 * @param defaults its metadata has names in lower case
 * @throws TritonError `invalid_argument` for a time that is none
 */
export function contextOf(
  { timeoutMs, signal, metadata, affinity }: CallOptions,
  defaults: { readonly timeoutMs: number; readonly metadata?: CallContext['metadata'] | undefined },
): CallContext {
  const ms = timeoutMs ?? defaults.timeoutMs;
  checkTime('timeoutMs', ms);
  return {
    metadata:
      metadata === undefined
        ? (defaults.metadata ?? {})
        : { ...defaults.metadata, ...lowerCase(metadata) },
    deadline: ms === Infinity ? undefined : performance.now() + ms,
    signal,
    affinity,
  };
}
