import { isLedgerAway } from '../../../libs/runs/src/ledger/pool.js';
import { HOLDER_DEAD_AFTER_S } from '../../../libs/runs/src/ledger/run-rows.js';
import type { World } from './world.js';

const BEAT_EVERY_MS = 1_000;
const FRESH_FOR_MS = 4_000;

/**
 * What simulated code runs in. Whatever that code awaits comes through here, so that it can be killed or stopped at each of
 * its awaits: what a dead process awaits never comes, what a stopped one awaits comes when it goes on. What it has sent is
 * on its way all the same. Its lease is kept as ProcessEpoch does it.
 */
export class SimulatedProcess {
  epoch: string;
  isDead = false;
  /** Undefined: it runs. */
  #missed: (() => void)[] | undefined;
  readonly #inWork = new Set<string>();
  readonly #halts = new Map<string, Set<() => void>>();
  #lastBeat = -Infinity;
  #contactSince = Infinity;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.epoch = world.newId();
    void this.#beat();
  }

  kill(): void {
    this.isDead = true;
  }

  stop(): void {
    this.#missed ??= [];
  }

  continue(): void {
    const missed = this.#missed ?? [];
    this.#missed = undefined;
    for (const act of missed) this.#world.scheduler.after(0, () => this.reach(act));
  }

  /** Runs something in this process: at once, when it goes on, or never. */
  reach(act: () => void): void {
    if (this.isDead) return;
    if (this.#missed) this.#missed.push(act);
    else this.#world.scheduler.wake(act);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#world.scheduler.after(ms, () => this.reach(resolve));
    });
  }

  /** Asks the ledger. The statement, and its answer, may be lost on their way. */
  ask<T>(statement: () => T): Promise<T> {
    const { scheduler, network, random } = this.#world;
    return new Promise((resolve, reject) => {
      const answer = (settle: () => void): void =>
        scheduler.after(network.delay(), () => {
          const isThere = network.reachesLedger(this);
          this.reach(isThere ? settle : () => reject(away()));
        });
      scheduler.after(network.delay(), () => {
        // A process that died may have got its statement out, or not.
        if (this.isDead && random() < 0.5) return;
        if (!network.reachesLedger(this)) return answer(() => reject(away()));
        try {
          const result = statement();
          answer(network.loses() ? () => reject(away()) : () => resolve(result));
        } catch (error) {
          answer(() => reject(error));
        }
      });
    });
  }

  /** As openLedger waits for an absent Postgres. */
  async patiently<T>(work: () => Promise<T>): Promise<T> {
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 1_000)) {
      try {
        return await work();
      } catch (error) {
        if (!isLedgerAway(error)) throw error;
        await this.sleep(waitMs);
      }
    }
  }

  isFresh(): boolean {
    return this.#world.scheduler.now - this.#lastBeat < FRESH_FOR_MS;
  }

  mayJudge(): boolean {
    const contactMs = this.#world.scheduler.now - this.#contactSince;
    return this.isFresh() && contactMs > HOLDER_DEAD_AFTER_S * 1_000;
  }

  isHeld(holder: string | null): boolean {
    return this.isFresh() && this.epoch === holder;
  }

  /** @param token of the claim that it is about, as far as the process knows */
  async workOn(token: string, work: () => Promise<void>): Promise<void> {
    this.#inWork.add(token);
    await work();
    this.#inWork.delete(token);
  }

  /** Whether a claim that it seems to hold is one that it has forgotten. */
  hasForgotten({ holder, token }: { holder: string | null; token: string | null }): boolean {
    return !this.isDead && this.epoch === holder && !this.#inWork.has(token ?? '');
  }

  /** @returns ends the listening */
  onHalt(runId: string, act: () => void): () => void {
    const acts = this.#halts.get(runId) ?? new Set();
    this.#halts.set(runId, acts.add(act));
    return () => acts.delete(act);
  }

  halt(runId: string): void {
    for (const act of this.#halts.get(runId) ?? []) act();
  }

  async #beat(): Promise<void> {
    const { scheduler, db, sabotage } = this.#world;
    for (;;) {
      const sentAt = scheduler.now;
      try {
        const { epoch } = this;
        if (!(await this.ask(() => db.beat(epoch)))) {
          const next = sabotage.renewsEpoch ? this.#world.newId() : epoch;
          await this.ask(() => db.begin(next));
          this.epoch = next;
        }
        if (this.#contactSince === Infinity || !this.isFresh()) this.#contactSince = sentAt;
        this.#lastBeat = sentAt;
      } catch {
        this.#contactSince = Infinity;
      }
      await this.sleep(BEAT_EVERY_MS);
    }
  }
}

function away(): Error {
  return Object.assign(new Error('the ledger is away'), { code: 'ECONNRESET' });
}
