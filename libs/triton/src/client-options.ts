import { checkTime, lowerCase } from './call-options.js';
import { checkKeys, keysOf } from './check-keys.js';
import type { ConnectionOptions } from './connection-options.js';
import { LONGEST_DELAY } from './call-limits.js';
import type { HealthOptions } from './endpoints/health.js';
import type { Policy } from './endpoints/policies.js';
import type { RetryOptions } from './retry.js';
import type { CallContext, Interceptor } from './transport.js';
import { invalidArgument } from './triton-error.js';

export interface ClientOptions extends ConnectionOptions {
  /** Milliseconds of each call that answers once (not of streams), waiting and retries included. Default 60,000; Infinity: no limit. */
  readonly timeoutMs?: number | undefined;
  /** The longest silence of a stream that owes answers, milliseconds. Default 60,000; Infinity: no limit. */
  readonly stallMs?: number | undefined;
  /** Sent with every call: header fields of HTTP, metadata of gRPC, such as the key of a restricted API. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /**
   * Whether inputs are checked against the model's metadata, which is then asked for once per model. Default true. If
   * false, inputs must be tensors.
   */
  readonly checkInputs?: boolean | undefined;
  /** Takes every address of the URL's host name for a server of its own, as of a Kubernetes headless service. */
  readonly resolve?: boolean | undefined;
  /** Which of several servers a call goes to. Default: `leastOutstanding()`. */
  readonly policy?: Policy | undefined;
  /** When one of several servers is left out. */
  readonly health?: HealthOptions | undefined;
  /** Default: safe retries; false: none. */
  readonly retry?: RetryOptions | false | undefined;
  /** Around every call, the first outermost. */
  readonly interceptors?: readonly Interceptor[] | undefined;
}

/** With the defaults of what each call needs. */
export interface ClientSettings extends ClientOptions {
  readonly timeoutMs: number;
  readonly stallMs: number;
  /** Names in lower case. */
  readonly metadata: CallContext['metadata'];
}

const keys = keysOf({
  timeoutMs: true,
  stallMs: true,
  metadata: true,
  checkInputs: true,
  resolve: true,
  policy: true,
  health: true,
  retry: true,
  interceptors: true,
  tls: true,
  connectTimeoutMs: true,
  keepAliveMs: true,
  keepAliveTimeoutMs: true,
  connections: true,
  compression: true,
  maxMessageBytes: true,
} satisfies Record<keyof ClientOptions, true>);

const healthKeys = keysOf({
  failures: true,
  ejectionMs: true,
  maxEjectionMs: true,
  probeIntervalMs: true,
  probeTimeoutMs: true,
  metadata: true,
  panicShare: true,
} satisfies Record<keyof HealthOptions, true>);

/** @throws TritonError `invalid_argument` that names the option */
export function readClientOptions(options: ClientOptions): ClientSettings {
  checkKeys('client options', options, keys);
  const { timeoutMs = 60_000, stallMs = 60_000, metadata = {}, interceptors = [] } = options;
  if (options.health !== undefined) checkKeys('health', options.health, healthKeys);
  if (!Array.isArray(interceptors) || !interceptors.every((one) => typeof one === 'function'))
    throw invalidArgument('interceptors', 'no list of functions', 'give [interceptor]');
  checkTime('timeoutMs', timeoutMs);
  checkTime('stallMs', stallMs);
  if (stallMs > LONGEST_DELAY && stallMs !== Infinity)
    throw invalidArgument('stallMs', `${stallMs} is too long`, 'give Infinity for no limit');
  return { ...options, timeoutMs, stallMs, metadata: lowerCase(metadata) };
}
