import { createLogger } from '#libs/telemetry';
import type { Work } from '../../../libs/runs/src/ledger/find-work.js';
import { RunEngine } from '../../../libs/runs/src/run-engine.js';
import { memoryLedger } from '../memory-ledger.js';
import { sweepOften, takeCall, takeTurn, type Actor } from './actors.js';
import { SimulatedProcess } from './process.js';
import type { World } from './world.js';

const log = createLogger('simulation', 'fatal');

/** The processes, each of them gateway, worker and executor in one, and the queue between them. */
export class Fleet {
  readonly #world: World;
  readonly #actors: Actor[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  start(): void {
    const world = this.#world;
    const process = new SimulatedProcess(world);
    const { sabotage, db, random } = world;
    const ledger = memoryLedger(db, {
      ask: (statement) => process.ask(statement),
      patiently: (work) => process.patiently(work),
      mayJudge: () => sabotage.judgesAlways || process.mayJudge(),
      random,
    });
    const engine = new RunEngine({
      ledger: sabotage.ledger(ledger, db),
      dispatch: {
        offer: (work, delayMs) => this.#offer(work, delayMs),
        offerAgain: (work) => this.#offer(work, undefined),
      },
      announce: { changed: () => undefined, halted: (runId) => this.#halted(runId) },
      log,
    });
    const actor = { world, process, engine };
    this.#actors.push(actor);
    void sweepOften(actor);
  }

  living(): Actor[] {
    return this.#actors.filter(({ process }) => !process.isDead);
  }

  /** Asks something of a process, whichever is there. */
  ask(act: (engine: RunEngine) => void): void {
    const actor = this.#world.pick(this.living());
    actor?.process.reach(() => act(actor.engine));
  }

  continueAll(): void {
    for (const { process } of this.#actors) process.continue();
  }

  /** What nobody works on, while its living holder keeps everybody else from it. */
  forgotten(): string[] {
    const isForgotten = (claim: { holder: string | null; token: string | null }): boolean =>
      this.#actors.some(({ process }) => process.hasForgotten(claim));
    return [...this.#world.db.rows.values()].flatMap(({ run, calls }) => {
      if (run.state === 'inferring') return isForgotten(run) ? [`the turn of run ${run.id}`] : [];
      return calls
        .filter((call) => call.state === 'started' && isForgotten(call))
        .map(({ id }) => `call ${id}`);
    });
  }

  /** Hints are lost, doubled and reordered. */
  async #offer(work: Work, delayMs = 0): Promise<void> {
    const { network, scheduler } = this.#world;
    for (let copies = network.doubles() ? 2 : 1; copies > 0; copies -= 1) {
      if (network.loses()) continue;
      scheduler.after(delayMs + network.delay(), () => this.#deliver(work));
    }
  }

  #deliver({ hint }: Work): void {
    const actor = this.#world.pick(this.living());
    actor?.process.reach(() => {
      if (hint.kind === 'turn') void takeTurn(actor, hint.runId);
      else void takeCall(actor, hint.runId, hint.callId);
    });
  }

  #halted(runId: string): void {
    const { network, scheduler } = this.#world;
    for (const { process } of this.#actors) {
      if (network.loses()) continue;
      scheduler.after(network.delay(), () => process.reach(() => process.halt(runId)));
    }
  }
}
