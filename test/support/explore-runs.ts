import type { CallState } from '#libs/contracts';
import {
  argumentsHash,
  reduce,
  type CallRecord,
  type PlannedCall,
  type RunInput,
  type RunRecord,
  type Step,
} from '../../libs/runs/src/reducer/index.js';

/** A transition that the reducer made. */
export interface Seen {
  before: RunRecord;
  input: RunInput;
  step: Step;
}

const HOLDER = 'process';

/** Claims after which nothing is handed back or wanted again any more: nothing else would end that. */
const MOST = 2;

/** What every run begins with. */
export const FRESH = {
  state: 'queued',
  version: 1,
  turn: 1,
  attempt: 0,
  tries: 0,
  token: null,
  holder: null,
  outcome: null,
  model: null,
  confidence: null,
  reply: null,
  error: null,
  callsMade: 0,
  tokens: 0,
} as const satisfies Partial<RunRecord>;

/** A run that was just accepted. */
export function acceptedRun(more: Partial<RunRecord> = {}): RunRecord {
  return {
    id: 'run',
    tenantId: 'tenant',
    ...FRESH,
    mode: 'execute',
    until: 'calls',
    budget: { turns: 2, calls: 2, tokens: 1_000 },
    mask: 'auto',
    priority: 0,
    cost: 1,
    toolsetHash: 'hash',
    traceparent: '',
    calls: [],
    held: false,
    due: true,
    msLeft: 60_000,
    ...more,
  };
}

/**
 * Every transition of a small run: up to two turns of one call, and all that can happen to them, in any order, with the
 * holder alive or dead and before or after the deadline. Further, what can happen to two calls of which one is unknown.
 */
export function explore(): Seen[] {
  const seen: Seen[] = [];
  const known = new Set<string>();
  const open = [
    acceptedRun(),
    acceptedRun({ until: 'answer' }),
    acceptedRun({ mode: 'resolve' }),
    halfUnknown(),
  ];
  for (let run = open.pop(); run; run = open.pop()) {
    const all = inputs(run);
    for (const before of facts(run)) {
      for (const input of all) {
        const step = reduce(before, input, () => 0.5);
        seen.push({ before, input, step });
        if (step.refused) continue;
        const next = plain(step.run);
        const key = JSON.stringify(next);
        if (known.has(key)) continue;
        known.add(key);
        open.push(next);
      }
    }
  }
  return seen;
}

function halfUnknown(): RunRecord {
  const run = acceptedRun({ state: 'executing', attempt: 1, tries: 1, token: 'turn 1.1' });
  const call = (id: string, state: CallState, position: number): CallRecord => ({
    ...plan(run, { id, effect: 'once', hasProbe: true }),
    turn: 1,
    position,
    state,
    attempt: MOST,
    tries: MOST,
    token: `claim ${id}`,
    holder: HOLDER,
    asked: null,
    result: null,
    error: null,
    held: true,
    due: true,
  });
  return { ...run, calls: [call('a', 'outcome_unknown', 0), call('b', 'started', 1)] };
}

/**
 * Without what tells nothing of what may come: its number, what the ledger sees anew at each reading, calls of a turn that
 * is over, and how a turn that is answered came to its answer.
 */
export function plain(run: RunRecord): RunRecord {
  const calls = run.calls.map((call) => ({ ...call, held: false, due: true }));
  const anew = { ...run, version: 1, held: false, due: true, msLeft: 0, calls };
  if (run.state === 'queued') return { ...anew, calls: [] };
  if (run.calls.length === 0) return anew;
  return { ...anew, attempt: 1, tries: 1, token: `turn ${run.turn}.1` };
}

/** What the ledger may see when it reads the row. */
function facts(run: RunRecord): RunRecord[] {
  return [true, false].flatMap((held) =>
    [60_000, -1].flatMap((msLeft) =>
      [true, false].map((due) => ({
        ...run,
        held,
        due,
        msLeft,
        calls: run.calls.map((call) => ({ ...call, held, due })),
      })),
    ),
  );
}

function inputs(run: RunRecord): RunInput[] {
  const token = run.token ?? 'none';
  const error = { code: 'model_failed', message: '' } as const;
  const answered = { model: 'm', confidence: 0.9, confidenceThreshold: 0.5, tokens: 600 };
  const plans: Partial<PlannedCall>[] = [
    { effect: 'read' },
    { effect: 'once' },
    { effect: 'once', hasProbe: true },
    { effect: 'idempotent', approval: 'always' },
  ];
  const answers = [
    ...plans.map((more) => ({ outcome: 'calls' as const, calls: [plan(run, more)] })),
    { outcome: 'irrelevant' as const, text: '' },
    { outcome: 'answer' as const, text: '' },
    { outcome: 'needs_input' as const, text: '', missing: { tool: 't', parameters: ['p'] } },
  ];
  return [
    { type: 'run.cancel', by: 'somebody' },
    { type: 'run.expire' },
    { type: 'turn.claim', holder: HOLDER, token: `turn ${run.turn}.${run.attempt + 1}` },
    ...answers.map((answer) => ({ type: 'turn.resolve' as const, token, ...answered, answer })),
    { type: 'turn.fail', token, error, retryable: true },
    { type: 'turn.fail', token, error, retryable: false },
    { type: 'turn.fail', token: 'another', error, retryable: true },
    ...(run.attempt < MOST ? [{ type: 'turn.delay' as const, token, error, dueInMs: 10 }] : []),
    ...run.calls.flatMap((call) =>
      callInputs(call.id, call.attempt, call.token, argumentsHash(call)),
    ),
  ];
}

function plan(run: RunRecord, more: Partial<PlannedCall>): PlannedCall {
  return {
    id: `call ${run.turn}`,
    name: 'tool',
    arguments: { n: 1 },
    effect: 'read',
    approval: 'never',
    hasProbe: false,
    ...more,
  };
}

function callInputs(
  callId: string,
  attempt: number,
  last: string | null,
  hash: string,
): RunInput[] {
  const token = last ?? 'none';
  const by = 'somebody';
  const error = { code: 'tool_failed', message: '' } as const;
  const unknown = { state: 'outcome_unknown', error } as const;
  const succeeded = { state: 'succeeded', result: 1 } as const;
  return [
    { type: 'call.claim', callId, holder: HOLDER, token: `claim ${attempt + 1}` },
    { type: 'call.claim', callId, holder: HOLDER, token },
    { type: 'call.settle', callId, token, result: succeeded },
    { type: 'call.settle', callId, token, result: { state: 'failed', error } },
    {
      type: 'call.settle',
      callId,
      token,
      result: { state: 'failed', error, mayRetry: 'transient' },
    },
    { type: 'call.settle', callId, token, result: unknown },
    { type: 'call.settle', callId, token: 'another', result: succeeded },
    { type: 'call.probe', callId, found: succeeded },
    { type: 'call.probe', callId, found: { state: 'absent' } },
    { type: 'call.probe', callId, found: { state: 'unclear', reason: '' } },
    { type: 'call.approve', callId, by, argumentsHash: hash },
    { type: 'call.approve', callId, by, argumentsHash: 'another' },
    { type: 'call.deny', callId, by, argumentsHash: hash },
    { type: 'call.decide', callId, by, decision: succeeded },
    { type: 'call.decide', callId, by, decision: { state: 'failed' } },
    ...(attempt < MOST
      ? [
          { type: 'call.release' as const, callId, token },
          { type: 'call.decide' as const, callId, by, decision: { state: 'retry' as const } },
        ]
      : []),
  ];
}
