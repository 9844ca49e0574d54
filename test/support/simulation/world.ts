import type { PlannedCall, Random } from '../../../libs/runs/src/reducer/index.js';
import type { MemoryDatabase } from '../memory-database.js';
import { seededRandom } from '../seeded-random.js';
import { Checker } from './checker.js';
import { Network } from './network.js';
import type { Sabotage } from './sabotage.js';
import { Scheduler } from './scheduler.js';
import { Tools } from './tools.js';

/** All that a simulation consists of but its processes. Whatever happens in it follows from its seed. */
export class World {
  readonly random: Random;
  readonly scheduler = new Scheduler();
  readonly db: MemoryDatabase;
  readonly network: Network;
  readonly checker: Checker;
  readonly tools: Tools;
  readonly sabotage: Sabotage;
  readonly #planned = new Map<string, PlannedCall>();
  #ids = 0;

  constructor(seed: number, sabotage: Sabotage) {
    this.random = seededRandom(seed);
    this.sabotage = sabotage;
    this.db = sabotage.database(() => this.scheduler.now);
    this.network = new Network(this.random);
    this.checker = new Checker(this.db);
    this.tools = new Tools(this);
  }

  /** As UUIDs of version 7, later ones are greater. */
  newId(): string {
    return String((this.#ids += 1)).padStart(6, '0');
  }

  pick<T>(all: readonly T[]): T | undefined {
    return all[Math.floor(this.random() * all.length)];
  }

  planned(call: PlannedCall): void {
    this.#planned.set(call.id, call);
  }

  /** What the tool of a call says of itself: a sabotaged ledger may have forgotten it. */
  effectOf(callId: string): PlannedCall['effect'] {
    return this.#planned.get(callId)?.effect ?? 'once';
  }
}
