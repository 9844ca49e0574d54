import type { RunState } from '#libs/contracts';
import * as calls from './calls.js';
import { cancelRun, endAgain, expireRun } from './endings.js';
import type { Random, Refusal, RunInput, Step } from './inputs.js';
import { again } from './moves.js';
import type { RunRecord } from './records.js';
import { claimTurn, delayTurn, failTurn, resolveTurn } from './turns.js';

type Handlers = {
  [T in RunInput['type']]?: (
    run: RunRecord,
    input: Extract<RunInput, { type: T }>,
    random: Random,
  ) => Step;
};

const ending: Handlers = {
  'run.cancel': endAgain,
  'run.expire': endAgain,
  'call.claim': calls.abandonCall,
  'call.release': calls.releaseCall,
  'call.settle': calls.settleCall,
  'call.decide': calls.decideCall,
  'call.probe': calls.probeCall,
};
const ended: Handlers = { 'call.settle': calls.keepEvidence };

/** What each state of a run takes. Whatever is not here changes nothing. */
export const TRANSITIONS: Record<RunState, Handlers> = {
  queued: { 'run.cancel': cancelRun, 'run.expire': expireRun, 'turn.claim': claimTurn },
  inferring: {
    'run.cancel': cancelRun,
    'run.expire': expireRun,
    'turn.claim': claimTurn,
    'turn.resolve': resolveTurn,
    'turn.fail': failTurn,
    'turn.delay': delayTurn,
  },
  executing: {
    'run.cancel': cancelRun,
    'run.expire': expireRun,
    'call.claim': calls.claimCall,
    'call.release': calls.releaseCall,
    'call.settle': calls.settleCall,
    'call.probe': calls.probeCall,
    'call.approve': calls.approveCall,
    'call.deny': calls.denyCall,
    'call.decide': calls.decideCall,
  },
  cancelling: ending,
  expiring: ending,
  succeeded: ended,
  failed: ended,
  cancelled: ended,
  expired: ended,
};

const CLAIMS: ReadonlySet<RunInput['type']> = new Set(['turn.claim', 'call.claim']);

/**
 * All transitions of a run. Pure: clocks, liveness and chance come in with the record and `random`. The ledger applies
 * the result with a compare-and-set on `version`; who loses that race reads again and reduces again.
 */
export function reduce(run: RunRecord, input: RunInput, random: Random): Step {
  // Of a newer version that was rolled back.
  if (!Object.hasOwn(TRANSITIONS, run.state)) return { refused: 'unknown_state' };
  // Nothing starts after the deadline, whether or not anybody has told the run of it.
  const mayExpire = TRANSITIONS[run.state]['run.expire'] === expireRun;
  const isLate = CLAIMS.has(input.type) && run.msLeft <= 0 && mayExpire;
  const taken: RunInput = isLate ? { type: 'run.expire' } : input;
  const handler = TRANSITIONS[run.state][taken.type] as
    ((run: RunRecord, input: RunInput, random: Random) => Step) | undefined;
  return handler?.(run, taken, random) ?? refuse(run, taken);
}

function refuse(run: RunRecord, input: RunInput): Step {
  // Its commit succeeded and the answer was lost: the run has moved on since, with the token of that claim.
  const isOwn = input.type.startsWith('turn.') && 'token' in input && run.token === input.token;
  if (isOwn && run.state !== 'cancelled' && run.state !== 'expired') return again(run);
  return { refused: refusalOf(run, input) };
}

function refusalOf({ state }: RunRecord, input: RunInput): Refusal {
  switch (state) {
    case 'succeeded':
    case 'failed':
    case 'cancelled':
    case 'expired':
      return 'ended';
    case 'cancelling':
    case 'expiring':
      return 'ending';
    case 'queued':
    case 'inferring':
      return input.type.startsWith('call.') ? 'no_such_call' : 'fenced';
    case 'executing':
      return input.type === 'turn.claim' ? 'settled' : 'fenced';
  }
}
