import { createHash } from 'node:crypto';
import type { CallResult, ErrorRecord } from '#libs/contracts';
import type { Hinted, Moved, NewEvent, Random, Refusal, RunInput, Step } from './inputs.js';
import { again, join, moved, withCall } from './moves.js';
import type { CallRecord, RunRecord } from './records.js';
import { MAX_TRIES, retryInMs } from './retries.js';

type CallInput = Extract<RunInput, { callId: string }>;
type Input<T extends CallInput['type']> = Extract<CallInput, { type: T }>;

/** A tool that has just lost a call may not know of it yet. */
const FIRST_PROBE_MS = 1_000;
const PROBE_EVERY_MS = 60_000;

/** What an approval names, hex. */
export function argumentsHash({ arguments: given }: Pick<CallRecord, 'arguments'>): string {
  return createHash('sha256').update(JSON.stringify(given)).digest('hex');
}

/** Of a call whose outcome is unknown, a claim grants a probe, not the call; the next one only a minute later. */
export function claimCall(run: RunRecord, input: Input<'call.claim'>): Step {
  const call = find(run, input);
  if (!call) return { refused: 'no_such_call' };
  switch (call.state) {
    case 'started':
      if (call.token === input.token) return again(run);
      if (call.held) return { refused: 'held' };
      if (call.effect === 'once') return becomeUnknown(run, call, abandoned());
      if (call.tries >= MAX_TRIES) return settle(run, call, 'failed', exhausted(call));
      return start(run, call, input);
    case 'ready':
      return call.due ? start(run, call, input) : { refused: 'not_due' };
    case 'outcome_unknown':
      // Its own claim, whose answer was lost, was given up meanwhile.
      if (call.token === input.token) return { refused: 'fenced' };
      if (!call.hasProbe) return { refused: 'settled' };
      return call.due ? beginProbe(run, call) : { refused: 'not_due' };
    case 'resolved':
    case 'awaiting_approval':
    case 'succeeded':
    case 'failed':
    case 'denied':
    case 'cancelled':
      return { refused: 'settled' };
  }
}

function start(run: RunRecord, call: CallRecord, { token, holder }: Input<'call.claim'>): Moved {
  const attempt = call.attempt + 1;
  const tries = call.tries + 1;
  const { id, name, effect } = call;
  // Who claims is alive: this record may be reduced on, before it is read again.
  return moved(
    withCall(run, { ...call, state: 'started', attempt, tries, token, holder, held: true }),
    [{ type: 'call.claimed', data: { callId: id, name, attempt, effect } }],
  );
}

function beginProbe(run: RunRecord, call: CallRecord): Moved {
  return moved(
    withCall(run, { ...call, due: false }),
    [{ type: 'call.probed', data: { callId: call.id, name: call.name } }],
    hint(call, PROBE_EVERY_MS),
  );
}

/** In a run that is being ended, a call whose holder died is not made again. */
export function abandonCall(run: RunRecord, input: Input<'call.claim'>): Step {
  const call = find(run, input);
  if (!call) return { refused: 'no_such_call' };
  if (call.state !== 'started') return { refused: 'ending' };
  // Whoever asks for its own claim again had no answer, and has not made the call: it is not granted any more.
  if (call.token === input.token) {
    return settle(run, { ...call, token: null }, 'cancelled', run.error);
  }
  if (call.held) return { refused: 'held' };
  return call.effect === 'once'
    ? becomeUnknown(run, call, abandoned())
    : settle(run, call, 'cancelled', run.error);
}

/** Its holder knows that nothing was sent, whatever others took it for meanwhile. */
export function releaseCall(run: RunRecord, input: Input<'call.release'>): Step {
  const call = find(run, input);
  if (!call) return { refused: 'no_such_call' };
  const isWith = call.state === 'started' || call.state === 'outcome_unknown';
  if (!isWith || call.token !== input.token) return { refused: 'fenced' };
  if (run.state !== 'executing') return settle(run, call, 'cancelled', run.error);
  return moved(
    withCall(run, { ...call, state: 'ready', tries: call.tries - 1, holder: null, error: null }),
    [{ type: 'call.released', data: { callId: call.id, name: call.name } }],
    hint(call),
  );
}

