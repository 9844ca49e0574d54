import {
  HammerlineError,
  TERMINAL_RUN_STATES,
  type Call,
  type CallState,
  type Run,
} from '#libs/contracts';
import type { Applied, RunInput } from '#libs/runs';

type Refusal = NonNullable<Applied['refused']>;

/** Why a decision changed nothing: what state things are in, and what can be done. @param run as it is now */
export function notPossible(refused: Refusal, input: RunInput, run: Run): HammerlineError {
  const call = 'callId' in input ? run.calls.find(({ id }) => id === input.callId) : undefined;
  const faults =
    refused === 'other_arguments'
      ? [
          {
            pointer: '/argumentsHash',
            detail: 'is not the hash of the call’s arguments',
            mend: `Look at the call again (GET /v1/runs/${run.id}), then give its \`argumentsHash\`.`,
          },
        ]
      : [];
  return new HammerlineError('not_possible', explain(refused, input, run, call), { faults });
}

function explain(refused: Refusal, { type }: RunInput, run: Run, call: Call | undefined): string {
  if (refused === 'other_arguments') {
    return 'The call has other arguments than those that the decision is about. Look at it again.';
  }
  if (refused === 'held') {
    return 'The process that made the call may still be at it. Try again in some seconds.';
  }
  if (TERMINAL_RUN_STATES.has(run.state)) {
    const instead = insteadOf(type, call);
    return `The run is over: it is \`${run.state}\`, and nothing changes it any more.${instead}`;
  }
  if (!call) return `The run is \`${run.state}\`: that cannot be done now.`;
  if (refused === 'ending') {
    const instead = type === 'call.decide' ? ' Say `succeeded` or `failed`.' : '';
    return `The run is \`${run.state}\`: no call is made any more.${instead}`;
  }
  const wanted: CallState = type === 'call.decide' ? 'outcome_unknown' : 'awaiting_approval';
  return `The call is \`${call.state}\`; only one that is \`${wanted}\` can be decided so. GET /v1/runs/${run.id} shows it.`;
}

/** What can be done about a run that is over. */
function insteadOf(type: RunInput['type'], call: Call | undefined): string {
  if (type === 'run.cancel') return '';
  if (call?.state === 'outcome_unknown') {
    return ` Whether the call took effect, its tool alone can tell: look there for the Idempotency-Key ${call.id}, before you replay the run.`;
  }
  return ' POST /v1/runs/replay does it again as a new run.';
}
