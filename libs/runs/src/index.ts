export { ensureApiKey, tenantOfKey } from './api-keys.js';
export type { ClaimedTurn, TurnClaim } from './claim-turns.js';
export {
  consumeHints,
  HINT_JOB_OPTIONS,
  QUEUE_PREFIX,
  type HintConsumer,
  type HintQueues,
} from './hint-queues.js';
export { openLedger, type Acceptance, type Ledger, type NewRun } from './ledger.js';
export { checkLedger, migrate } from './migrate.js';
export { isLedgerAway, openPool, type Pool } from './pool.js';
export { openRuns, type Runs } from './open-runs.js';
export { ProcessEpoch } from './process-epoch.js';
export { BLOCKING, IMPATIENT, openRedis } from './redis.js';
export type { CallRecord, RunInput, RunRecord } from './reducer.js';
export { RunNotices } from './run-notices.js';
export { listRuns, readEvents, readRun } from './run-reads.js';
export { readRunSpans, SpanStore, type StoredSpan } from './span-store.js';
export { sweep, type SweepOptions } from './sweep.js';
