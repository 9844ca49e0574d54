import {
  TERMINAL_RUN_STATES,
  type CallResult,
  type CallState,
  type Effect,
  type ErrorRecord,
  type EventType,
  type MaskMode,
  type ResolvedCall,
  type RunMode,
  type RunOutcome,
  type RunState,
} from '#libs/contracts';

/** How often a turn or a call is tried before it is given up: what kills its process must not do so for ever. */
export const MAX_ATTEMPTS = 3;
/** How often a turn is handed back before that counts as a failure of its own: nothing goes round for ever. */
export const MAX_DELAYS = 1_000;

export interface CallRecord extends ResolvedCall {
  id: string;
  turn: number;
  position: number;
  effect: Effect;
  state: CallState;
  attempt: number;
  token: string | null;
  holder: string | null;
  /** Whether the holder's process is alive, or cannot be judged now. A fact read with the row, never stored. */
  held: boolean;
  result: unknown;
  error: ErrorRecord | null;
}

export interface RunRecord {
  id: string;
  tenantId: string;
  state: RunState;
  /** Number of the run's last event; every write compares and sets it. */
  version: number;
  mode: RunMode;
  mask: MaskMode;
  toolsetHash: string;
  traceparent: string;
  turn: number;
  /** Claims of this turn so far; only grows. */
  attempt: number;
  /** Claims that count towards MAX_ATTEMPTS: all but those that were handed back unanswered. */
  tries: number;
  token: string | null;
  holder: string | null;
  held: boolean;
  /** Whether the turn may be claimed now, by the ledger's clock. A fact read with the row. */
  due: boolean;
  outcome: RunOutcome | null;
  model: string | null;
  confidence: number | null;
  error: ErrorRecord | null;
  calls: CallRecord[];
}

export type RunInput =
  | { type: 'turn.claim'; holder: string; token: string }
  | {
      type: 'turn.resolve';
      token: string;
      model: string;
      confidence: number;
      /** Calls with an effect execute only above it. */
      confidenceThreshold: number;
      calls: (ResolvedCall & { id: string; effect: Effect })[];
    }
  | { type: 'turn.fail'; token: string; error: ErrorRecord; retryable: boolean }
  /** The holder hands the turn back because nobody could answer it now, for no fault of the turn: it costs no try. */
  | { type: 'turn.delay'; token: string; error: ErrorRecord; dueInMs: number }
  | { type: 'call.claim'; callId: string; holder: string; token: string }
  /** The holder found itself stale before it sent anything: the call may be taken again. */
  | { type: 'call.release'; callId: string; token: string }
  | { type: 'call.settle'; callId: string; token: string; result: CallResult };

/** Why an input changes nothing: its token is not the last one, someone else holds the work, or it is over. */
export type Refusal = 'ended' | 'held' | 'not_due' | 'fenced' | 'settled' | 'no_such_call';

export interface NewEvent {
  type: EventType;
  data: Record<string, unknown>;
}

export type Step =
  | { refused: Refusal }
  | {
      refused?: undefined;
      run: RunRecord;
      events: NewEvent[];
      /** Calls that became ready: hints for them follow the commit. */
      offers: string[];
      /** Milliseconds until the turn may be claimed again and its hint is delivered; set when it goes back to the queue. */
      dueInMs?: number;
    };

/**
 * All transitions of a run. Pure: clocks, tokens and liveness come in with the record and the input. The ledger applies
 * the result with a compare-and-set on `version`; on a lost race the caller reads again and reduces again.
 */
export function reduce(run: RunRecord, input: RunInput): Step {
  if (TERMINAL_RUN_STATES.has(run.state)) return { refused: 'ended' };
  switch (input.type) {
    case 'turn.claim':
      return claimTurn(run, input);
    case 'turn.resolve':
      return resolveTurn(run, input);
    case 'turn.fail':
      return failTurn(run, input);
    case 'turn.delay':
      return delayTurn(run, input);
    case 'call.claim':
      return claimCall(run, input);
    case 'call.release':
      return releaseCall(run, input);
    case 'call.settle':
      return settleCall(run, input);
  }
}

