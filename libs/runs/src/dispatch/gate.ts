import { readFileSync } from 'node:fs';
import type { QueueName } from '#libs/contracts';
import type { Redis } from 'ioredis';
import type { Work } from '../ledger/find-work.js';
import type { Share } from '../tenants.js';
import { GATE_PREFIX, QUEUE_PREFIX } from './hint-queues.js';

/** Something ready, to be let through when its tenant's turn comes. */
export interface Ready {
  /** Waits once only, however often it is added. */
  id: string;
  tenantId: string;
  share: Share;
  /** The least of a tenant goes first; of equal ones the least id. See `placeOf`. */
  place: number;
  /** What letting it through costs its tenant, over the tenant's weight; more than 0. */
  cost: number;
  /** Comes out as it went in. */
  body: string;
}

export interface Finished {
  id: string;
  /** Under which it was let through: another one's lease stays. */
  ticket: string;
  /** What it cost in truth, where that is known by now. */
  cost?: number | undefined;
}

export interface LetThrough {
  id: string;
  /** To be the id of its job in the queue: so the gate sees that it came there, and that it was taken. */
  ticket: string;
  body: string;
}

export interface GateInput {
  added?: readonly Ready[];
  finished?: readonly Finished[];
  /** Hints that one consumer can have in work, believed for `capacityMs`. */
  capacity?: { consumer: string; hints: number } | undefined;
}

export interface GateTimes {
  /** A hint that was let through counts towards its tenant's cap for as long, if nobody tells that it is finished. */
  leaseMs: number;
  /** How long a hint may be on its way to the queue. */
  sendingMs: number;
  capacityMs: number;
}

/** Longer than a hint waits in the window and is in work together. */
const LEASE_MS = 15 * 60_000;
/** As long as a command may take (see IMPATIENT). */
const SENDING_MS = 2_000;
export const CAPACITY_MS = 6_000;

const GATE = { numberOfKeys: 2, lua: readFileSync(new URL('gate.lua', import.meta.url), 'utf8') };
type WithGate = Redis & {
  hammerlineGate(state: string, wait: string, jobs: string, input: string): Promise<string[]>;
};

/** The fair gate before one queue, shared by all processes: see gate.lua. */
export class Gate {
  readonly #redis: WithGate;
  readonly #state: string;
  readonly #jobs: string;
  readonly #times: GateTimes;

  constructor(redis: Redis, queue: QueueName, times: Partial<GateTimes> = {}) {
    redis.defineCommand('hammerlineGate', GATE);
    this.#redis = redis as WithGate;
    this.#state = `${GATE_PREFIX}:${queue}`;
    this.#jobs = `${QUEUE_PREFIX}:${queue}:`;
    this.#times = { leaseMs: LEASE_MS, sendingMs: SENDING_MS, capacityMs: CAPACITY_MS, ...times };
  }

  /** Tells the gate what happened, and takes what may go to the queue now. Throws what Redis throws. */
  async pass({ added = [], finished = [], capacity }: GateInput): Promise<LetThrough[]> {
    const input = JSON.stringify({
      ...this.#times,
      added: added.map(({ id, tenantId, share: { weight, maxInWork }, place, cost, body }) => {
        return [id, tenantId, weight, maxInWork ?? 0, place, cost, body];
      }),
      finished: finished.map(({ id, ticket, cost }) => [id, ticket, cost].filter(isGiven)),
      consumer: capacity && [capacity.consumer, capacity.hints],
    });
    const wait = `${this.#jobs}wait`;
    const flat = await this.#redis.hammerlineGate(this.#state, wait, this.#jobs, input);
    const through: LetThrough[] = [];
    for (let at = 0; at < flat.length; at += 3) {
      const [id, ticket, body] = flat.slice(at, at + 3) as [string, string, string];
      through.push({ id, ticket, body });
    }
    return through;
  }

  /** Number of ids that wait before the gate. */
  waiting(): Promise<number> {
    return this.#redis.hlen(`${this.#state}:bodies`);
  }
}

/** More milliseconds than a deadline will have in this century. */
const DEADLINES = 2 ** 42;
const PRIORITIES = 10;

/** Later turns go before first ones, then the higher priority, then the earlier deadline. */
export function placeOf({
  turn,
  priority,
  deadlineAtMs,
}: Pick<Work, 'turn' | 'priority' | 'deadlineAtMs'>): number {
  const isFirst = turn > 1 ? 0 : 1;
  const deadline = Math.min(Math.max(Math.round(deadlineAtMs), 0), DEADLINES - 1);
  return (isFirst * PRIORITIES + (PRIORITIES - 1 - priority)) * DEADLINES + deadline;
}

function isGiven<T>(value: T | undefined): value is T {
  return value !== undefined;
}
