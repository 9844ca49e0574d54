import type { RunChange } from '../../../libs/runs/src/ledger/commit-runs.js';
import type { Ledger } from '../../../libs/runs/src/ledger/ledger.js';
import type { RunInput, RunRecord } from '../../../libs/runs/src/reducer/index.js';
import { MemoryDatabase } from '../memory-database.js';

/** A way to break the engine, to see that the simulation notices. */
export interface Sabotage {
  database: (now: () => number) => MemoryDatabase;
  ledger: (ledger: Ledger, db: MemoryDatabase) => Ledger;
  /** Processes call others dead however short they have been in contact with the ledger. */
  judgesAlways: boolean;
  /** A process whose lease may be lost takes a new epoch. */
  renewsEpoch: boolean;
}

export const HONEST: Sabotage = {
  database: (now) => new MemoryDatabase(now),
  ledger: (ledger) => ledger,
  judgesAlways: false,
  renewsEpoch: true,
};

/** Whoever writes is taken for the last who claimed. */
function unfenced(ledger: Ledger, db: MemoryDatabase): Ledger {
  const forged = (runId: string, input: RunInput): RunInput => {
    const row = db.rows.get(runId);
    if (!row || !('token' in input) || input.type.endsWith('.claim')) return input;
    const of = 'callId' in input ? row.calls.find(({ id }) => id === input.callId) : row.run;
    return { ...input, token: of?.token ?? '' };
  };
  return {
    ...ledger,
    apply: (runId, input, known) => ledger.apply(runId, forged(runId, input), known),
  };
}

/** Nobody looks whether a run was moved on since it was read. */
class Blind extends MemoryDatabase {
  override commit(changes: readonly RunChange[]): boolean[] {
    const blind = changes.map((change): RunChange => {
      const { version = 0, token = null } = this.rows.get(change.before.id)?.run ?? {};
      return { ...change, before: { ...change.before, version, token } };
    });
    return super.commit(blind);
  }
}

/** Every call is taken for one that may be made again. */
class Forgetful extends MemoryDatabase {
  override load(runIds: readonly string[], mayJudge: boolean): (RunRecord | undefined)[] {
    const forget = (call: RunRecord['calls'][number]): RunRecord['calls'][number] =>
      call.effect === 'once' ? { ...call, effect: 'idempotent' } : call;
    return super
      .load(runIds, mayJudge)
      .map((run) => run && { ...run, calls: run.calls.map(forget) });
  }
}

/** A process counts as dead before it doubts itself. */
class Hasty extends MemoryDatabase {
  override isAlive(epoch: string): boolean {
    return (this.seenAt.get(epoch) ?? -Infinity) > this.now() - 1_500;
  }
}

/** No commit waits for the disk. */
class Lazy extends MemoryDatabase {
  protected override readonly waitsForDisk = false;
}

export const SABOTAGES: Record<string, Sabotage> = {
  'a fence that is ignored': { ...HONEST, ledger: unfenced },
  'a commit without compare-and-set': { ...HONEST, database: (now) => new Blind(now) },
  'a `once` call that is tried again': { ...HONEST, database: (now) => new Forgetful(now) },
  'a lease that is judged too early': {
    ...HONEST,
    database: (now) => new Hasty(now),
    judgesAlways: true,
  },
  'a commit that does not wait for the disk': { ...HONEST, database: (now) => new Lazy(now) },
  'a process that keeps an epoch that may be dead': { ...HONEST, renewsEpoch: false },
};
