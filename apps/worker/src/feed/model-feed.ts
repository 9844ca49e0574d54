import { HammerlineError } from '#libs/contracts';
import type { HintConsumer } from '#libs/runs';
import type { Logger } from '#libs/telemetry';
import type { GenerateRequest, Generation, Model } from '../models/model.js';
import { Breaker } from './breaker.js';
import type { Limit } from './limit.js';

/** A model that takes longer over one answer hangs. */
const ANSWER_WITHIN_MS = 180_000;
/** What is at the model when the worker stops may take this long to end, well within what a process may take to drain. */
const LEAVE_WITHIN_MS = 15_000;
/** Turns in work beyond those at the model: their ledger writes are under way, or they wait for the next free place. */
const SURPLUS = 0.25;

type Consumer = Pick<HintConsumer, 'setConcurrency' | 'pause' | 'resume'>;

interface Waiting {
  enter: () => void;
  giveUp: (error: Error) => void;
}

/**
 * A model with a gate before it. At most as many requests as the limit says are at its servers; the others wait here, in
 * order. The consumer takes as many turns as are needed to keep the model busy, and none while the model is away.
 */
export class ModelFeed implements Model {
  readonly #model: Model;
  readonly #limit: Limit;
  readonly #log: Logger;
  readonly #leaveWithinMs: number;
  readonly #breaker: Breaker;
  readonly #waiting = new Set<Waiting>();
  #consumer: Consumer | undefined;
  #concurrency = 0;
  #inFlight = 0;
  #isStopped = false;
  readonly #leaving = new AbortController();
  #leaveTimer: NodeJS.Timeout | undefined;

  /** @param parts.leaveWithinMs after `stop`, what is at the model may take this long to end */
  constructor(parts: { model: Model; limit: Limit; log: Logger; leaveWithinMs?: number }) {
    const { model, limit, log, leaveWithinMs = LEAVE_WITHIN_MS } = parts;
    this.#model = model;
    this.#limit = limit;
    this.#log = log;
    this.#leaveWithinMs = leaveWithinMs;
    this.#breaker = new Breaker({
      check: (signal) => model.check(signal),
      onOpened: (reason) => this.#onAway(reason),
      onReason: ({ code, message }) => log.warn({ code, reason: message }, 'waiting for the model'),
      onClosed: () => this.#onBack(),
    });
  }

  get runtime(): Model['runtime'] {
    return this.#model.runtime;
  }

  get card(): Model['card'] {
    return this.#model.card;
  }

  get servers(): number {
    return this.#model.servers;
  }

  /** Whether turns are taken: the model passed its last check and answers. */
  get isOpen(): boolean {
    return this.#breaker.isClosed && !this.#isStopped;
  }

  /** Whether it sends nothing more: the worker goes. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Turns that a worker should have in work. */
  get concurrency(): number {
    const { current } = this.#limit;
    return current + Math.max(1, Math.ceil(SURPLUS * current));
  }

  /** Makes `consumer` follow the limit, and begins to check the model; nothing is taken before it passes. */
  start(consumer: Consumer): void {
    this.#consumer = consumer;
    consumer.pause();
    this.#follow();
    this.#breaker.start();
  }

  check(signal: AbortSignal): Promise<void> {
    return this.#model.check(signal);
  }

  /**
   * Answers as the model does, once there is a place at it; `signal` also ends the waiting. Throws `model_unavailable`,
   * too, where the model goes away or `stop` comes before the request was sent, or where an answer does not end in time
   * after `stop`; and `model_failed` where an answer takes three minutes, which count from when it was sent.
   */
  async generate(request: GenerateRequest): Promise<Generation> {
    await this.#enter(request.signal);
    const { term } = this.#breaker;
    const inFlight = this.#inFlight;
    const sentAt = performance.now();
    // Not AbortSignal.any: what listens to one lives as long as its sources, and `leaving` lives as long as the worker.
    const ending = new AbortController();
    const sources = [request.signal, this.#leaving.signal];
    const end = (): void => ending.abort(sources.find(({ aborted }) => aborted)?.reason);
    const timer = setTimeout(() => ending.abort(hangs()), ANSWER_WITHIN_MS);
    for (const source of sources) source.addEventListener('abort', end);
    if (sources.some(({ aborted }) => aborted)) end();
    try {
      const generation = await this.#model.generate({ ...request, signal: ending.signal });
      this.#breaker.succeeded();
      this.#limit.record({
        ...generation.usage,
        inFlight,
        firstTokenMs: generation.firstTokenMs,
        totalMs: performance.now() - sentAt,
      });
      return generation;
    } catch (error) {
      const isMended = isOverload(error) && this.#limit.refused(performance.now() - sentAt);
      if (!isMended) this.#breaker.failed(error, term);
      throw error;
    } finally {
      clearTimeout(timer);
      for (const source of sources) source.removeEventListener('abort', end);
      this.#inFlight -= 1;
      this.#admit();
    }
  }

  /** Sends nothing more: what waits for a place is refused, what was sent goes on for a while and is then ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const reason = new HammerlineError('model_unavailable', 'the worker that had taken it stops');
    this.#leaveTimer ??= setTimeout(() => this.#leaving.abort(reason), this.#leaveWithinMs).unref();
    this.#refuse(reason);
    await this.#breaker.stop();
  }

  async close(): Promise<void> {
    await this.stop();
    clearTimeout(this.#leaveTimer);
    await this.#model.close();
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.isOpen) throw new HammerlineError('model_unavailable', 'the model is away');
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        signal.removeEventListener('abort', abort);
      };
      const waiting: Waiting = {
        enter: () => {
          leave();
          this.#inFlight += 1;
          resolve();
        },
        giveUp: (error) => {
          leave();
          reject(error);
        },
      };
      const abort = (): void => waiting.giveUp(signal.reason as Error);
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.add(waiting);
      this.#admit();
    });
  }

  #admit(): void {
    this.#follow();
    for (const waiting of this.#waiting) {
      if (this.#inFlight >= this.#limit.current || !this.isOpen) return;
      waiting.enter();
    }
  }

  /** Tells the limit of the servers, and the consumer of the limit. */
  #follow(): void {
    this.#limit.setServers(this.#model.servers);
    const { concurrency } = this;
    if (concurrency === this.#concurrency) return;
    this.#concurrency = concurrency;
    this.#consumer?.setConcurrency(concurrency);
    this.#log.debug({ limit: this.#limit.current, concurrency }, 'requests at the model');
  }

  #refuse(error: HammerlineError): void {
    for (const waiting of this.#waiting) waiting.giveUp(error);
  }

  #onAway(reason: HammerlineError): void {
    const { code, message } = reason;
    this.#consumer?.pause();
    this.#log.warn({ code, reason: message }, 'the model is away: taking no turns');
    this.#refuse(new HammerlineError('model_unavailable', message, { cause: reason }));
  }

  #onBack(): void {
    const { card, runtime, servers } = this.#model;
    this.#log.info({ model: card.name, runtime, servers }, 'model ready');
    this.#follow();
    this.#consumer?.resume();
  }
}

function hangs(): HammerlineError {
  const message = `The model did not answer within ${ANSWER_WITHIN_MS / 1_000} s.`;
  return new HammerlineError('model_failed', message);
}

function isOverload(error: unknown): boolean {
  return error instanceof HammerlineError && error.code === 'model_overloaded';
}
