import { LONGEST_DELAY } from '../call-limits.js';
import { TritonError } from '../triton-error.js';
import type { EndpointSource } from './dns-endpoints.js';
import type { EndpointAddress } from './endpoint-address.js';

/** Between the end of one reading and the next that a failure asks for, milliseconds. */
const GAP_MS = 1_000;
/** A reading that takes longer has failed, milliseconds. */
const TIMEOUT_MS = 5_000;

export interface SourceListener {
  found(addresses: readonly EndpointAddress[]): void;
  failed(error: TritonError): void;
}

/** Reads a source again and again: at its interval, and soon after {@link soon}. */
export class SourceWatch {
  readonly #source: EndpointSource;
  readonly #listener: SourceListener;
  #known = false;
  #closed = false;
  /** The reading under way. */
  #reading: PromiseWithResolvers<readonly EndpointAddress[]> | undefined;
  #outcome: Promise<void> = Promise.resolve();
  #lastEnd = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: EndpointSource, listener: SourceListener) {
    this.#source = source;
    this.#listener = listener;
    this.#read();
  }

  /**
   * Nothing, once the source has answered; before that, a promise of it, which rejects if the reading under way, or the
   * one just before, fails.
   */
  ready(): Promise<void> | undefined {
    if (this.#known) return undefined;
    if (performance.now() - this.#lastEnd >= GAP_MS) this.#read();
    return this.#outcome;
  }

  /** The addresses may be out of date. */
  soon(): void {
    this.#schedule(Math.max(0, this.#lastEnd + GAP_MS - performance.now()));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#reading?.reject(new TritonError('cancelled', 'the client was closed'));
  }

  #read(): void {
    if (this.#reading !== undefined || this.#closed) return;
    this.#outcome = this.#update();
    // A failure is told to the listener, and to those who wait: there may be none.
    this.#outcome.catch(() => {});
  }

  async #update(): Promise<void> {
    clearTimeout(this.#timer);
    const { name, refreshMs } = this.#source;
    const reading = Promise.withResolvers<readonly EndpointAddress[]>();
    this.#reading = reading;
    const timeout = setTimeout(() => {
      reading.reject(new Error(`no answer in ${TIMEOUT_MS} ms`));
    }, TIMEOUT_MS);
    try {
      this.#source.resolve().then(reading.resolve, reading.reject);
      const addresses = await reading.promise;
      // A service scaled to nothing looks like a name server that has lost its data.
      if (addresses.length === 0) throw new Error('it names no endpoint');
      this.#listener.found(addresses);
      this.#known = true;
    } catch (cause) {
      const error = asTritonError(cause, name);
      if (!this.#closed) this.#listener.failed(error);
      throw error;
    } finally {
      clearTimeout(timeout);
      this.#reading = undefined;
      this.#lastEnd = performance.now();
      this.#schedule(this.#known ? refreshMs : GAP_MS);
    }
  }

  /** Brings the next reading forward to that many milliseconds from now. */
  #schedule(delayMs: number): void {
    if (this.#reading !== undefined || this.#closed) return;
    clearTimeout(this.#timer);
    if (delayMs === Infinity) return;
    this.#timer = setTimeout(() => this.#read(), Math.min(delayMs, LONGEST_DELAY));
    this.#timer.unref();
  }
}

function asTritonError(cause: unknown, name: string): TritonError {
  if (cause instanceof TritonError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TritonError('unavailable', `${name}: ${why}`, { reason: 'connection', cause });
}
