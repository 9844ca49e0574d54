import type { ErrorRecord, RunState } from '#libs/contracts';
import type { Hinted, Moved, NewEvent } from './inputs.js';
import { isOpen, type CallRecord, type RunRecord } from './records.js';

type EndState = Extract<RunState, 'succeeded' | 'failed' | 'cancelled' | 'expired'>;

export function moved(run: RunRecord, events: NewEvent[], hints: Hinted[] = []): Moved {
  return { run, events, hints };
}

/** The input was taken before, and only its answer was lost. What its hints offered is left to the sweep. */
export function again(run: RunRecord): Moved {
  return moved(run, []);
}

export function withCall(run: RunRecord, changed: CallRecord): RunRecord {
  return { ...run, calls: run.calls.map((call) => (call.id === changed.id ? changed : call)) };
}

/** Ends the run. The events so far come before its last. */
export function finish(
  run: RunRecord,
  state: EndState,
  error: ErrorRecord | null,
  events: readonly NewEvent[] = [],
): Moved {
  const { outcome } = run;
  const ended: NewEvent = { type: 'run.ended', data: { state, outcome, error } };
  return moved({ ...run, state, holder: null, error }, [...events, ended]);
}

/**
 * Goes on where nothing of the turn is open any more: to the next turn, or to the end. A run that is being ended waits
 * only for calls that are in work.
 */
export function join(run: RunRecord, events: NewEvent[], hints: Hinted[] = []): Moved {
  if (run.state === 'cancelling' || run.state === 'expiring') {
    if (run.calls.some(({ state }) => state === 'started')) return moved(run, events);
    return finish(run, run.state === 'cancelling' ? 'cancelled' : 'expired', run.error, events);
  }
  if (run.calls.some(isOpen)) return moved(run, events, hints);
  return run.until === 'answer' ? nextTurn(run, events) : finishWithCalls(run, events);
}

function finishWithCalls(run: RunRecord, events: NewEvent[]): Moved {
  const bad = run.calls.find(({ error }) => error !== null);
  if (!bad?.error) return finish(run, 'succeeded', null, events);
  const { code, message } = bad.error;
  return finish(run, 'failed', { code, message: `${bad.name}: ${message}` }, events);
}

/**
 * The results go back to the model, failures too: what to make of them is its to say. The record keeps the calls of the
 * turn that ends, so that the last change of one is written; the next reading of the row leaves them out.
 */
function nextTurn(run: RunRecord, events: NewEvent[]): Moved {
  const { turns, tokens } = run.budget;
  const spent =
    run.turn >= turns
      ? `The model was asked ${run.turn} times`
      : run.tokens >= tokens
        ? `The model read and wrote ${run.tokens} tokens`
        : undefined;
  if (spent !== undefined) {
    const message = `${spent} and has not come to an answer; the run's budget is spent.`;
    return finish(run, 'failed', { code: 'budget_spent', message }, events);
  }
  return moved(
    { ...run, state: 'queued', turn: run.turn + 1, attempt: 0, tries: 0, due: true },
    events,
    [{ kind: 'turn', dueInMs: 0 }],
  );
}
