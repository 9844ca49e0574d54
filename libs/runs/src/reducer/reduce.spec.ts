import type { CallResult } from '#libs/contracts';
import { describe, expect, it } from 'vitest';
import {
  MAX_ATTEMPTS,
  MAX_DELAYS,
  reduce,
  type RunInput,
  type RunRecord,
  type Step,
} from './reducer.js';

const queued: RunRecord = {
  id: 'run',
  tenantId: 'tenant',
  state: 'queued',
  version: 1,
  mode: 'execute',
  mask: 'auto',
  toolsetHash: 'hash',
  traceparent: '',
  turn: 1,
  attempt: 0,
  tries: 0,
  token: null,
  holder: null,
  held: false,
  due: true,
  outcome: null,
  model: null,
  confidence: null,
  error: null,
  calls: [],
};

const succeeded: CallResult = { state: 'succeeded', result: 42 };
const planned = (id: string, effect: 'read' | 'idempotent' | 'once') => ({
  id,
  name: `tool_${id}`,
  arguments: { n: 1 },
  effect,
});

/** Takes the inputs one after another; every one of them must change the run. */
function after(run: RunRecord, ...inputs: RunInput[]): Extract<Step, { refused?: undefined }> {
  let taken: Extract<Step, { refused?: undefined }> = { run, events: [], offers: [] };
  for (const input of inputs) {
    const step = reduce(taken.run, input);
    if (step.refused) throw new Error(`${input.type} was refused: ${step.refused}`);
    taken = step;
  }
  return taken;
}

const claim = (token = 't1'): RunInput => ({ type: 'turn.claim', holder: 'p1', token });
const resolve = (
  calls: ReturnType<typeof planned>[],
  confidence = 0.9,
  token = 't1',
): Extract<RunInput, { type: 'turn.resolve' }> => ({
  type: 'turn.resolve',
  token,
  model: 'm',
  confidence,
  confidenceThreshold: 0.5,
  calls,
});
const claimCall = (callId: string, token = 'c1', holder = 'e1'): RunInput => ({
  type: 'call.claim',
  callId,
  holder,
  token,
});
const settle = (callId: string, result: CallResult = succeeded, token = 'c1'): RunInput => ({
  type: 'call.settle',
  callId,
  token,
  result,
});
const dead = (run: RunRecord): RunRecord => ({
  ...run,
  held: false,
  calls: run.calls.map((call) => ({ ...call, held: false })),
});
const alive = (run: RunRecord): RunRecord => ({
  ...run,
  held: true,
  calls: run.calls.map((call) => ({ ...call, held: call.state === 'started' })),
});

describe('a turn', () => {
  it('is claimed once; a second holder is refused while the first lives', () => {
    const { run } = after(queued, claim());
    expect(run).toMatchObject({ state: 'inferring', attempt: 1, token: 't1', holder: 'p1' });
    expect(reduce(alive(run), claim('t2'))).toEqual({ refused: 'held' });
  });

  it('is claimed again without a second event when the answer to the first commit was lost', () => {
    const { run } = after(queued, claim());
    expect(reduce(alive(run), claim())).toEqual({ run: alive(run), events: [], offers: [] });
  });

  it('is taken over from a dead holder, whose late answer is then fenced', () => {
    const { run } = after(queued, claim());
    const taken = after(dead(run), claim('t2')).run;
    expect(taken).toMatchObject({ attempt: 2, token: 't2' });
    expect(reduce(taken, resolve([planned('a', 'read')]))).toEqual({ refused: 'fenced' });
  });

  it('waits until it is due', () => {
    expect(reduce({ ...queued, due: false }, claim())).toEqual({ refused: 'not_due' });
  });

  it('goes back with a growing delay on a retryable failure, and ends the run on the last one', () => {
    const fail: RunInput = {
      type: 'turn.fail',
      token: 't1',
      error: { code: 'model_failed', message: 'no' },
      retryable: true,
    };
    const delays: (number | undefined)[] = [];
    let run = queued;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const step = after(run, claim(), fail);
      delays.push(step.dueInMs);
      run = step.run;
    }
    expect(delays.slice(0, -1)).toEqual([500, 2_000]);
    expect(run).toMatchObject({ state: 'failed', error: { code: 'model_failed' } });
  });

  it('ends the run at once on a failure that no retry mends', () => {
    const { run, events } = after(queued, claim(), {
      type: 'turn.fail',
      token: 't1',
      error: { code: 'context_overflow', message: 'too long' },
      retryable: false,
    });
    expect(run.state).toBe('failed');
    expect(events.map(({ type }) => type)).toEqual(['turn.failed', 'run.ended']);
  });

  it('that kills every process which takes it is given up', () => {
    let run = queued;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      run = dead(after(run, claim(`t${attempt}`)).run);
    }
    expect(after(run, claim('last')).run).toMatchObject({
      state: 'failed',
      error: { code: 'turn_abandoned' },
    });
  });
});