export function settleCall(run: RunRecord, input: Input<'call.settle'>, random: Random): Step {
  const call = find(run, input);
  const refused = refusal(call, input);
  if (!call || refused) return { refused: refused ?? 'no_such_call' };
  const { result } = input;
  // A person had it made again, and the first attempt's answer has come before the second one was claimed.
  const isInTime = call.state === 'ready' && result.state === 'succeeded';
  if (call.state !== 'started' && call.state !== 'outcome_unknown' && !isInTime) {
    return call.state === result.state ? again(run) : { refused: 'settled' };
  }
  switch (result.state) {
    case 'succeeded':
      return settle(run, call, 'succeeded', null, result.result);
    case 'outcome_unknown':
      // Its holder has told what it knows, and is at it no more.
      return call.state === 'started'
        ? becomeUnknown(run, { ...call, holder: null, held: false }, result.error)
        : again(run);
    case 'failed': {
      const retry = call.state === 'started' && retryOf(run, call, result, random);
      return retry || settle(run, call, 'failed', result.error);
    }
  }
}

function refusal(call: CallRecord | undefined, { token }: { token: string }): Refusal | undefined {
  if (!call) return 'no_such_call';
  return call.token === token ? undefined : 'fenced';
}

type Failed = Extract<CallResult, { state: 'failed' }>;

function retryOf(
  run: RunRecord,
  call: CallRecord,
  { error, mayRetry }: Failed,
  random: Random,
): Moved | false {
  const isSafe = mayRetry === 'not_sent' || (mayRetry === 'transient' && call.effect !== 'once');
  if (!isSafe || run.state !== 'executing') return false;
  const { id, name, attempt } = call;
  const dueInMs = retryInMs(error.code, { tries: call.tries, msLeft: run.msLeft, random });
  if (dueInMs === undefined) return false;
  return moved(
    withCall(run, { ...call, state: 'ready', holder: null, due: false }),
    [{ type: 'call.retried', data: { callId: id, name, attempt, error } }],
    hint(call, dueInMs),
  );
}

/** After the run's end nothing changes any more; what a call came to is still worth knowing. */
export function keepEvidence(run: RunRecord, input: Input<'call.settle'>): Step {
  const call = find(run, input);
  const { result } = input;
  if (!call) return { refused: 'ended' };
  if (call.token !== input.token) return { refused: 'fenced' };
  if (call.state === result.state) return again(run);
  if (call.state !== 'outcome_unknown') return { refused: 'ended' };
  // Its holder has told it already.
  if (call.holder === null) return again(run);
  const { id: callId, name } = call;
  return moved(withCall(run, { ...call, holder: null }), [
    { type: 'call.evidence', data: { callId, name, ...result } },
  ]);
}

export function probeCall(run: RunRecord, { callId, found }: Input<'call.probe'>): Step {
  const call = find(run, { callId });
  if (!call) return { refused: 'no_such_call' };
  if (call.state !== 'outcome_unknown' || !call.hasProbe) return { refused: 'settled' };
  switch (found.state) {
    case 'succeeded':
      return settle(run, call, 'succeeded', null, found.result);
    case 'absent':
      return settle(run, call, 'failed', {
        code: 'tool_failed',
        message: 'The tool was asked, and says that the call never took effect.',
      });
    case 'unclear':
      return again(run);
  }
}

export function approveCall(run: RunRecord, input: Input<'call.approve'>): Step {
  const { by, edited } = input;
  const call = find(run, input);
  const refused = refusedDecision(call, input);
  if (!call || refused) return { refused: refused ?? 'no_such_call' };
  const approved: CallRecord = {
    ...call,
    state: 'ready',
    arguments: edited ?? call.arguments,
    asked: edited ? call.arguments : null,
  };
  const data = {
    callId: call.id,
    name: call.name,
    decision: 'approved',
    by,
    argumentsHash: argumentsHash(approved),
    isEdited: edited !== undefined,
  };
  return moved(withCall(run, approved), [{ type: 'call.decided', data }], hint(call));
}

