import { v7 as uuidv7 } from 'uuid';
import { beforeAll, beforeEach } from 'vitest';
import type { RunChange } from '../../../libs/runs/src/ledger/commit-runs.js';
import type { Ledger } from '../../../libs/runs/src/ledger/ledger.js';
import type { PlannedCall, RunInput, RunRecord } from '../../../libs/runs/src/reducer/index.js';
import { newRun, resolveTurn } from '../ledger.js';

/** A ledger to be tested, with a clock that can be moved. */
export interface LedgerGround {
  /** As one more process has it. */
  open(mayJudge: () => boolean): Ledger;
  /** As a process reads it that may call holders dead. */
  load(runId: string): Promise<RunRecord | undefined>;
  commit(change: RunChange): Promise<boolean>;
  events(runId: string): Promise<{ type: string; data: object }[]>;
  beat(epoch: string): Promise<void>;
  /** Lets so many milliseconds pass. */
  pass(ms: number): Promise<void>;
  deleteTenant(tenantId: string): Promise<void>;
}

/** What tests do with a ledger, as a process that is alive and may call others dead. */
export class Hands {
  /** Epochs of a process that beats, and of one that never did. */
  readonly alive = uuidv7();
  readonly dead = uuidv7();
  #parts: { ground: LedgerGround; ledger: Ledger } | undefined;

  constructor(groundOf: () => LedgerGround) {
    beforeAll(() => {
      const ground = groundOf();
      this.#parts = { ground, ledger: ground.open(() => true) };
    });
    beforeEach(() => this.ground.beat(this.alive));
  }

  get ground(): LedgerGround {
    return this.#open().ground;
  }

  get ledger(): Ledger {
    return this.#open().ledger;
  }

  async accept(over: Parameters<typeof newRun>[0] = {}): Promise<string> {
    const run = newRun(over);
    const { kind } = await this.ledger.accept(run);
    if (kind !== 'accepted') throw new Error(`a new run is ${kind}`);
    return run.id;
  }

  async load(runId: string): Promise<RunRecord> {
    const run = await this.ground.load(runId);
    if (!run) throw new Error(`the ledger has no run ${runId}`);
    return run;
  }

  async apply(runId: string, input: RunInput): Promise<RunRecord> {
    const applied = await this.ledger.apply(runId, input);
    if (applied.refused) throw new Error(`${input.type} was refused: ${applied.refused}`);
    return applied.run;
  }

  cancel(runId: string): Promise<RunRecord> {
    return this.apply(runId, { type: 'run.cancel', by: 'somebody' });
  }

  /** @returns its token */
  async claimTurn(runId: string, holder = this.alive): Promise<string> {
    const token = uuidv7();
    await this.apply(runId, { type: 'turn.claim', holder, token });
    return token;
  }

  async resolve(runId: string, ...calls: PlannedCall[]): Promise<void> {
    await this.apply(runId, resolveTurn(await this.claimTurn(runId), calls));
  }

  /** @returns its token */
  async claimCall(runId: string, callId: string, holder = this.alive): Promise<string> {
    const token = uuidv7();
    await this.apply(runId, { type: 'call.claim', callId, holder, token });
    return token;
  }

  #open(): { ground: LedgerGround; ledger: Ledger } {
    if (!this.#parts) throw new Error('nothing can be done before the tests begin');
    return this.#parts;
  }
}