describe('a turn that is handed back', () => {
  const delay = (token = 't1'): RunInput => ({
    type: 'turn.delay',
    token,
    error: { code: 'model_unavailable', message: 'away' },
    dueInMs: 0,
  });

  it('waits again, says why, and may be claimed at once', () => {
    const step = after(queued, claim(), delay());
    expect(step).toMatchObject({ dueInMs: 0, run: { state: 'queued', token: null, holder: null } });
    expect(step.events).toEqual([
      {
        type: 'turn.delayed',
        data: { turn: 1, attempt: 1, error: { code: 'model_unavailable', message: 'away' } },
      },
    ]);
  });

  it('spends no try, however often: the budget is left for what fails or kills', () => {
    let run = queued;
    for (let round = 1; round <= 2 * MAX_ATTEMPTS; round += 1)
      run = after(run, claim(), delay()).run;
    expect(run).toMatchObject({ attempt: 2 * MAX_ATTEMPTS, tries: 0 });
    for (let round = 1; round <= MAX_ATTEMPTS; round += 1) {
      run = dead(after(run, claim(`t${round}`)).run);
    }
    expect(after(run, claim('last')).run.error?.code).toBe('turn_abandoned');
  });

  it('a thousand times has failed: nothing goes round for ever', () => {
    const often = { ...queued, attempt: MAX_DELAYS - 1 };
    const last = after(often, claim(), delay()).run;
    expect(last).toMatchObject({ state: 'queued', attempt: MAX_DELAYS, tries: 0 });
    const { run, events } = after(last, claim(), delay());
    expect(run).toMatchObject({ state: 'failed', error: { code: 'model_unavailable' } });
    expect(events.map(({ type }) => type)).toEqual(['turn.failed', 'run.ended']);
  });

  it('is refused to a holder that lost it', () => {
    const { run } = after(queued, claim());
    expect(reduce(run, delay('another'))).toEqual({ refused: 'fenced' });
    expect(reduce(queued, delay())).toEqual({ refused: 'fenced' });
  });
});

describe('what the model answered', () => {
  it('with no calls is irrelevant, and a success', () => {
    expect(after(queued, claim(), resolve([])).run).toMatchObject({
      state: 'succeeded',
      outcome: 'irrelevant',
    });
  });

  it('in mode resolve is pinned and never offered', () => {
    const step = after({ ...queued, mode: 'resolve' }, claim(), resolve([planned('a', 'once')]));
    expect(step.offers).toEqual([]);
    expect(step.run).toMatchObject({ state: 'succeeded', calls: [{ state: 'resolved' }] });
  });

  it('below the confidence threshold executes nothing but reads', () => {
    const step = after(
      queued,
      claim(),
      resolve([planned('r', 'read'), planned('i', 'idempotent'), planned('o', 'once')], 0.5),
    );
    expect(step.offers).toEqual(['r']);
    expect(step.run.calls.map(({ state }) => state)).toEqual(['ready', 'denied', 'denied']);
    const ended = after(step.run, claimCall('r'), settle('r')).run;
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'low_confidence' } });
  });

  it('says what holds a call back: its own confidence, or a model that nobody calibrated', () => {
    const denied = (confidenceThreshold: number) =>
      after(queued, claim(), {
        ...resolve([planned('o', 'once')], 0.5),
        confidenceThreshold,
      }).run.error?.message;
    expect(denied(0.85)).toContain('Confidence 0.50 is not above 0.85');
    expect(denied(1)).toMatch(/is not calibrated.*confidenceThreshold/);
  });

  it('ends the run at once when every call is denied', () => {
    expect(after(queued, claim(), resolve([planned('o', 'once')], 0.1)).run).toMatchObject({
      state: 'failed',
      error: { code: 'low_confidence' },
    });
  });
});

