import { HammerlineError } from '#libs/contracts';
import type { HintConsumer } from '#libs/runs';
import type { Logger } from '#libs/telemetry';
import type { GenerateRequest, Generation, Model } from '../models/model.js';
import { Breaker } from './breaker.js';
import type { Limit } from './limit.js';

/** A model that takes longer over one answer hangs. */
const ANSWER_WITHIN_MS = 180_000;
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
  readonly #breaker: Breaker;
  readonly #waiting = new Set<Waiting>();
  #consumer: Consumer | undefined;
  #concurrency = 0;
  #inFlight = 0;
  #isStopped = false;

  constructor({ model, limit, log }: { model: Model; limit: Limit; log: Logger }) {
    this.#model = model;
    this.#limit = limit;
    this.#log = log;
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
   * too, where the model goes away or `stop` comes before the request was sent, and `model_failed` where an answer takes
   * three minutes, which count from when it was sent.
   */
  async generate(request: GenerateRequest): Promise<Generation> {
    await this.#enter(request.signal);
    const { term } = this.#breaker;
    const inFlight = this.#inFlight;
    const sentAt = performance.now();
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), ANSWER_WITHIN_MS);
    try {
      const signal = AbortSignal.any([request.signal, late.signal]);
      const generation = await this.#model.generate({ ...request, signal });
      this.#breaker.succeeded();
      this.#limit.record({
        ...generation.usage,
        inFlight,
        firstTokenMs: generation.firstTokenMs,
        totalMs: performance.now() - sentAt,
      });
      return generation;
    } catch (error) {
      const isLate = late.signal.aborted && !request.signal.aborted;
      const failure = isLate ? hangs(error) : error;
      // A server that only has too much to do shows by what else of ours it works on.
      if (isQueueFull(failure) && this.#inFlight > 1) {
        this.#limit.refused(performance.now() - sentAt);
      } else this.#breaker.failed(failure, term);
      throw failure;
    } finally {
      clearTimeout(timer);
      this.#inFlight -= 1;
      this.#admit();
    }
  }

  /** Sends nothing more: what waits for a place is refused, what was sent goes on. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#refuse(new HammerlineError('model_unavailable', 'the worker that had taken it stops'));
    await this.#breaker.stop();
  }

  async close(): Promise<void> {
    await this.stop();
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

function hangs(cause: unknown): HammerlineError {
  const message = `The model did not answer within ${ANSWER_WITHIN_MS / 1_000} s.`;
  return new HammerlineError('model_failed', message, { cause });
}

function isQueueFull(error: unknown): boolean {
  if (!(error instanceof HammerlineError) || error.code !== 'model_unavailable') return false;
  const { reason } = Object(error.cause) as { reason?: unknown };
  return reason === 'queue_full' || reason === 'queue_timeout';
}
