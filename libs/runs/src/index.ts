export { ensureApiKey, tenantOfKey } from './api-keys.js';
export { consumeHints, HINT_JOB_OPTIONS, QUEUE_PREFIX, type HintQueues } from './hint-queues.js';
export { openLedger, type Acceptance, type Ledger, type NewRun } from './ledger.js';
export { checkLedger, migrate } from './migrate.js';
export { isLedgerAway, openPool, type Pool } from './pool.js';
export { openRuns, type Runs } from './open-runs.js';
export { ProcessEpoch } from './process-epoch.js';
export { openRedis } from './redis.js';
export {
  MAX_ATTEMPTS,
  reduce,
  type CallRecord,
  type RunInput,
  type RunRecord,
} from './reducer.js';
export { RunEngine } from './run-engine.js';
export { RunNotices } from './run-notices.js';
export { listRuns, readEvents, readRun } from './run-reads.js';
export { readTrace, SpanStore, type StoredSpan } from './span-store.js';
export { startSweep } from './sweep.js';