export function denyCall(run: RunRecord, input: Input<'call.deny'>): Step {
  const { by } = input;
  const call = find(run, input);
  const refused = refusedDecision(call, input);
  if (!call || refused) return { refused: refused ?? 'no_such_call' };
  const { id: callId, name } = call;
  const decided: NewEvent = {
    type: 'call.decided',
    data: { callId, name, decision: 'denied', by, argumentsHash: input.argumentsHash },
  };
  const error: ErrorRecord = { code: 'approval_denied', message: `Denied by ${by}.` };
  return settle(run, call, 'denied', error, null, [decided]);
}

function refusedDecision(
  call: CallRecord | undefined,
  input: { argumentsHash: string },
): Refusal | undefined {
  if (!call) return 'no_such_call';
  if (call.state !== 'awaiting_approval') return 'settled';
  return argumentsHash(call) === input.argumentsHash ? undefined : 'other_arguments';
}

/** A call is made again only once nobody can be making it any more. */
export function decideCall(run: RunRecord, input: Input<'call.decide'>): Step {
  const { by, decision } = input;
  const call = find(run, input);
  if (call?.state !== 'outcome_unknown') return { refused: call ? 'settled' : 'no_such_call' };
  const { id: callId, name } = call;
  const decided: NewEvent = {
    type: 'call.decided',
    data: { callId, name, decision: decision.state, by },
  };
  switch (decision.state) {
    case 'succeeded':
      return settle(run, call, 'succeeded', null, decision.result, [decided]);
    case 'failed': {
      const message = `${by} found that the call took no effect.`;
      return settle(run, call, 'failed', { code: 'tool_failed', message }, null, [decided]);
    }
    case 'retry': {
      if (run.state !== 'executing') return { refused: 'ending' };
      if (call.held) return { refused: 'held' };
      const ready: CallRecord = { ...call, state: 'ready', holder: null, error: null };
      return moved(withCall(run, ready), [decided], hint(call));
    }
  }
}

function find(run: RunRecord, { callId }: { callId: string }): CallRecord | undefined {
  return run.calls.find(({ id }) => id === callId);
}

function hint({ id }: CallRecord, dueInMs = 0): Hinted[] {
  return [{ kind: 'call', callId: id, dueInMs }];
}

/** It keeps token and holder: a late result may still resolve it, and nobody may repeat it while a holder may be at it. */
function becomeUnknown(run: RunRecord, call: CallRecord, error: ErrorRecord): Moved {
  const { id: callId, name } = call;
  const hints = call.hasProbe && run.state === 'executing' ? hint(call, FIRST_PROBE_MS) : [];
  return join(
    withCall(run, { ...call, state: 'outcome_unknown', error, due: hints.length === 0 }),
    [{ type: 'call.unknown', data: { callId, name, error } }],
    hints,
  );
}

function settle(
  run: RunRecord,
  call: CallRecord,
  state: 'succeeded' | 'failed' | 'denied' | 'cancelled',
  error: ErrorRecord | null,
  result: unknown = null,
  before: readonly NewEvent[] = [],
): Moved {
  const { id: callId, name } = call;
  return join(withCall(run, { ...call, state, holder: null, result, error }), [
    ...before,
    { type: 'call.settled', data: { callId, name, state } },
  ]);
}

function abandoned(): ErrorRecord {
  return {
    code: 'outcome_unknown',
    message:
      'The process that made this call died before it recorded what came of it. It is not made again unasked: look at ' +
      'the tool for its Idempotency-Key, the id of the call.',
  };
}

function exhausted({ tries }: CallRecord): ErrorRecord {
  return {
    code: 'call_abandoned',
    message: `The call was started ${tries} times and no process lived to settle it.`,
  };
}
