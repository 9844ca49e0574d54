import { whileWanted } from './call-limits.js';
import { checkKeys, keysOf } from './check-keys.js';
import { inBandError } from './endpoints/call-model.js';
import type {
  CallContext,
  Interceptor,
  StreamCall,
  StreamOperations,
  Transport,
  UnaryCall,
  UnaryOperations,
} from './transport.js';
import { invalidArgument, type Progress, TritonError } from './triton-error.js';

export interface RetryOptions {
  /** Attempts in all. Default 3. */
  readonly attempts?: number | undefined;
  /** The n-th wait is random, between 0 and this doubled n - 1 times. Milliseconds; default 50. */
  readonly baseMs?: number | undefined;
  /** No wait is longer, milliseconds. Default 2,000. */
  readonly maxMs?: number | undefined;
  /**
   * An inference may run twice. Default false: a model may have effects or keep state (sequences), a second run costs as
   * much again just when the servers have trouble, and a request that kills its server would kill the next one.
   */
  readonly idempotent?: boolean | undefined;
  /** Retries per call, on average, so that retries do not bury servers that fail everything. Default 0.2. */
  readonly budget?: number | undefined;
  /** Retries that may come at once, after calls enough without. Default 10. */
  readonly burst?: number | undefined;
  /** Numbers from 0 to 1, for tests. */
  readonly random?: (() => number) | undefined;
}

type Settings = { readonly [K in keyof RetryOptions]-?: Exclude<RetryOptions[K], undefined> };

/**
 * Repeats calls that failed with `unavailable`, where a repetition is safe:
 * - a call of which the server has seen nothing (progress `unsent`);
 * - a call that only reads, as metadata or statistics;
 * - an inference that may have run, if `idempotent`, but for one that has waited in a queue for as long as it may;
 * - a stream only before its first answer, and only if its requests are an array: others cannot be read again. If that is
 *   of one request, its error in band counts as the stream's.
 *
 * The waits grow exponentially, with full jitter; a retry that would begin after the deadline is not waited for. Over
 * `balance`, it goes to another endpoint if there is one; what an endpoint has not looked at has then been to all the others
 * already, which costs none of the budget. The error of the last attempt is thrown, with the progress of the attempt that
 * went furthest.
 */
export function retries(options: RetryOptions = {}): Interceptor {
  const settings = readSettings(options);
  const budget = new RetryBudget(settings.budget, settings.burst);
  return (next) => new RetryingTransport(next, settings, budget);
}

class RetryingTransport implements Transport {
  readonly #next: Transport;
  readonly #settings: Settings;
  readonly #budget: RetryBudget;

  constructor(next: Transport, settings: Settings, budget: RetryBudget) {
    this.#next = next;
    this.#settings = settings;
    this.#budget = budget;
  }

  async unary<O extends keyof UnaryOperations>(call: UnaryCall<O>): Promise<UnaryOperations[O][1]> {
    const attempts = new Attempts(call, isRead(call), this.#settings, this.#budget);
    for (;;) {
      try {
        return await this.#next.unary({ ...call, context: attempts.context });
      } catch (error) {
        await attempts.afterFailure(error);
      }
    }
  }

  stream<O extends keyof StreamOperations>(
    call: StreamCall<O>,
  ): AsyncIterable<StreamOperations[O][1]> {
    return Array.isArray(call.requests) ? this.#replay(call) : this.#next.stream(call);
  }

  close(): Promise<void> {
    return this.#next.close();
  }

  async *#replay<O extends keyof StreamOperations>(
    call: StreamCall<O>,
  ): AsyncGenerator<StreamOperations[O][1], void, undefined> {
    const attempts = new Attempts(call, false, this.#settings, this.#budget);
    const isOne = Array.isArray(call.requests) && call.requests.length === 1;
    for (;;) {
      let answered = false;
      try {
        for await (const answer of this.#next.stream({ ...call, context: attempts.context })) {
          const error = isOne && !answered ? inBandError(answer) : undefined;
          if (error !== undefined && attempts.isSafe(error)) throw error;
          answered = true;
          yield answer;
        }
        return;
      } catch (error) {
        if (answered) throw error;
        await attempts.afterFailure(error);
      }
    }
  }
}

/** The attempts of one call. */
class Attempts {
  context: CallContext;
  readonly #operation: string;
  readonly #mayRunTwice: boolean;
  readonly #settings: Settings;
  readonly #budget: RetryBudget;
  #made = 0;
  #progress: Progress = 'unsent';

