import type { Random } from '../../../libs/runs/src/reducer/index.js';

/** What lies between the processes, the ledger and the queue, and what may go wrong there. */
export class Network {
  isFaulty = true;
  isLedgerUp = true;
  readonly cutOff = new Set<object>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  mend(): void {
    this.isFaulty = false;
    this.isLedgerUp = true;
    this.cutOff.clear();
  }

  reachesLedger(process: object): boolean {
    return this.isLedgerUp && !this.cutOff.has(process);
  }

  /** Milliseconds; now and then long enough that what was sent later comes first. */
  delay(): number {
    return this.#chance(0.03) ? this.#random() * 800 : 1 + this.#random() * 8;
  }

  /** Whether an answer, a hint or a notice does not arrive. */
  loses(): boolean {
    return this.#chance(0.06);
  }

  doubles(): boolean {
    return this.#chance(0.2);
  }

  #chance(probability: number): boolean {
    return this.isFaulty && this.#random() < probability;
  }
}
