import { HammerlineError, type ErrorCode } from '#libs/contracts';

/** What says nothing of a request: no server takes one now. */
export const AWAY: ReadonlySet<ErrorCode> = new Set(['model_unavailable', 'model_overloaded']);

/** Failures in a row, with no answer in between, after which it asks whether the model still works. */
const FAILURES_IN_A_ROW = 5;
const FIRST_PAUSE_MS = 250;
/** Runs wait meanwhile: no longer than somebody who restarted the server would. */
const LONGEST_PAUSE_MS = 2_000;
/** A check that takes longer counts as failed: the model hangs. */
const CHECK_WITHIN_MS = 30_000;

export interface BreakerOptions {
  /** Resolves when the model would answer now. */
  check: (signal: AbortSignal) => Promise<void>;
  onOpened: (reason: HammerlineError) => void;
  /** The model is still away, but for another reason than before. */
  onReason: (reason: HammerlineError) => void;
  onClosed: () => void;
  /** From 0 to 1: keeps a fleet from asking in step. */
  random?: () => number;
}

/**
 * Keeps work away from a model that is not there. It is open until the model's check passes for the first time, and again
 * from the first sign that no server takes requests, or after some failures in a row. While it is open it checks, with
 * growing pauses, which shrink only when the model really answered: a model that passes checks and refuses work is not
 * hammered.
 */
export class Breaker {
  readonly #options: Required<BreakerOptions>;
  readonly #stopping = new AbortController();
  #isClosed = false;
  #term = 0;
  #failures = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #reason = '';
  #probing: Promise<void> = Promise.resolve();

  constructor(options: BreakerOptions) {
    this.#options = { random: Math.random, ...options };
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Number of times it has closed. What was sent in an earlier term says nothing of this one. */
  get term(): number {
    return this.#term;
  }

  /** Begins to check; the first time without a pause. */
  start(): void {
    this.#probing = this.#probe(0);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  /** @param term when the request was sent */
  failed(error: unknown, term: number): void {
    if (this.#stopping.signal.aborted || term !== this.#term || !this.#isClosed) return;
    if (!(error instanceof HammerlineError)) return;
    if (error.code === 'model_failed' || error.code === 'model_refused') this.#failures += 1;
    if (AWAY.has(error.code) || this.#failures >= FAILURES_IN_A_ROW) this.#open(error);
  }

  /** Ends the checks. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#probing;
  }

  #open(reason: HammerlineError): void {
    this.#isClosed = false;
    this.#reason = reason.message;
    this.#options.onOpened(reason);
    this.#probing = this.#probe(this.#nextPause());
  }

  async #probe(firstPauseMs: number): Promise<void> {
    const { signal } = this.#stopping;
    for (let pauseMs = firstPauseMs; ; pauseMs = this.#nextPause()) {
      await pause(pauseMs, signal);
      if (signal.aborted) return;
      const late = AbortSignal.timeout(CHECK_WITHIN_MS);
      try {
        await this.#options.check(AbortSignal.any([signal, late]));
        break;
      } catch (error) {
        if (signal.aborted) return;
        this.#note(late.aborted ? hangs() : asReason(error));
      }
    }
    if (signal.aborted) return;
    this.#isClosed = true;
    this.#term += 1;
    this.#failures = 0;
    this.#reason = '';
    this.#options.onClosed();
  }

  #note(reason: HammerlineError): void {
    if (reason.message === this.#reason) return;
    this.#reason = reason.message;
    this.#options.onReason(reason);
  }

  #nextPause(): number {
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    return pauseMs * (0.8 + 0.4 * this.#options.random());
  }
}

/** Resolves after a time, or when `signal` aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

function asReason(error: unknown): HammerlineError {
  if (error instanceof HammerlineError) return error;
  return new HammerlineError('model_unavailable', String(error), { cause: error });
}

function hangs(): HammerlineError {
  const message = `the model did not answer a check within ${CHECK_WITHIN_MS / 1_000} s`;
  return new HammerlineError('model_unavailable', message);
}