describe('calls', () => {
  const { run: executing } = after(
    queued,
    claim(),
    resolve([planned('a', 'idempotent'), planned('b', 'once')]),
  );

  it('end the run only when the last of them has settled', () => {
    const first = after(executing, claimCall('a'), settle('a')).run;
    expect(first.state).toBe('executing');
    const { run, events } = after(first, claimCall('b'), settle('b'));
    expect(run).toMatchObject({ state: 'succeeded', outcome: 'calls' });
    expect(events.map(({ type }) => type)).toEqual(['call.settled', 'run.ended']);
  });

  it('that fail are results: the others still run, and the run names the failure', () => {
    const failed: CallResult = {
      state: 'failed',
      error: { code: 'tool_failed', message: 'HTTP 404' },
    };
    const { run } = after(
      executing,
      claimCall('a'),
      settle('a', failed),
      claimCall('b'),
      settle('b'),
    );
    expect(run).toMatchObject({
      state: 'failed',
      error: { code: 'tool_failed', message: 'tool_a: HTTP 404' },
      calls: [{ state: 'failed' }, { state: 'succeeded', result: 42 }],
    });
  });

  it('have one holder; the second is refused while the first lives', () => {
    const { run } = after(executing, claimCall('b'));
    expect(reduce(alive(run), claimCall('b', 'c2', 'e2'))).toEqual({ refused: 'held' });
  });

  it('with effect once that a crash interrupted end as outcome_unknown and are never made again', () => {
    const { run } = after(executing, claimCall('b'));
    const step = after(dead(run), claimCall('b', 'c2', 'e2'));
    expect(step.run.calls[1]).toMatchObject({ state: 'outcome_unknown', attempt: 1 });
    expect(step.run.calls[1]?.token).not.toBe('c2');
    expect(reduce(step.run, claimCall('b', 'c3'))).toEqual({ refused: 'settled' });
  });

  it('with another effect are taken over from a dead holder, whose late result is fenced', () => {
    const { run } = after(executing, claimCall('a'));
    const taken = after(dead(run), claimCall('a', 'c2', 'e2')).run;
    expect(taken.calls[0]).toMatchObject({ state: 'started', attempt: 2, token: 'c2' });
    expect(reduce(taken, settle('a'))).toEqual({ refused: 'fenced' });
  });

  it('that kill every process which takes them are given up', () => {
    let run = executing;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      run = dead(after(run, claimCall('a', `c${attempt}`)).run);
    }
    expect(after(run, claimCall('a', 'last')).run.calls[0]).toMatchObject({
      state: 'failed',
      error: { code: 'call_abandoned' },
    });
  });

  it('released by a holder that doubts itself can be taken again, even with effect once', () => {
    const step = after(executing, claimCall('b'), {
      type: 'call.release',
      callId: 'b',
      token: 'c1',
    });
    expect(step.offers).toEqual(['b']);
    expect(after(step.run, claimCall('b', 'c2')).run.calls[1]).toMatchObject({
      state: 'started',
      attempt: 2,
    });
  });

  it('settled by someone else are not granted again to the claim whose answer was lost', () => {
    const { run } = after(executing, claimCall('b'));
    const unknown = after(dead(run), claimCall('b', 'c2', 'e2')).run;
    expect(reduce(unknown, claimCall('b'))).toEqual({ refused: 'settled' });
  });

  it('whose outcome nobody knows are named first in the run’s error', () => {
    const failed: CallResult = { state: 'failed', error: { code: 'tool_failed', message: 'no' } };
    const first = after(executing, claimCall('a'), settle('a', failed), claimCall('b')).run;
    expect(after(dead(first), claimCall('b', 'c2')).run.error?.code).toBe('outcome_unknown');
  });

  it('settle once: a second result changes nothing', () => {
    const { run } = after(executing, claimCall('a'), settle('a'));
    expect(reduce(run, settle('a', { ...succeeded, result: 43 }))).toEqual({ refused: 'settled' });
  });
});

it('nothing changes a run that has ended', () => {
  const ended = after(queued, claim(), resolve([])).run;
  const inputs: RunInput[] = [claim('t9'), resolve([]), claimCall('a'), settle('a')];
  for (const input of inputs) expect(reduce(ended, input)).toEqual({ refused: 'ended' });
});

it('no input changes the record it was given', () => {
  const frozen = Object.freeze({ ...queued, calls: [] });
  expect(() => after(frozen, claim(), resolve([planned('a', 'read')]))).not.toThrow();
});
