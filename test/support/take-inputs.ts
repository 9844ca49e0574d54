import type { CallResult } from '#libs/contracts';
import {
  reduce,
  type Moved,
  type PlannedCall,
  type Random,
  type RunInput,
  type RunRecord,
} from '../../libs/runs/src/reducer/index.js';

type Resolve = Extract<RunInput, { type: 'turn.resolve' }>;

/** No more and no less than a retry's usual wait. */
export const AVERAGE: Random = () => 0.5;

/** Takes the inputs one after another, each of which must be taken; the events and hints are the last one's. */
export function after(run: RunRecord, ...inputs: RunInput[]): Moved {
  let taken: Moved = { run, events: [], hints: [] };
  for (const input of inputs) {
    const step = reduce(taken.run, input, AVERAGE);
    if (step.refused) throw new Error(`${input.type} was refused: ${step.refused}`);
    taken = step;
  }
  return taken;
}

/** The run as the ledger reads it when every holder is dead, or alive. */
export function heldBy(whom: 'nobody' | 'the living', run: RunRecord): RunRecord {
  const held = whom === 'the living';
  return {
    ...run,
    held: held && run.holder !== null,
    calls: run.calls.map((call) => ({ ...call, held: held && call.holder !== null })),
  };
}

/** The run as the ledger reads it when all that waited is due. */
export function due(run: RunRecord): RunRecord {
  return { ...run, due: true, calls: run.calls.map((call) => ({ ...call, due: true })) };
}

export function planned(id: string, more: Partial<PlannedCall> = {}): PlannedCall {
  return {
    id,
    name: `tool_${id}`,
    arguments: { n: 1 },
    effect: 'read',
    approval: 'never',
    hasProbe: false,
    ...more,
  };
}

export function claimTurn(token = 't1'): RunInput {
  return { type: 'turn.claim', holder: 'p1', token };
}

export function resolveTurn(answer: Resolve['answer'], more: Partial<Resolve> = {}): Resolve {
  return {
    type: 'turn.resolve',
    token: 't1',
    model: 'm',
    confidence: 0.9,
    confidenceThreshold: 0.5,
    tokens: 100,
    answer,
    ...more,
  };
}

export function resolveTo(calls: PlannedCall[], more: Partial<Resolve> = {}): Resolve {
  return resolveTurn({ outcome: 'calls', calls }, more);
}

export function claimCall(callId: string, token = 'c1'): RunInput {
  return { type: 'call.claim', callId, holder: 'e1', token };
}

export function settleCall(
  callId: string,
  result: CallResult = { state: 'succeeded', result: 42 },
  token = 'c1',
): RunInput {
  return { type: 'call.settle', callId, token, result };
}

/** What a call came to that did not succeed. */
export function failed(mayRetry?: 'not_sent' | 'transient'): CallResult {
  const error = { code: 'tool_failed', message: 'HTTP 500' } as const;
  return mayRetry ? { state: 'failed', error, mayRetry } : { state: 'failed', error };
}

export function unknown(): CallResult {
  return { state: 'outcome_unknown', error: { code: 'outcome_unknown', message: 'reset' } };
}
