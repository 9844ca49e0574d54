import { HammerlineError } from '#libs/contracts';
import type { Acceptance, NewRun } from '../../libs/runs/src/ledger/accept-runs.js';
import type { TurnClaim } from '../../libs/runs/src/ledger/claim-turns.js';
import type { RunChange } from '../../libs/runs/src/ledger/commit-runs.js';
import { GroupCommit } from '../../libs/runs/src/ledger/group-commit.js';
import type { Ledger } from '../../libs/runs/src/ledger/ledger.js';
import type { Random } from '../../libs/runs/src/reducer/index.js';
import { RunWriter, type RunStore } from '../../libs/runs/src/run-writer.js';
import type { MemoryDatabase } from './memory-database.js';

export interface MemoryLedgerOptions {
  /** Takes a statement to the database and its answer back, if it gets there. */
  ask?: <T>(statement: () => T) => Promise<T>;
  /** Repeats what fails because the database is away. */
  patiently?: <T>(work: () => Promise<T>) => Promise<T>;
  mayJudge?: () => boolean;
  random?: Random;
}

/** The ledger as a process uses it (see openLedger), with its lanes and its writer, over a database in memory. */
export function memoryLedger(db: MemoryDatabase, options: MemoryLedgerOptions = {}): Ledger {
  const {
    ask = async (statement) => statement(),
    patiently = (work) => work(),
    mayJudge = () => false,
    random = () => 0.5,
  } = options;
  const lane = <Item, Result>(
    keyOf: (item: Item) => string,
    take: (items: readonly Item[]) => readonly Result[],
  ): GroupCommit<Item, Result> =>
    new GroupCommit({
      send: (items) => ask(() => take(items)),
      keyOf,
      maxBatch: 256,
      maxWaiting: Infinity,
    });
  const acceptances = lane<NewRun, Acceptance>(
    ({ id }) => id,
    (runs) => db.accept(runs),
  );
  const claims = lane(
    ({ runId }: TurnClaim) => runId,
    (all) => db.claimTurns(all),
  );
  const loads = new GroupCommit({
    send: (runIds: readonly string[]) => {
      // As the statement is sent, not as it arrives.
      const judges = mayJudge();
      return ask(() => db.load(runIds, judges));
    },
    keyOf: (runId) => runId,
    maxBatch: 256,
    maxWaiting: Infinity,
  });
  const commits = lane(
    ({ before }: RunChange) => before.id,
    (changes) => db.commit(changes),
  );
  const store: RunStore = {
    load: (runId) => patiently(() => loads.submit(runId)),
    commit: (change) => patiently(() => commits.submit(change)),
  };
  const writer = new RunWriter(store, random);
  return {
    accept: (run) => acceptances.submit(run),
    apply: (runId, input, known) => writer.apply(runId, input, known),
    claimTurn: (claim) => patiently(() => claims.submit(claim)),
    turnInput: (runId) => patiently(() => ask(() => db.turnInput(runId))),
    toolset: (hash) => patiently(() => ask(() => toolsetOf(db, hash))),
    findHalted: (runIds) => ask(() => db.findHalted(runIds)),
    findOverdue: (limit) => ask(() => db.work.findOverdue(limit)),
    findOrphaned: (limit) => ask(() => db.work.findOrphaned(limit)),
    findAbandoned: (limit) => ask(() => db.work.findAbandoned(limit)),
    findReady: (cursor, limit) => ask(() => db.work.findReady(cursor, limit)),
  };
}

function toolsetOf(db: MemoryDatabase, hash: string): unknown {
  if (!db.toolsets.has(hash))
    throw new HammerlineError('internal', `no toolset has the hash ${hash}`);
  return db.toolsets.get(hash);
}
