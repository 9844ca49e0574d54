import { randomUUID } from 'node:crypto';
import { QUEUES, type Hint, type HintKind } from '#libs/contracts';
import { activeTraceparent, ATTR, inSpan, traceIdOf, type Logger } from '#libs/telemetry';
import { SpanKind } from '@opentelemetry/api';
import type { Redis } from 'ioredis';
import type { Work } from '../ledger/find-work.js';
import type { Dispatch } from '../run-engine.js';
import type { Share } from '../tenants.js';
import { CAPACITY_MS, Gate, placeOf } from './gate.js';
import { GatedQueue } from './gated-queue.js';
import {
  bodyOf,
  GATE_PREFIX,
  HINT_JOB_OPTIONS,
  idOf,
  messagingAttributes,
  type HintQueues,
} from './hint-queues.js';

/** A capacity is believed though one of its announcements, or two, are lost. */
const ANNOUNCE_EVERY_MS = CAPACITY_MS / 3;
/** Says which Redis holds all that waits, by its `run_id`. */
const FILLED_KEY = `${GATE_PREFIX}:filled`;
const KINDS: readonly HintKind[] = ['turn', 'call'];

/** Sends hints to the queues, fairly, and as many as those who take them have use for. Nothing here throws but `waiting`. */
export class Dispatcher implements Dispatch {
  readonly #redis: Redis;
  readonly #queues: HintQueues;
  readonly #shares: (tenantId: string) => Promise<Share>;
  readonly #log: Logger;
  readonly #gates: Record<HintKind, Gate>;
  readonly #gated: Record<HintKind, GatedQueue>;
  readonly #consumer = randomUUID();
  readonly #capacities = { turn: 0, call: 0 };
  readonly #timer: NodeJS.Timeout;