type Input<T extends RunInput['type']> = Extract<RunInput, { type: T }>;

function claimTurn(run: RunRecord, input: Input<'turn.claim'>): Step {
  // The same claim again: its commit succeeded but the answer was lost on the way.
  if (run.state === 'inferring' && run.token === input.token)
    return { run, events: [], offers: [] };
  if (run.state === 'executing') return { refused: 'settled' };
  if (run.state === 'inferring' && run.held) return { refused: 'held' };
  if (run.state === 'queued' && !run.due) return { refused: 'not_due' };
  if (run.tries >= MAX_ATTEMPTS) {
    return end(run, [], {
      code: 'turn_abandoned',
      message: `The turn was started ${run.tries} times and no process lived to answer it.`,
    });
  }
  const attempt = run.attempt + 1;
  const { token, holder } = input;
  return {
    run: { ...run, state: 'inferring', attempt, tries: run.tries + 1, token, holder },
    events: [{ type: 'turn.claimed', data: { turn: run.turn, attempt } }],
    offers: [],
  };
}

function resolveTurn(run: RunRecord, input: Input<'turn.resolve'>): Step {
  if (run.state !== 'inferring' || run.token !== input.token) return { refused: 'fenced' };
  const trusted = input.confidence > input.confidenceThreshold;
  const calls = input.calls.map((call, position): CallRecord => {
    const denied = run.mode === 'execute' && call.effect !== 'read' && !trusted;
    return {
      ...call,
      turn: run.turn,
      position,
      state: run.mode === 'resolve' ? 'resolved' : denied ? 'denied' : 'ready',
      attempt: 0,
      token: null,
      holder: null,
      held: false,
      result: null,
      error: denied
        ? {
            code: 'low_confidence',
            message: explainDenial(input),
          }
        : null,
    };
  });
  const outcome: RunOutcome = calls.length === 0 ? 'irrelevant' : 'calls';
  const resolved: RunRecord = {
    ...run,
    state: 'executing',
    token: null,
    holder: null,
    outcome,
    model: input.model,
    confidence: input.confidence,
    calls,
  };
  const events: NewEvent[] = [
    {
      type: 'turn.resolved',
      data: { turn: run.turn, model: input.model, confidence: input.confidence, outcome },
    },
  ];
  const offers = calls.filter((call) => call.state === 'ready').map((call) => call.id);
  return offers.length > 0 ? { run: resolved, events, offers } : join(resolved, events);
}

