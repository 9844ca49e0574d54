import type { NewEvent, Random, RunInput, Step } from './inputs.js';
import { again, join, finish, moved } from './moves.js';
import type { CallRecord, PlannedCall, RunRecord } from './records.js';
import { MAX_DELAYS, MAX_TRIES, retryInMs } from './retries.js';

type Input<T extends RunInput['type']> = Extract<RunInput, { type: T }>;

export function claimTurn(run: RunRecord, input: Input<'turn.claim'>): Step {
  if (run.state === 'inferring') {
    // The same claim again: its commit succeeded but the answer was lost on the way.
    if (run.token === input.token) return again(run);
    if (run.held) return { refused: 'held' };
  } else if (!run.due) return { refused: 'not_due' };
  if (run.tries >= MAX_TRIES) {
    return finish(run, 'failed', {
      code: 'turn_abandoned',
      message: `The turn was started ${run.tries} times and no process lived to answer it.`,
    });
  }
  const { token, holder } = input;
  const attempt = run.attempt + 1;
  // Who claims is alive: this record may be reduced on, before it is read again.
  const claimed = {
    ...run,
    state: 'inferring',
    attempt,
    tries: run.tries + 1,
    token,
    holder,
    held: true,
  } as const;
  return moved(claimed, [{ type: 'turn.claimed', data: { turn: run.turn, attempt } }]);
}

export function resolveTurn(run: RunRecord, input: Input<'turn.resolve'>): Step {
  if (run.token !== input.token) return { refused: 'fenced' };
  const { answer, model, confidence } = input;
  // No call after calls is Hammer's way to end: what follows are words about their results.
  const isLast = answer.outcome === 'irrelevant' && run.turn > 1;
  const outcome = isLast ? 'answer' : answer.outcome;
  const tokens = run.tokens + input.tokens;
  const event: NewEvent = {
    type: 'turn.resolved',
    data: { turn: run.turn, model, confidence, outcome, tokens: input.tokens },
  };
  const resolved: RunRecord = { ...run, holder: null, outcome, model, confidence, tokens };
  if (answer.outcome !== 'calls') {
    const { text } = answer;
    const reply = answer.outcome === 'needs_input' ? { text, missing: answer.missing } : { text };
    return finish({ ...resolved, reply }, 'succeeded', null, [event]);
  }
  const callsMade = run.callsMade + answer.calls.length;
  if (callsMade > run.budget.calls) {
    const message = `The run would make ${callsMade} calls; its budget is ${run.budget.calls}. None of this turn's were made.`;
    return finish(resolved, 'failed', { code: 'budget_spent', message }, [event]);
  }
  const calls = answer.calls.map((call, position) => plan(run, input, call, position));
  return join({ ...resolved, state: 'executing', callsMade, calls }, [event], readyHints(calls));
}

function readyHints(calls: readonly CallRecord[]) {
  return calls
    .filter(({ state }) => state === 'ready')
    .map(({ id }) => ({ kind: 'call' as const, callId: id, dueInMs: 0 }));
}

/** What becomes of a call at first: policy decides whether it is made, asked about, or neither. */
function plan(
  run: RunRecord,
  input: Input<'turn.resolve'>,
  call: PlannedCall,
  position: number,
): CallRecord {
  const planned: CallRecord = {
    ...call,
    turn: run.turn,
    position,
    state: 'ready',
    attempt: 0,
    tries: 0,
    token: null,
    holder: null,
    held: false,
    due: true,
    asked: null,
    result: null,
    error: null,
  };
  if (run.mode === 'resolve') return { ...planned, state: 'resolved' };
  const doubt = call.effect === 'read' ? undefined : doubtOf(input, call);
  if (call.approval === 'always' || (doubt !== undefined && call.approval === 'unsure')) {
    return { ...planned, state: 'awaiting_approval' };
  }
  if (doubt === undefined) return planned;
  return { ...planned, state: 'denied', error: { code: 'low_confidence', message: doubt } };
}

/** Why a call with an effect should not be made unasked. */
function doubtOf(
  { model, confidence, confidenceThreshold, answer }: Input<'turn.resolve'>,
  { id }: PlannedCall,
): string | undefined {
  const isRepeated = answer.outcome === 'calls' && answer.repeated?.includes(id) === true;
  if (isRepeated) return 'It has been made in this run, with these arguments, and succeeded.';
  if (confidence > confidenceThreshold) return undefined;
  // No confidence is above 1: nobody has found out yet how far this model's can be trusted.
  const [why, mend] =
    confidenceThreshold >= 1
      ? [`${model} is not calibrated`, 'Give its card a confidenceThreshold']
      : [
          `Confidence ${confidence.toFixed(2)} is not above ${confidenceThreshold.toFixed(2)}`,
          'Say the request more plainly',
        ];
  return `${why}, so only \`read\` tools execute. ${mend}, or use mode \`resolve\`.`;
}

export function failTurn(run: RunRecord, input: Input<'turn.fail'>, random: Random): Step {
  if (run.token !== input.token) return { refused: 'fenced' };
  const { tries, msLeft } = run;
  const { code } = input.error;
  const dueInMs = input.retryable ? retryInMs(code, { tries, msLeft, random }) : undefined;
  const failed: NewEvent = {
    type: 'turn.failed',
    data: {
      turn: run.turn,
      attempt: run.attempt,
      error: input.error,
      retry: dueInMs !== undefined,
    },
  };
  if (dueInMs === undefined) return finish(run, 'failed', input.error, [failed]);
  return moved(
    { ...run, state: 'queued', holder: null, due: false },
    [failed],
    [{ kind: 'turn', dueInMs }],
  );
}

export function delayTurn(run: RunRecord, input: Input<'turn.delay'>, random: Random): Step {
  if (run.token !== input.token) return { refused: 'fenced' };
  const { turn, attempt, tries } = run;
  if (attempt - tries >= MAX_DELAYS) {
    return failTurn(run, { ...input, type: 'turn.fail', retryable: false }, random);
  }
  const delayed: NewEvent = { type: 'turn.delayed', data: { turn, attempt, error: input.error } };
  return moved(
    { ...run, state: 'queued', tries: tries - 1, holder: null, due: input.dueInMs === 0 },
    [delayed],
    [{ kind: 'turn', dueInMs: input.dueInMs }],
  );
}