  /** @param parts.redis of which commands fail soon while it is away (see IMPATIENT); `queues` use such a one, too */
  constructor(parts: {
    redis: Redis;
    queues: HintQueues;
    shares: (tenantId: string) => Promise<Share>;
    log: Logger;
  }) {
    const { redis, queues, shares, log } = parts;
    this.#redis = redis;
    this.#queues = queues;
    this.#shares = shares;
    this.#log = log;
    this.#gates = { turn: new Gate(redis, QUEUES.turn), call: new Gate(redis, QUEUES.call) };
    const gated = (kind: HintKind): GatedQueue =>
      new GatedQueue({ kind, gate: this.#gates[kind], queue: queues[kind], log });
    this.#gated = { turn: gated('turn'), call: gated('call') };
    this.#timer = setInterval(() => {
      for (const kind of KINDS) if (this.#capacities[kind] > 0) this.#announce(kind);
    }, ANNOUNCE_EVERY_MS).unref();
  }

  /**
   * Tells that work is ready. It goes through the gate, except where it is delayed: that waits in the queue itself. What
   * Redis does not take, the sweep offers again.
   */
  offer(work: Work, delayMs = 0): Promise<void> {
    const { hint } = work;
    return this.#inSendSpan(hint, async (traceparent) => {
      if (delayMs > 0) return this.#add(hint, traceparent, { delay: delayMs });
      return this.#pass(work, traceparent);
    });
  }

  async offerAgain(work: Work): Promise<void> {
    await this.#pass(work, work.hint.traceparent ?? '').catch(() => undefined);
  }

  /** A hint that could not be followed here is the next one that another process takes. */
  giveBack(hint: Hint): Promise<void> {
    return this.#inSendSpan(hint, (traceparent) => this.#add(hint, traceparent, { lifo: true }));
  }

  /**
   * A hint was followed, or could not be: there is room for the next.
   *
   * @param ticket id of its job
   * @param cost of the work, where it is known better than it was when it was offered
   */
  done(hint: Hint, ticket: string, cost?: number): void {
    this.#gated[hint.kind].finish({ id: idOf(hint), ticket, cost });
  }

  /** How many hints this process can have in work at once; until it says so, none. */
  setCapacity(kind: HintKind, hints: number): void {
    if (this.#capacities[kind] === hints) return;
    this.#capacities[kind] = hints;
    this.#announce(kind);
  }

  /** Number of hints that nobody has taken yet, before the gate and behind it. Throws while Redis is away. */
  async waiting(kind: HintKind): Promise<number> {
    const [before, behind] = await Promise.all([
      this.#gates[kind].waiting(),
      this.#queues[kind].getWaitingCount(),
    ]);
    return before + behind;
  }

  /** Whether hints wait that a consumer with room would take. Throws while Redis is away. */
  async isWaitedFor(kind: HintKind): Promise<boolean> {
    const queue = this.#queues[kind];
    const [waiting, isPaused] = await Promise.all([queue.getWaitingCount(), queue.isPaused()]);
    return waiting > 0 && !isPaused;
  }

  get isReachable(): boolean {
    return this.#redis.status === 'ready';
  }

  /**
   * Tells which Redis lacks what should wait in it: one that was emptied, restarted (perhaps with an old state) or took
   * another's place. Undefined: none does, as far as can be told.
   */
  async findLoss(): Promise<string | undefined> {
    try {
      const [filled, info] = await Promise.all([
        this.#redis.get(FILLED_KEY),
        this.#redis.info('server'),
      ]);
      const server = /run_id:(\w+)/.exec(info)?.[1] ?? 'unknown';
      return filled === server ? undefined : server;
    } catch (error) {
      this.#log.debug({ err: error }, 'whether Redis has lost anything could not be asked');
      return undefined;
    }
  }

  /** All that was ready has been offered to this Redis since `findLoss` named it. */
  async noteFilled(server: string): Promise<void> {
    await this.#redis.set(FILLED_KEY, server);
  }

  /** Sends what it was told before, and takes its capacities back. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const kind of KINDS) this.setCapacity(kind, 0);
    await Promise.all(KINDS.map((kind) => this.#gated[kind].settled()));
  }

  #announce(kind: HintKind): void {
    this.#gated[kind].announce(this.#consumer, this.#capacities[kind]);
  }

  async #pass(work: Work, traceparent: string): Promise<string | undefined> {
    const { hint, tenantId } = work;
    return this.#gated[hint.kind].add({
      id: idOf(hint),
      tenantId,
      share: await this.#shares(tenantId),
      place: placeOf(work),
      cost: Math.max(work.cost, 1),
      body: bodyOf(hint, traceparent),
    });
  }

  async #add(
    hint: Hint,
    traceparent: string,
    options: { delay: number } | { lifo: true },
  ): Promise<string | undefined> {
    const queue = this.#queues[hint.kind];
    try {
      return (
        await queue.add(hint.kind, { ...hint, traceparent }, { ...HINT_JOB_OPTIONS, ...options })
      ).id;
    } catch (error) {
      this.#log.warn(
        { err: error, runId: hint.runId, queue: queue.name },
        'hints not sent; the sweep will offer them again',
      );
      throw error;
    }
  }

  /** In the trace of the run: below what is under way there, where that offers it. */
  async #inSendSpan(
    hint: Hint,
    send: (traceparent: string) => Promise<string | undefined>,
  ): Promise<void> {
    const queue = QUEUES[hint.kind];
    const active = activeTraceparent() ?? '';
    const isBelow = traceIdOf(active) === traceIdOf(hint.traceparent ?? active);
    await inSpan(
      `send ${queue}`,
      {
        kind: SpanKind.PRODUCER,
        attributes: messagingAttributes(queue, 'send', hint),
        parent: isBelow ? undefined : hint.traceparent,
      },
      async (span) => {
        const id = await send(activeTraceparent() ?? hint.traceparent ?? '');
        if (id) span.setAttribute(ATTR.messagingMessageId, id);
      },
    ).catch(() => undefined);
  }
}
