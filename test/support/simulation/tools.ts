import type { CallResult } from '#libs/contracts';
import type { CallRecord } from '../../../libs/runs/src/reducer/index.js';
import type { SimulatedProcess } from './process.js';
import type { World } from './world.js';

const SLOWEST_MS = 8_000;
const TIMEOUT_MS = 9_000;

/** Somebody else's services: they record each effect. What has been sent arrives whatever becomes of its sender. */
export class Tools {
  readonly #effects = new Map<string, number>();
  /** Calls that a probe has said never took effect: they never will. */
  readonly #refused = new Set<string>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  effectsOf(callId: string): number {
    return this.#effects.get(callId) ?? 0;
  }

  /** Whether the call took effect; if not, it will not do so later. */
  find(callId: string): boolean {
    if (this.effectsOf(callId) > 0) return true;
    this.#refused.add(callId);
    return false;
  }

  /** Makes a call, until its run is halted. */
  make(process: SimulatedProcess, runId: string, call: CallRecord): Promise<CallResult> {
    const { random, scheduler, checker } = this.#world;
    const fate = random();
    const error = { code: 'tool_failed', message: `fate ${fate.toFixed(3)}` } as const;
    if (fate < 0.08) return Promise.resolve({ state: 'failed', error, mayRetry: 'not_sent' });
    checker.sent(runId, call);
    const lost: CallResult =
      this.#world.effectOf(call.id) === 'once'
        ? { state: 'outcome_unknown', error }
        : { state: 'failed', error, mayRetry: 'transient' };
    return new Promise((resolve) => {
      const forget = process.onHalt(runId, () => resolve(lost));
      const answer = (result: CallResult): void =>
        process.reach(() => {
          forget();
          resolve(result);
        });
      scheduler.after(random() ** 2 * SLOWEST_MS, () => {
        const result = this.#arrive(call, fate) ?? lost;
        if (fate < 0.95) scheduler.after(random() * 500, () => answer(result));
      });
      scheduler.after(TIMEOUT_MS, () => answer(lost));
    });
  }

  /** @returns undefined: the tool broke after the call took effect */
  #arrive({ id, attempt }: CallRecord, fate: number): CallResult | undefined {
    if (fate < 0.13 || this.#refused.has(id)) {
      return { state: 'failed', error: { code: 'tool_failed', message: 'refused' } };
    }
    this.#effects.set(id, this.effectsOf(id) + 1);
    return fate < 0.2 ? undefined : { state: 'succeeded', result: { attempt } };
  }
}
