import { TERMINAL_RUN_STATES } from '#libs/contracts';
import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';
import { ClaimBatcher } from './claim-batcher.js';
import type { ClaimedTurn, TurnClaim } from './claim-turns.js';
import { offer, type HintQueues } from './hint-queues.js';
import type { Acceptance, Applied, Ledger, NewRun } from './ledger.js';
import type { Refusal, RunInput, RunRecord } from './reducer.js';
import { publishRunChanged } from './run-notices.js';

/**
 * What the apps use: each change of a run is committed to the ledger first; hints and notices follow the commit, and may
 * be lost.
 */
export class RunEngine {
  readonly ledger: Ledger;
  readonly #queues: HintQueues;
  readonly #redis: Redis;
  readonly #log: Logger;
  readonly #claims: ClaimBatcher;

  constructor(ledger: Ledger, queues: HintQueues, redis: Redis, log: Logger) {
    this.ledger = ledger;
    this.#queues = queues;
    this.#redis = redis;
    this.#log = log;
    this.#claims = new ClaimBatcher((claims) => ledger.claimTurns(claims));
  }

  async accept(run: NewRun): Promise<Acceptance> {
    const acceptance = await this.ledger.accept(run);
    if (acceptance.kind === 'accepted') await this.offerTurn(run.id);
    return acceptance;
  }

  /** Tells the workers of a turn that waits, `delayMs` from now. */
  async offerTurn(runId: string, delayMs = 0): Promise<void> {
    await offer(this.#queues, this.#log, { kind: 'turn', runId }, { delayMs });
  }

  /**
   * Claims a turn for its holder, with what its prompt is made of. Claims that are made at the same time share a round
   * trip. What is not simply free (it is held, its holder died, its tries are spent) is judged one by one.
   */
  async claimTurn(
    claim: TurnClaim,
  ): Promise<({ refused?: undefined } & ClaimedTurn) | { refused: Refusal | 'no_such_run' }> {
    const claimed = await this.#claims.claim(claim);
    if (claimed) {
      // Nothing waits for this notice: the turn's work begins at once.
      void publishRunChanged(this.#redis, this.#log, { runId: claim.runId, isOver: false });
      return claimed;
    }
    const { runId, token, holder } = claim;
    const applied = await this.apply(runId, { type: 'turn.claim', token, holder });
    if (applied.refused) return applied;
    // It ended the run instead of granting the claim.
    if (applied.run.token !== token) return { refused: 'ended' };
    const messages = await this.ledger.messages(runId);
    return { run: applied.run, messages };
  }

  /** @param known the run as the caller last had it, which saves a round trip if nobody has moved it on since */
  async apply(runId: string, input: RunInput, known?: RunRecord): Promise<Applied> {
    const applied = await this.ledger.apply(runId, input, known);
    if (applied.refused) return applied;
    await Promise.all([
      publishRunChanged(this.#redis, this.#log, {
        runId,
        isOver: TERMINAL_RUN_STATES.has(applied.run.state),
      }),
      ...applied.offers.map((callId) =>
        offer(this.#queues, this.#log, { kind: 'call', runId, callId }),
      ),
      applied.dueInMs !== undefined && this.offerTurn(runId, applied.dueInMs),
    ]);
    return applied;
  }
}
