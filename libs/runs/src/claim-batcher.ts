import type { ClaimedTurn, TurnClaim } from './claim-turns.js';

type ClaimMany = (claims: readonly TurnClaim[]) => Promise<Map<string, ClaimedTurn>>;

interface Waiting {
  claim: TurnClaim;
  resolve: (turn: ClaimedTurn | undefined) => void;
  reject: (error: unknown) => void;
}

/** Most claims in one statement. */
const MAX_BATCH = 256;

/**
 * Claims that come together go to the ledger together: one batch is under way, the next collects meanwhile. A claim that
 * comes alone waits for nothing.
 */
export class ClaimBatcher {
  readonly #claimMany: ClaimMany;
  #waiting: Waiting[] = [];
  #busy = false;

  constructor(claimMany: ClaimMany) {
    this.#claimMany = claimMany;
  }

  /** The turn, or undefined where this claim did not get it. */
  claim(claim: TurnClaim): Promise<ClaimedTurn | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ claim, resolve, reject });
      if (!this.#busy) void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      // Two hints of one run: the second claim goes after the first, as a statement takes a run once.
      const batch = new Map<string, Waiting>();
      const later: Waiting[] = [];
      for (const one of this.#waiting) {
        const full = batch.size >= MAX_BATCH || batch.has(one.claim.runId);
        if (full) later.push(one);
        else batch.set(one.claim.runId, one);
      }
      this.#waiting = later;
      await this.#send([...batch.values()]);
    }
    this.#busy = false;
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    try {
      const claimed = await this.#claimMany(batch.map(({ claim }) => claim));
      for (const { claim, resolve } of batch) resolve(claimed.get(claim.runId));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
