import type { ErrorRecord } from '#libs/contracts';
import type { RunInput, Step } from './inputs.js';
import { again, finish, join } from './moves.js';
import type { RunRecord } from './records.js';

type Input<T extends RunInput['type']> = Extract<RunInput, { type: T }>;

export function cancelRun(run: RunRecord, { by }: Input<'run.cancel'>): Step {
  return wind(run, 'cancelling', { code: 'cancelled', message: `Cancelled by ${by}.` });
}

export function expireRun(run: RunRecord): Step {
  if (run.msLeft > 0) return { refused: 'not_due' };
  const unknown = run.calls.find(({ state }) => state === 'outcome_unknown');
  const message = unknown
    ? `Its deadline passed, and nobody had found out what became of ${unknown.name}.`
    : 'Its deadline passed.';
  return wind(run, 'expiring', { code: 'expired', message });
}

/** Asked to end what is ending. */
export function endAgain(run: RunRecord): Step {
  return again(run);
}

/** Lets nothing new start, and ends the run as soon as nothing is in work. */
function wind(run: RunRecord, state: 'cancelling' | 'expiring', error: ErrorRecord): Step {
  // What the model does has no effect: nobody waits for it, and its answer will be fenced.
  if (run.state !== 'executing') {
    return finish(run, state === 'cancelling' ? 'cancelled' : 'expired', error);
  }
  const calls = run.calls.map((call) =>
    call.state === 'ready' || call.state === 'awaiting_approval'
      ? { ...call, state: 'cancelled' as const, error }
      : call,
  );
  const wound = join({ ...run, state, error, calls }, []);
  if (wound.events.length > 0) return wound;
  const type = state === 'cancelling' ? 'run.cancelling' : 'run.expiring';
  return { ...wound, events: [{ type, data: { error } }] };
}