function explainDenial({ model, confidence, confidenceThreshold }: Input<'turn.resolve'>): string {
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

function failTurn(run: RunRecord, input: Input<'turn.fail'>): Step {
  if (run.state !== 'inferring' || run.token !== input.token) return { refused: 'fenced' };
  const retry = input.retryable && run.tries < MAX_ATTEMPTS;
  const failed: NewEvent = {
    type: 'turn.failed',
    data: { turn: run.turn, attempt: run.attempt, error: input.error, retry },
  };
  if (!retry) return end(run, [failed], input.error);
  return {
    run: { ...run, state: 'queued', token: null, holder: null },
    events: [failed],
    offers: [],
    dueInMs: 500 * 4 ** (run.tries - 1),
  };
}

function delayTurn(run: RunRecord, input: Input<'turn.delay'>): Step {
  if (run.state !== 'inferring' || run.token !== input.token) return { refused: 'fenced' };
  const { turn, attempt } = run;
  if (attempt - run.tries >= MAX_DELAYS) {
    return failTurn(run, { ...input, type: 'turn.fail', retryable: false });
  }
  return {
    run: { ...run, state: 'queued', tries: run.tries - 1, token: null, holder: null },
    events: [{ type: 'turn.delayed', data: { turn, attempt, error: input.error } }],
    offers: [],
    dueInMs: input.dueInMs,
  };
}

function claimCall(run: RunRecord, input: Input<'call.claim'>): Step {
  const call = run.calls.find(({ id }) => id === input.callId);
  if (!call) return { refused: 'no_such_call' };
  if (call.state === 'started') {
    if (call.token === input.token) return { run, events: [], offers: [] };
    if (call.held) return { refused: 'held' };
    if (call.effect === 'once') {
      return settle(run, call, {
        state: 'outcome_unknown',
        error: {
          code: 'outcome_unknown',
          message:
            'The process that made this call died before it recorded what came of it. It is not made again: ' +
            'look at the tool for its Idempotency-Key, the id of the call.',
        },
      });
    }
    if (call.attempt >= MAX_ATTEMPTS) {
      return settle(run, call, {
        state: 'failed',
        error: {
          code: 'call_abandoned',
          message: `The call was started ${call.attempt} times and no process lived to settle it.`,
        },
      });
    }
  } else if (call.state !== 'ready') return { refused: 'settled' };
  const attempt = call.attempt + 1;
  const started: CallRecord = {
    ...call,
    state: 'started',
    attempt,
    token: input.token,
    holder: input.holder,
  };
  return {
    run: withCall(run, started),
    events: [{ type: 'call.claimed', data: { callId: call.id, name: call.name, attempt } }],
    offers: [],
  };
}

function releaseCall(run: RunRecord, input: Input<'call.release'>): Step {
  const call = run.calls.find(({ id }) => id === input.callId);
  if (!call) return { refused: 'no_such_call' };
  if (call.state !== 'started' || call.token !== input.token) return { refused: 'fenced' };
  return {
    run: withCall(run, { ...call, state: 'ready', token: null, holder: null }),
    events: [{ type: 'call.released', data: { callId: call.id, name: call.name } }],
    offers: [call.id],
  };
}

function settleCall(run: RunRecord, input: Input<'call.settle'>): Step {
  const call = run.calls.find(({ id }) => id === input.callId);
  if (!call) return { refused: 'no_such_call' };
  if (call.token !== input.token) return { refused: 'fenced' };
  if (call.state !== 'started') return { refused: 'settled' };
  return settle(run, call, input.result);
}

function settle(run: RunRecord, call: CallRecord, came: CallResult): Step {
  const settled: CallRecord = {
    ...call,
    state: came.state,
    holder: null,
    result: came.state === 'succeeded' ? came.result : null,
    error: came.state === 'succeeded' ? null : came.error,
  };
  const events: NewEvent[] = [
    { type: 'call.settled', data: { callId: call.id, name: call.name, state: settled.state } },
  ];
  return join(withCall(run, settled), events);
}

/** Ends the run once every call of its turn has settled; a call that did not succeed fails it. */
function join(run: RunRecord, events: NewEvent[]): Step {
  if (run.calls.some(({ state }) => state === 'ready' || state === 'started')) {
    return { run, events, offers: [] };
  }
  // What nobody knows is worse than what is known to have failed: it is named first.
  const bad =
    run.calls.find(({ state }) => state === 'outcome_unknown') ??
    run.calls.find(({ error }) => error !== null);
  return end(
    run,
    events,
    bad?.error ? { ...bad.error, message: `${bad.name}: ${bad.error.message}` } : null,
  );
}

function end(run: RunRecord, events: NewEvent[], error: RunRecord['error']): Step {
  const state: RunState = error ? 'failed' : 'succeeded';
  return {
    run: { ...run, state, token: null, holder: null, error },
    events: [...events, { type: 'run.ended', data: { state, outcome: run.outcome, error } }],
    offers: [],
  };
}

function withCall(run: RunRecord, changed: CallRecord): RunRecord {
  return { ...run, calls: run.calls.map((call) => (call.id === changed.id ? changed : call)) };
}