  constructor(
    { operation, context }: UnaryCall | StreamCall,
    reads: boolean,
    settings: Settings,
    budget: RetryBudget,
  ) {
    this.context = context;
    this.#operation = operation;
    this.#mayRunTwice = reads || (settings.idempotent && INFERENCES.has(operation));
    this.#settings = settings;
    this.#budget = budget;
    budget.deposit();
  }

  /** Waits until it is time for another attempt. @throws the error, if there is to be none */
  async afterFailure(error: unknown): Promise<void> {
    if (!(error instanceof TritonError)) throw error;
    if (STEPS.indexOf(error.progress) > STEPS.indexOf(this.#progress))
      this.#progress = error.progress;
    this.#made++;
    const last = this.#told(error);
    const { attempts, baseMs, maxMs, random } = this.#settings;
    if (!this.isSafe(error) || this.#made >= attempts) throw last;
    const waitMs = Math.min(baseMs * 2 ** (this.#made - 1), maxMs) * random();
    const { deadline = Infinity, avoid = [] } = this.context;
    if (performance.now() + waitMs >= deadline || !this.#budget.withdraw()) throw last;
    await this.#wait(waitMs);
    if (error.endpoint !== undefined) {
      this.context = { ...this.context, avoid: [...avoid, error.endpoint] };
    }
  }

  /** Whether another attempt would do no harm, and might succeed. */
  isSafe({ code, reason, progress }: TritonError): boolean {
    if (code !== 'unavailable' || progress === 'answered') return false;
    return progress === 'unsent' || (this.#mayRunTwice && reason !== 'queue_timeout');
  }

  #told(error: TritonError): TritonError {
    const attempts = this.#made > 1 ? ` (${this.#made} attempts)` : '';
    return error.with({ progress: this.#progress, message: error.message + attempts });
  }

  async #wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    try {
      await whileWanted(promise, { operation: this.#operation, context: this.context });
    } catch (error) {
      throw error instanceof TritonError ? this.#told(error) : error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A token bucket: each call puts a share of a retry into it, each retry takes one out. */
class RetryBudget {
  readonly #share: number;
  readonly #burst: number;
  #tokens: number;

  constructor(share: number, burst: number) {
    this.#share = share;
    this.#burst = burst;
    this.#tokens = burst;
  }

  deposit(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + this.#share);
  }

  withdraw(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

const STEPS: readonly Progress[] = ['unsent', 'sent', 'answered'];

const INFERENCES = new Set<string>([
  'ModelInfer',
  'Generate',
  'ModelStreamInfer',
  'GenerateStream',
]);

const READS = new Set<string>([
  'ServerLive',
  'ServerReady',
  'ServerMetadata',
  'ModelReady',
  'ModelMetadata',
  'ModelConfig',
  'ModelStatistics',
  'RepositoryIndex',
  'HealthCheck',
]);

function isRead({ operation, request }: UnaryCall): boolean {
  // Settings are read by the operation that changes them, with nothing to change.
  if (operation === 'TraceSetting' || operation === 'LogSettings') {
    return !('settings' in request) || Object.keys(request.settings ?? {}).length === 0;
  }
  return READS.has(operation);
}

const keys = keysOf({
  attempts: true,
  baseMs: true,
  maxMs: true,
  idempotent: true,
  budget: true,
  burst: true,
  random: true,
} satisfies Record<keyof RetryOptions, true>);

function readSettings(options: RetryOptions): Settings {
  checkKeys('retry', options, keys);
  const numbers = {
    attempts: options.attempts ?? 3,
    baseMs: options.baseMs ?? 50,
    maxMs: options.maxMs ?? 2_000,
    budget: options.budget ?? 0.2,
    burst: options.burst ?? 10,
  };
  for (const [name, value] of Object.entries(numbers)) {
    if (value >= (name === 'attempts' ? 1 : 0)) continue;
    throw invalidArgument(
      `retry.${name}`,
      `${value} is too little`,
      'leave it out for its default',
    );
  }
  return {
    ...numbers,
    idempotent: options.idempotent ?? false,
    random: options.random ?? Math.random,
  };
}
