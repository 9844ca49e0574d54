import { checkKeys, checkRecord, keysOf } from './check-keys.js';
import type { ModelRef } from './protocol.js';
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

const callKeys = keysOf({
  timeoutMs: true,
  signal: true,
  metadata: true,
  affinity: true,
} satisfies Record<keyof CallOptions, true>);

/** @throws TritonError `invalid_argument` for a time that is none; Infinity is one */
export function checkTime(where: string, ms: number): void {
  if (!(typeof ms === 'number' && ms > 0))
    throw invalidArgument(where, `${ms} is no time`, 'give milliseconds above 0');
}

/**
 * Names of metadata differ in more than their case: so that one value overrides another.
 *
 * @throws TritonError `invalid_argument` for Headers or a Map, whose entries would be lost
 */
export function lowerCase(metadata: CallContext['metadata']): CallContext['metadata'] {
  checkRecord('metadata', metadata, 'give an object, as Object.fromEntries(headers)');
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

/** What a call is, in the words of an error. */
export function labelOf(operation: string, request: object | undefined): string {
  const { model } = (request ?? {}) as Partial<ModelRef>;
  return model === undefined ? operation : `${operation} of model ${model}`;
}

/**
 * @param defaults its metadata has names in lower case
 * @param label what the call is
 * @param keys the options that it takes
 * @throws TritonError `invalid_argument` that names the option
 */
export function contextOf(
  options: CallOptions,
  defaults: { readonly timeoutMs: number; readonly metadata?: CallContext['metadata'] | undefined },
  label: string,
  keys: ReadonlySet<string> = callKeys,
): CallContext {
  checkKeys('call options', options, keys);
  const { timeoutMs, signal, metadata, affinity } = options;
  if (signal !== undefined) checkSignal(signal);
  const ms = timeoutMs ?? defaults.timeoutMs;
  checkTime('timeoutMs', ms);
  return {
    metadata:
      metadata === undefined
        ? (defaults.metadata ?? {})
        : { ...defaults.metadata, ...lowerCase(metadata) },
    deadline: ms === Infinity ? undefined : performance.now() + ms,
    timeoutMs: ms,
    label,
    signal,
    affinity,
  };
}

/** By what is used of it: a signal may come from another realm. */
function checkSignal(signal: AbortSignal): void {
  if (typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function') return;
  throw invalidArgument('signal', 'is no AbortSignal', 'give controller.signal');
}
