import { TERMINAL_RUN_STATES } from '#libs/contracts';
import type { Logger } from '#libs/telemetry';
import type { Acceptance, NewRun } from './ledger/accept-runs.js';
import type { TurnClaim } from './ledger/claim-turns.js';
import type { Work } from './ledger/find-work.js';
import type { Ledger } from './ledger/ledger.js';
import type { ClaimedTurn } from './ledger/run-rows.js';
import type { Hinted, Refusal, RunInput, RunRecord } from './reducer/index.js';
import type { Applied } from './run-writer.js';

/** Lets work through to the queues, fairly. */
export interface Dispatch {
  /** Never throws and never waits for an absent Redis: what is not offered, the sweep offers. */
  offer(work: Work, delayMs?: number): Promise<void>;
  /** Offers what may be waiting there already. It leaves no mark in the run's trace. */
  offerAgain(work: Work): Promise<void>;
}

/** Tells other processes what was committed. Nothing may depend on it: it may be lost. */
export interface Announce {
  /** @param change.version number of the run's last event */
  changed(change: { runId: string; version: number; isOver: boolean }): void;
  /** Whoever works on this run must stop. */
  halted(runId: string): void;
}

/**
 * What the apps use: each change of a run is committed to the ledger first; hints and notices follow the commit, and may
 * be lost.
 */
export class RunEngine {
  readonly ledger: Ledger;
  readonly #dispatch: Dispatch;
  readonly #announce: Announce;
  readonly #log: Logger;

  constructor(parts: { ledger: Ledger; dispatch: Dispatch; announce: Announce; log: Logger }) {
    this.ledger = parts.ledger;
    this.#dispatch = parts.dispatch;
    this.#announce = parts.announce;
    this.#log = parts.log;
  }

  async accept(run: NewRun): Promise<Acceptance> {
    const acceptance = await this.ledger.accept(run);
    if (acceptance.kind === 'accepted') {
      const { id: runId, tenantId, priority, cost, traceparent, expiresInS } = run;
      const deadlineAtMs = Date.now() + expiresInS * 1_000;
      const hint = { kind: 'turn', runId, traceparent } as const;
      await this.#dispatch.offer({ hint, tenantId, priority, cost, deadlineAtMs, turn: 1 });
    }
    return acceptance;
  }

  /**
   * Claims a turn for its holder, with what its prompt is made of. Claims that are made at the same time share a round
   * trip. What is not simply free (it is held, its holder died, its tries are spent) is judged one by one.
   */
  async claimTurn(
    claim: TurnClaim,
  ): Promise<({ refused?: undefined } & ClaimedTurn) | { refused: Refusal | 'no_such_run' }> {
    const claimed = await this.ledger.claimTurn(claim);
    if (claimed) {
      this.#tell(claimed.run);
      return claimed;
    }
    const { runId, token, holder } = claim;
    const applied = await this.apply(runId, { type: 'turn.claim', token, holder });
    if (applied.refused) return applied;
    // It ended the run instead of granting the claim.
    if (applied.run.state !== 'inferring' || applied.run.token !== token)
      return { refused: 'ended' };
    return { run: applied.run, ...(await this.ledger.turnInput(runId)) };
  }

  /** @param known the run as the caller last had it, which saves a round trip if nobody has moved it on since */
  async apply(runId: string, input: RunInput, known?: RunRecord): Promise<Applied> {
    const applied = await this.ledger.apply(runId, input, known);
    if (applied.refused) return applied;
    const { run, hints } = applied;
    this.#tell(run);
    await Promise.all(hints.map((hint) => this.#dispatch.offer(workOf(run, hint), hint.dueInMs)));
    return applied;
  }

  /** Offers work of runs that did not come to be through this engine. */
  async offer(work: readonly Work[]): Promise<void> {
    await Promise.all(work.map((one) => this.#dispatch.offer(one)));
  }

  /** Offers work again that nobody has taken. */
  async offerAgain(work: readonly Work[]): Promise<void> {
    await Promise.all(work.map((one) => this.#dispatch.offerAgain(one)));
  }

  #tell({ id: runId, version, state }: RunRecord): void {
    this.#announce.changed({ runId, version, isOver: TERMINAL_RUN_STATES.has(state) });
    if (HALTING.has(state)) {
      this.#log.info({ runId, state }, 'run halted');
      this.#announce.halted(runId);
    }
  }
}

/** States in which nobody may go on working at a run that somebody may be working at. */
const HALTING = new Set<RunRecord['state']>(['cancelling', 'expiring', 'cancelled', 'expired']);

function workOf(run: RunRecord, hint: Hinted): Work {
  const { id: runId, tenantId, priority, turn, traceparent } = run;
  const place = { tenantId, priority, turn, deadlineAtMs: Date.now() + run.msLeft };
  return hint.kind === 'turn'
    ? { ...place, cost: run.cost, hint: { kind: 'turn', runId, traceparent } }
    : { ...place, cost: 1, hint: { kind: 'call', runId, callId: hint.callId, traceparent } };
}
