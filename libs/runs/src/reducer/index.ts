export { argumentsHash } from './calls.js';
export type { Hinted, Moved, NewEvent, Random, Refusal, RunInput, Step } from './inputs.js';
export type { CallRecord, PlannedCall, Reply, RunRecord } from './records.js';
export { reduce, TRANSITIONS } from './reduce.js';
export { MAX_DELAYS, MAX_TRIES } from './retries.js';
