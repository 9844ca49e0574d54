import { HammerlineError } from '#libs/contracts';
import { LRUCache } from 'lru-cache';
import type { RunInput, RunRecord } from '../reducer/index.js';
import { RunWriter, type Applied } from '../run-writer.js';
import { acceptRuns, type Acceptance, type NewRun } from './accept-runs.js';
import { claimTurns, type TurnClaim } from './claim-turns.js';
import { commitRuns, type RunChange } from './commit-runs.js';
import {
  findAbandoned,
  findHalted,
  findOrphaned,
  findOverdue,
  findReady,
  type ReadyPage,
  type Work,
} from './find-work.js';
import { GroupCommit } from './group-commit.js';
import { loadRuns } from './load-runs.js';
import { isLedgerAway, type Pool } from './pool.js';
import { TURN_INPUT, type ClaimedTurn, type TurnInput } from './run-rows.js';

/** How long an acceptance waits for an absent Postgres. */
const ACCEPT_WITHIN_MS = 2_000;
/** Most acceptances that wait for their commit, at this process. */
const MAX_WAITING = 10_000;
/** Toolsets whose bodies need not be sent with each run. */
const KNOWN_TOOLSETS = 10_000;
/** Most rows of one statement. */
const MAX_BATCH = 256;

/** The truth about every run, as a process uses it. What is called at the same time shares statements. */
export interface Ledger {
  /**
   * Commits a run, its input, its first event and its key. Returns only after the commit. A Postgres that comes back
   * within two seconds is waited for; after that it throws, and the run may or may not be there.
   */
  accept(run: NewRun): Promise<Acceptance>;
  /**
   * Takes one input through the reducer and commits the result. While Postgres is away it waits: what a process has done
   * must not be lost because the ledger restarts.
   *
   * @param known the run as the caller last had it, which saves a reading if nobody has moved it on since
   */
  apply(runId: string, input: RunInput, known?: RunRecord): Promise<Applied>;
  /** Claims a turn that is simply free; undefined: the reducer must judge. Waits for an absent Postgres. */
  claimTurn(claim: TurnClaim): Promise<ClaimedTurn | undefined>;
  turnInput(runId: string): Promise<TurnInput>;
  /** Body of a toolset as it was accepted; throws `internal` when the ledger has none of this hash. */
  toolset(hash: string): Promise<unknown>;

  /** Which of these runs are over or are being ended. */
  findHalted(runIds: readonly string[]): Promise<string[]>;
  /** Runs past their deadline that nobody has told of it. */
  findOverdue(limit: number): Promise<string[]>;
  /** Runs of tenants that were deleted, as yet open. */
  findOrphaned(limit: number): Promise<string[]>;
  /** Work whose holder is dead. */
  findAbandoned(limit: number): Promise<Work[]>;
  /** Work that could have been taken a while ago, among the open runs after `cursor`. */
  findReady(cursor: string | undefined, limit: number): Promise<ReadyPage>;
}

/**
 * @param mayJudge whether holders without a heartbeat may be called dead now (see ProcessEpoch)
 * @param signal ends the waiting for an absent Postgres when the process stops
 */
export function openLedger(pool: Pool, mayJudge: () => boolean, signal: AbortSignal): Ledger {
  const knownToolsets = new LRUCache<string, true>({ max: KNOWN_TOOLSETS });
  const acceptances = new GroupCommit<NewRun, Acceptance>({
    send: (runs) => acceptRuns(pool, runs, knownToolsets),
    keyOf: ({ id }) => id,
    maxBatch: MAX_BATCH,
    maxWaiting: MAX_WAITING,
  });
  const claims = lane(
    ({ runId }: TurnClaim) => runId,
    (all) => claimTurns(pool, all),
  );
  const loads = lane(
    (runId: string) => runId,
    async (runIds) => {
      const judges = mayJudge();
      const runs = await loadRuns(pool, runIds, judges);
      // A statement that hung may have been read before the living could beat again.
      return judges && !mayJudge() ? loadRuns(pool, runIds, false) : runs;
    },
  );
  const commits = lane(
    ({ before }: RunChange) => before.id,
    (changes) => commitRuns(pool, changes),
  );
  const patient = <T>(work: () => Promise<T>): Promise<T> => patiently(signal, work);

  const writer = new RunWriter(
    {
      load: (runId) => patient(() => loads.submit(runId)),
      commit: (change) => patient(() => commits.submit(change)),
    },
    Math.random,
  );
  return {
    accept: (run) => acceptSurely(run, acceptances, knownToolsets),
    apply: (runId, input, known) => writer.apply(runId, input, known),
    claimTurn: (claim) => patient(() => claims.submit(claim)),
    turnInput: (runId) => patient(() => readTurnInput(pool, runId)),
    toolset: (hash) => patient(() => readToolset(pool, hash)),
    findHalted: (runIds) => findHalted(pool, runIds),
    findOverdue: (limit) => findOverdue(pool, limit),
    findOrphaned: (limit) => findOrphaned(pool, limit),
    findAbandoned: (limit) => findAbandoned(pool, limit),
    findReady: (cursor, limit) => findReady(pool, cursor, limit),
  };
}

/** Whose items are as many as the work that this process has taken: they are bounded by that. */
function lane<Item, Result>(
  keyOf: (item: Item) => string,
  send: (items: readonly Item[]) => Promise<readonly Result[]>,
): GroupCommit<Item, Result> {
  return new GroupCommit({ send, keyOf, maxBatch: MAX_BATCH, maxWaiting: Infinity });
}

async function acceptSurely(
  run: NewRun,
  acceptances: GroupCommit<NewRun, Acceptance>,
  knownToolsets: LRUCache<string, true>,
): Promise<Acceptance> {
  const giveUpAt = performance.now() + ACCEPT_WITHIN_MS;
  for (;;) {
    try {
      return await acceptances.submit(run);
    } catch (error) {
      // A ledger that was restored may lack a toolset that it once had: it is sent again.
      const lacksToolset = hasCode(error, '23503') && knownToolsets.delete(run.toolset.hash);
      if (lacksToolset) continue;
      if (!isLedgerAway(error) || performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

async function readTurnInput(pool: Pool, runId: string): Promise<TurnInput> {
  const { rows } = await pool.query<{ input: TurnInput }>({
    name: 'turn-input',
    text: `SELECT ${TURN_INPUT} AS input FROM runs r WHERE r.id = $1`,
    values: [runId],
  });
  if (!rows[0]) throw new HammerlineError('internal', `run ${runId} has no input`);
  return rows[0].input;
}

async function readToolset(pool: Pool, hash: string): Promise<unknown> {
  const { rows } = await pool.query<{ body: unknown }>(
    'SELECT body FROM toolsets WHERE hash = $1',
    [hash],
  );
  if (!rows[0]) throw new HammerlineError('internal', `no toolset has the hash ${hash}`);
  return rows[0].body;
}

/** Repeats `work` until Postgres is back. Everything given to it is safe to repeat. */
async function patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 1_000)) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !isLedgerAway(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
