export { Admission } from './admission.js';
export { ensureApiKey, tenantOfKey, type KeyOwner } from './api-keys.js';
export { consumeHints, type HintConsumer } from './dispatch/hint-consumer.js';
export { HINT_JOB_OPTIONS, QUEUE_PREFIX, type HintQueues } from './dispatch/hint-queues.js';
export { BLOCKING, IMPATIENT, openRedis } from './dispatch/redis.js';
export { Halts } from './dispatch/halts.js';
export { RunNotices } from './dispatch/run-notices.js';
export { shownQuery, type Acceptance, type NewRun } from './ledger/accept-runs.js';
export type { Ledger } from './ledger/ledger.js';
export { isLedgerAway, openPool, type Pool } from './ledger/pool.js';
export type { ClaimedTurn, EarlierCall, TurnInput } from './ledger/run-rows.js';
export { checkLedger, migrate } from './migrate.js';
export { openRuns, type Runs } from './open-runs.js';
export { listRuns, readEvents, readRun, readToolsetOf } from './reads/run-reads.js';
export { readRunSpans, SpanStore, type StoredSpan } from './reads/span-store.js';
export {
  argumentsHash,
  type CallRecord,
  type PlannedCall,
  type RunInput,
  type RunRecord,
} from './reducer/index.js';
export { replayRuns, type ReplayOptions } from './replay.js';
export type { Applied } from './run-writer.js';
