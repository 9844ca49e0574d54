import { LONGEST_DELAY } from '../call-limits.js';

export interface KeepAliveOptions {
  /** Silence, in milliseconds, after which a connection with calls under way is asked for a sign of life. */
  readonly keepAliveMs: number;
  /** How long that may take. */
  readonly keepAliveTimeoutMs: number;
}

export interface KeepAliveOwner {
  /** Whether calls are under way. */
  isBusy(): boolean;
  sendPing(): void;
  /** @param silentMs for how long nothing was heard */
  onDead(silentMs: number): void;
}

/** A suspicion may ask before the next ping is due, once this part of `keepAliveMs` has passed since the last one. */
const earlyPart = 0.2;

/**
 * Finds out that the other end is gone, without a timer per call or answer.
 *
 * gRPC's servers, Triton's among them, count a ping as a strike if it comes sooner than five minutes (its
 * `--grpc-http2-min-recv-ping-interval-without-data`) after the one before it and they sent no header or data in between;
 * with the third strike they close the connection. So the first suspicion of such a silence asks at once, a second one after
 * a fifth of `keepAliveMs`, for one strike, and all others only when the next ping is due.
 */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  readonly #owner: KeepAliveOwner;
  #heardAt = performance.now();
  #pingedAt = -Infinity;
  /** Whether a ping waits for a sign of life. */
  #asking = false;
  /** Whether an answer to some call came since the last ping. */
  #answered = true;
  /** Whether a ping of this silence was a strike. */
  #struck = false;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;

  constructor(options: KeepAliveOptions, owner: KeepAliveOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#lookIn(options.keepAliveMs);
  }

  /** Anything came. */
  heard(): void {
    this.#heardAt = performance.now();
  }

  /** Header or data of an answer came: the server forgets its strikes. */
  answered(): void {
    this.#answered = true;
    this.#struck = false;
  }

  /** A call had no answer in time: asks whether there is anyone, unless that was asked only just now. */
  suspect(): void {
    if (this.#asking) return;
    const { keepAliveMs } = this.#options;
    const sincePing = performance.now() - this.#pingedAt;
    if (this.#answered || sincePing >= keepAliveMs) {
      this.#ping();
    } else if (!this.#struck && sincePing >= keepAliveMs * earlyPart) {
      this.#struck = true;
      this.#ping();
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#soon);
  }

  #ping(): void {
    this.#pingedAt = performance.now();
    this.#asking = true;
    this.#answered = false;
    this.#owner.sendPing();
    clearTimeout(this.#timer);
    // The server's time runs from when the ping has left: what keeps us busy until then is no silence of its.
    this.#soon = setImmediate(() => this.#lookIn(this.#options.keepAliveTimeoutMs));
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), Math.min(ms, LONGEST_DELAY)).unref();
  }

  #look(): void {
    // What came while we were busy is read before this looks again.
    if (this.#isUnanswered()) this.#soon = setImmediate(() => this.#judge());
    else this.#judge();
  }

  #judge(): void {
    const { keepAliveMs } = this.#options;
    const silentMs = performance.now() - this.#heardAt;
    if (this.#isUnanswered()) {
      this.#owner.onDead(Math.round(silentMs));
      return;
    }
    this.#asking = false;
    if (silentMs < keepAliveMs) this.#lookIn(keepAliveMs - silentMs);
    else if (this.#owner.isBusy()) this.#ping();
    else this.#lookIn(keepAliveMs);
  }

  /** Whatever came since the ping is a sign of life as good as its answer. */
  #isUnanswered(): boolean {
    return this.#asking && this.#heardAt < this.#pingedAt;
  }
}
