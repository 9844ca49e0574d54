import type { RunChange } from './ledger/commit-runs.js';
import {
  reduce,
  type Hinted,
  type Moved,
  type NewEvent,
  type Random,
  type Refusal,
  type RunInput,
  type RunRecord,
} from './reducer/index.js';

export type Applied =
  | { refused: Refusal | 'no_such_run' }
  /** `events`: what this input made happen; none where it had been taken before. */
  | { refused?: undefined; run: RunRecord; hints: Hinted[]; events: NewEvent[] };

interface Pending {
  input: RunInput;
  resolve: (applied: Applied) => void;
  reject: (error: unknown) => void;
}

interface Line {
  pending: Pending[];
  /** The run as this process last saw it; undefined: to be read. */
  known: RunRecord | undefined;
}

export interface RunStore {
  load(runId: string): Promise<RunRecord | undefined>;
  /** False: somebody else has moved the run on since it was read. */
  commit(change: RunChange): Promise<boolean>;
}

/**
 * Takes inputs through the reducer and commits what comes of them, reducing again where another process was faster.
 * Inputs to one run that meet in this process are committed together, in their order.
 */
export class RunWriter {
  readonly #store: RunStore;
  readonly #random: Random;
  readonly #lines = new Map<string, Line>();

  constructor(store: RunStore, random: Random) {
    this.#store = store;
    this.#random = random;
  }

  /** @param known the run as the caller last had it, which saves a reading if nobody has moved it on since */
  apply(runId: string, input: RunInput, known?: RunRecord): Promise<Applied> {
    return new Promise((resolve, reject) => {
      const pending = { input, resolve, reject };
      const line = this.#lines.get(runId);
      if (line) {
        line.pending.push(pending);
        return;
      }
      const begun: Line = { pending: [pending], known };
      this.#lines.set(runId, begun);
      void this.#work(runId, begun);
    });
  }

  async #work(runId: string, line: Line): Promise<void> {
    while (line.pending.length > 0) {
      const taken = line.pending;
      line.pending = [];
      try {
        await this.#take(runId, line, taken);
      } catch (error) {
        line.known = undefined;
        for (const { reject } of taken) reject(error);
      }
    }
    this.#lines.delete(runId);
  }

  async #take(runId: string, line: Line, taken: readonly Pending[]): Promise<void> {
    for (;;) {
      const isFresh = line.known === undefined;
      const before = line.known ?? (await this.#store.load(runId));
      if (!before) {
        for (const { resolve } of taken) resolve({ refused: 'no_such_run' });
        return;
      }
      const folded = fold(before, taken, this.#random);
      // What is refused may only look so: the run is read again before anybody is told.
      const mayBeOld = !isFresh && folded.steps.some(({ refused }) => refused !== undefined);
      if (!mayBeOld && (await this.#commit(before, folded))) {
        const run = { ...folded.run, version: before.version + folded.events.length };
        line.known = run;
        for (const [index, { resolve }] of taken.entries()) {
          const step = folded.steps[index];
          resolve(
            !step || step.refused
              ? { refused: step?.refused ?? 'ended' }
              : { run, hints: step.hints, events: step.events },
          );
        }
        return;
      }
      line.known = undefined;
    }
  }

  async #commit(before: RunRecord, { run, events, steps }: Folded): Promise<boolean> {
    if (events.length === 0) return true;
    const hints = steps.flatMap((step) => (step.refused ? [] : step.hints));
    const dueInMs = new Map(
      hints.map((hint) => [hint.kind === 'turn' ? 'turn' : hint.callId, hint.dueInMs]),
    );
    return this.#store.commit({ before, after: run, events, dueInMs });
  }
}

type Folded = Pick<Moved, 'run' | 'events'> & { steps: ReturnType<typeof reduce>[] };

function fold(before: RunRecord, taken: readonly Pending[], random: Random): Folded {
  const folded: Folded = { run: before, events: [], steps: [] };
  for (const { input } of taken) {
    const step = reduce(folded.run, input, random);
    folded.steps.push(step);
    if (step.refused) continue;
    folded.run = step.run;
    folded.events.push(...step.events);
  }
  return folded;
}
