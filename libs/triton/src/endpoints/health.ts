import { invalidArgument } from '../triton-error.js';

/** When an endpoint is no longer used, and when it is again. Times are milliseconds. */
export interface HealthOptions {
  /** Failures of the endpoint in a row, without an answer between them, that eject it. Default 5. */
  readonly failures?: number | undefined;
  /**
   * How long it then gets no calls before it is probed; doubles with each failure of a probe. Default 1,000: short, as the
   * probe stands between a dead server and the calls.
   */
  readonly ejectionMs?: number | undefined;
  /** The longest time between two probes of an ejected endpoint. Default 30,000. */
  readonly maxEjectionMs?: number | undefined;
  /**
   * Asks every endpoint this often whether it is ready, so that a server that starts or shuts down gets no calls. Default:
   * only those that failed are asked.
   */
  readonly probeIntervalMs?: number | undefined;
  /** How long an endpoint may take to answer a probe. Default 2,000. */
  readonly probeTimeoutMs?: number | undefined;
  /** Metadata of the probes, such as the key of a restricted API. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** If a smaller share of the endpoints than this is fit, those only suspected of being unfit are used too. Default 0.5. */
  readonly panicShare?: number | undefined;
}

export type Health = {
  readonly [K in keyof HealthOptions]-?: Exclude<HealthOptions[K], undefined>;
} & {
  /** From 0 to 1. */
  readonly random: () => number;
};

/** Completes and checks them. */
export function readHealth(
  options: HealthOptions = {},
  random: () => number = Math.random,
): Health {
  const health = {
    failures: options.failures ?? 5,
    ejectionMs: options.ejectionMs ?? 1_000,
    maxEjectionMs: options.maxEjectionMs ?? 30_000,
    probeIntervalMs: options.probeIntervalMs ?? Infinity,
    probeTimeoutMs: options.probeTimeoutMs ?? 2_000,
    panicShare: options.panicShare ?? 0.5,
  };
  for (const [name, value] of Object.entries(health)) {
    if (value > 0) continue;
    if (name === 'panicShare' && value === 0) continue;
    throw invalidArgument(
      `health.${name}`,
      `${value} is no number above 0`,
      'leave it out for its default',
    );
  }
  return { ...health, metadata: options.metadata ?? {}, random };
}

/**
 * How long the n-th ejection lasts, milliseconds: doubles with each, up to the cap; a quarter more or less, so that clients
 * do not probe in step.
 */
export function ejectionMs(
  { ejectionMs: first, maxEjectionMs, random }: Health,
  ejections: number,
): number {
  return Math.min(first * 2 ** (ejections - 1), maxEjectionMs) * (0.75 + random() / 2);
}
