import type { Limit, Sample } from './limit.js';
import { FirstTokenTimes } from './first-token-times.js';

const MAX_PER_SERVER = 256;
/** Fewest answers from which anything is concluded: while it doubles, and later. */
const MIN_ANSWERS = { doubling: 2, steady: 16 };
/** Conclusions at a full limit after which it dips, to see the servers without a queue: at first, and at last. */
const DIP_EVERY = { young: 8, settled: 32 };
/** What a dip leaves of what the servers are thought to work on: below it, so that their queues are empty. */
const DIP = 0.8;
/** Where tokens take this many times as long as they once did, more requests only slow each other. */
const TOLERATED_STRETCH = 8;
/** Share of the time that must be spent on tokens after the first, or it says nothing: some answers come in one piece. */
const TELLING_SHARE = 0.2;
/** By how much the shortest time per token is forgotten in a round trip. */
const TOKEN_TIME_LEAK = 1e-4;

/**
 * Finds how many requests keep the servers just busy, from how long first tokens take.
 *
 * Little's law: of N requests in flight, N × (time waited) / (time in all) wait in the server's queue. What was waited
 * is the time to the first token beyond that of an empty queue. Where fewer wait than `alpha` the limit grows, where more
 * than `beta` wait it falls to what is worked on and `alpha` more. It concludes once a round trip, from all answers to
 * what was sent under the present limit.
 *
 * The time without a queue cannot be seen while there is one. So each fall, and a full limit now and then, first dips
 * below what is worked on for one round trip. If first tokens then take as long as before, nothing had waited: the server
 * became slower, and the limit goes back to where it was.
 *
 * Servers that take every request at once and share their time (continuous batching) show no wait. There the time per
 * token bounds the limit, and `MAX_PER_SERVER`.
 */
export class AdaptiveLimit implements Limit {
  readonly #now: () => number;
  readonly #times = new FirstTokenTimes();
  #servers = 1;
  /** A fraction grows and falls more evenly than a whole number. */
  #limit = 1;
  #doubling = true;
  /** When the limit last changed, and since when samples count. */
  #changedAt: number;
  #answers: Sample[] = [];
  /** While it dips: what it was concluded from, and the limit before. */
  #dip: { answers: readonly Sample[]; limit: number } | undefined;
  #sinceDip = 0;
  #dipEvery = DIP_EVERY.young;
  #tokenMs = Infinity;

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#changedAt = now();
  }

  get current(): number {
    return Math.max(this.#servers, Math.round(this.#limit));
  }

  /** Each server brings or takes its share of the limit at once. */
  setServers(servers: number): void {
    const count = Math.max(1, servers);
    if (count === this.#servers) return;
    const share = count / this.#servers;
    const limit = this.#dip?.limit ?? this.#limit;
    this.#servers = count;
    this.#dip = undefined;
    this.#set(limit * share);
  }

  record(sample: Sample): void {
    if (this.#now() - sample.totalMs < this.#changedAt) return;
    this.#answers.push(sample);
    const enough = this.#doubling ? MIN_ANSWERS.doubling : MIN_ANSWERS.steady;
    if (this.#answers.length >= Math.max(enough, this.current)) this.#conclude();
  }

  refused(agoMs: number): boolean {
    if (this.#now() - agoMs < this.#changedAt) return true;
    if (this.current === this.#servers) return false;
    this.#doubling = false;
    this.#dip = undefined;
    this.#set((this.#limit * 2) / 3);
    return true;
  }

  #conclude(): void {
    const answers = this.#answers;
    this.#answers = [];
    const isLowest = this.current === this.#servers;
    if (this.#dip !== undefined) {
      this.#endDip(this.#dip, answers);
      return;
    }
    const waiting = this.#waiting(answers);
    const inFlight = mean(answers, (answer) => answer.inFlight);
    const isFull = answers.some((answer) => answer.inFlight >= this.current);
    if (isLowest || waiting < this.#alpha(this.#limit) / 2) this.#times.learn(answers);
    this.#sinceDip = isFull && !isLowest && !this.#doubling ? this.#sinceDip + 1 : 0;
    if (waiting > this.#beta(this.#limit) || this.#sinceDip >= this.#dipEvery) {
      this.#doubling = false;
      this.#startDip(answers, inFlight - waiting);
    } else if (waiting < this.#alpha(this.#limit) && isFull) {
      const more = this.#doubling ? this.#limit : Math.max(1, this.#alpha(this.#limit) - waiting);
      this.#set(this.#limit + more);
    } else this.#doubling &&= !isFull;
  }

  #startDip(answers: readonly Sample[], worked: number): void {
    this.#sinceDip = 0;
    this.#dip = { answers, limit: this.#limit };
    this.#set(Math.ceil(DIP * worked - 0.1));
  }

  #endDip(before: { answers: readonly Sample[]; limit: number }, answers: readonly Sample[]): void {
    this.#dip = undefined;
    this.#times.correct(answers);
    const waiting = this.#waiting(before.answers);
    if (waiting > this.#beta(before.limit)) {
      const worked = mean(before.answers, (answer) => answer.inFlight) - waiting;
      this.#dipEvery = DIP_EVERY.young;
      this.#set(worked + this.#alpha(worked));
      return;
    }
    // It stopped growing for nothing while little was known.
    this.#doubling = this.#dipEvery < DIP_EVERY.settled && waiting < this.#alpha(before.limit) / 2;
    this.#dipEvery = Math.min(2 * this.#dipEvery, DIP_EVERY.settled);
    this.#set(before.limit);
  }

  #set(limit: number): void {
    this.#limit = Math.min(Math.max(limit, this.#servers), MAX_PER_SERVER * this.#servers);
    this.#changedAt = this.#now();
    this.#answers = [];
  }

  /** Requests that wait at the servers, of those in flight. */
  #waiting(answers: readonly Sample[]): number {
    const inFlight = mean(answers, (answer) => answer.inFlight);
    const totalMs = mean(answers, (answer) => answer.totalMs);
    const queued = this.#times.waitedMs(answers) / totalMs;
    return inFlight * Math.max(queued, this.#stretched(answers, totalMs));
  }

  /** Share of the time that tokens took beyond what is tolerated. */
  #stretched(answers: readonly Sample[], totalMs: number): number {
    const answerMs = mean(answers, (answer) => answer.totalMs - answer.firstTokenMs);
    if (answerMs < TELLING_SHARE * totalMs) return 0;
    const tokenMs = answerMs / mean(answers, (answer) => Math.max(1, answer.outputTokens - 1));
    this.#tokenMs = Math.min(this.#tokenMs * (1 + TOKEN_TIME_LEAK), tokenMs);
    return 1 - (TOLERATED_STRETCH * this.#tokenMs) / tokenMs;
  }

  #alpha(limit: number): number {
    return Math.max(0.5 * this.#servers, 0.1 * limit);
  }

  #beta(limit: number): number {
    return Math.max(1.5 * this.#servers, 0.2 * limit);
  }
}

function mean(answers: readonly Sample[], of: (answer: Sample) => number): number {
  return answers.reduce((sum, answer) => sum + of(answer), 0) / answers.length;
}
