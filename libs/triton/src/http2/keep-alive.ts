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

/** Finds out that the other end is gone, without a timer per call or answer. */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  readonly #owner: KeepAliveOwner;
  #heardAt = performance.now();
  #pingedAt: number | undefined;
  /** Whether more than a ping's answer came since the last ping: servers take pings without traffic for abuse. */
  #heardSincePing = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeepAliveOptions, owner: KeepAliveOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#lookIn(options.keepAliveMs);
  }

  /** Anything came. @param isTraffic more than the answer to a ping */
  heard(isTraffic: boolean): void {
    this.#heardAt = performance.now();
    this.#heardSincePing ||= isTraffic;
  }

  /** A call had no answer in time: asks, once per silence, whether there is anyone. */
  suspect(): void {
    if (this.#pingedAt === undefined && this.#heardSincePing) this.#ping();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #ping(): void {
    this.#pingedAt = performance.now();
    this.#heardSincePing = false;
    this.#owner.sendPing();
    this.#lookIn(this.#options.keepAliveTimeoutMs);
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), Math.min(ms, LONGEST_DELAY)).unref();
  }

  #look(): void {
    const { keepAliveMs } = this.#options;
    const silentMs = performance.now() - this.#heardAt;
    // Whatever came since the ping is a sign of life as good as its answer.
    if (this.#pingedAt !== undefined && this.#heardAt < this.#pingedAt) {
      this.#owner.onDead(Math.round(silentMs));
      return;
    }
    this.#pingedAt = undefined;
    if (silentMs < keepAliveMs) this.#lookIn(keepAliveMs - silentMs);
    else if (this.#owner.isBusy()) this.#ping();
    else this.#lookIn(keepAliveMs);
  }
}
