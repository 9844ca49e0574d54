import { describe, expect, it } from 'vitest';
import { acceptedRun } from '../../../../test/support/explore-runs.js';
import {
  after,
  AVERAGE,
  claimCall,
  claimTurn,
  due,
  failed,
  heldBy,
  planned,
  resolveTo,
  resolveTurn,
  settleCall,
} from '../../../../test/support/take-inputs.js';
import { MAX_DELAYS, MAX_TRIES, reduce, type RunInput } from './index.js';

const queued = acceptedRun();
const error = { code: 'model_failed', message: 'no' } as const;
const fail = (retryable = true): RunInput => ({ type: 'turn.fail', token: 't1', error, retryable });
const delay = (dueInMs = 0): RunInput => ({ type: 'turn.delay', token: 't1', error, dueInMs });

describe('a claim of a turn', () => {
  it('has one winner while its holder lives', () => {
    const { run, events } = after(queued, claimTurn());
    expect(run).toMatchObject({ state: 'inferring', attempt: 1, tries: 1, token: 't1' });
    expect(events).toEqual([{ type: 'turn.claimed', data: { turn: 1, attempt: 1 } }]);
    expect(reduce(run, claimTurn('t2'), AVERAGE)).toEqual({ refused: 'held' });
  });

  it('is granted again without a second event when only its answer was lost', () => {
    const { run } = after(queued, claimTurn());
    expect(reduce(run, claimTurn(), AVERAGE)).toEqual({ run, events: [], hints: [] });
  });

  it('takes over from a dead holder, whose late answer is fenced', () => {
    const { run } = after(queued, claimTurn());
    const taken = after(heldBy('nobody', run), claimTurn('t2')).run;
    expect(taken).toMatchObject({ attempt: 2, token: 't2', held: true });
    const late = resolveTo([planned('a')]);
    expect(reduce(taken, late, AVERAGE)).toEqual({ refused: 'fenced' });
    expect(reduce(taken, fail(), AVERAGE)).toEqual({ refused: 'fenced' });
    expect(reduce(taken, delay(), AVERAGE)).toEqual({ refused: 'fenced' });
  });

  it('waits until the turn is due', () => {
    expect(reduce({ ...queued, due: false }, claimTurn(), AVERAGE)).toEqual({ refused: 'not_due' });
  });

  it('is the last when every process that took the turn has died', () => {
    let run = queued;
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      run = heldBy('nobody', after(run, claimTurn(`t${tries}`)).run);
    }
    expect(after(run, claimTurn('last')).run).toMatchObject({
      state: 'failed',
      attempt: MAX_TRIES,
      error: { code: 'turn_abandoned' },
    });
  });

  it('ends a run whose deadline has passed', () => {
    const { run } = after({ ...queued, msLeft: -1 }, claimTurn());
    expect(run).toMatchObject({ state: 'expired', attempt: 0, error: { code: 'expired' } });
  });
});

describe('a turn that failed', () => {
  it('is tried again after a while that chance varies and that grows', () => {
    const claimed = after(queued, claimTurn()).run;
    const waits = [0, 0.5, 0.999].map((chance) => {
      const step = reduce(claimed, fail(), () => chance);
      return step.refused ? undefined : step.hints;
    });
    expect(waits).toEqual(
      [250, 500, 750].map((dueInMs) => [{ kind: 'turn', dueInMs: expect.closeTo(dueInMs, -1) }]),
    );
    const first = after(claimed, fail());
    expect(first.run).toMatchObject({ state: 'queued', due: false, tries: 1, holder: null });
    expect(after(due(first.run), claimTurn(), fail()).hints).toEqual([
      { kind: 'turn', dueInMs: 2_000 },
    ]);
  });

  it('ends the run when its tries are spent, or no retry mends it, or its deadline is nearer', () => {
    const ended = { state: 'failed', error: { code: 'model_failed' } };
    const last = after({ ...queued, tries: MAX_TRIES - 1 }, claimTurn(), fail());
    expect(last.run).toMatchObject(ended);
    expect(last.events.map(({ type }) => type)).toEqual(['turn.failed', 'run.ended']);
    expect(after(queued, claimTurn(), fail(false)).run).toMatchObject(ended);
    expect(after({ ...queued, msLeft: 400 }, claimTurn(), fail()).run).toMatchObject(ended);
  });
});

describe('a turn that is handed back', () => {
  it('waits as long as its holder says and spends no try, however often', () => {
    let run = queued;
    for (let round = 1; round <= 2 * MAX_TRIES; round += 1) {
      const step = after(due(run), claimTurn(), delay(70));
      expect(step.hints).toEqual([{ kind: 'turn', dueInMs: 70 }]);
      expect(step.events).toEqual([
        { type: 'turn.delayed', data: { turn: 1, attempt: round, error } },
      ]);
      run = step.run;
    }
    expect(run).toMatchObject({ state: 'queued', attempt: 2 * MAX_TRIES, tries: 0, due: false });
  });

  it('a thousand times has failed: nothing goes round for ever', () => {
    const often = { ...queued, attempt: MAX_DELAYS - 1 };
    const last = after(often, claimTurn(), delay()).run;
    expect(last).toMatchObject({ state: 'queued', attempt: MAX_DELAYS, tries: 0 });
    const { run, events } = after(last, claimTurn(), delay());
    expect(run).toMatchObject({ state: 'failed', error });
    expect(events.map(({ type }) => type)).toEqual(['turn.failed', 'run.ended']);
  });
});

describe('an answer', () => {
  it('of no call is irrelevant in the first turn, and the end of the answer after calls', () => {
    const nothing = resolveTurn({ outcome: 'irrelevant', text: 'No tool fits.' });
    expect(after(queued, claimTurn(), nothing).run).toMatchObject({
      state: 'succeeded',
      outcome: 'irrelevant',
      reply: { text: 'No tool fits.' },
    });
    const second = acceptedRun({ until: 'answer', turn: 2 });
    expect(after(second, claimTurn(), nothing).run).toMatchObject({
      state: 'succeeded',
      outcome: 'answer',
    });
  });

  it('that asks back names what is missing, and is a success', () => {
    const missing = { tool: 'book', parameters: ['date'] };
    const asks = resolveTurn({ outcome: 'needs_input', text: 'When?', missing });
    expect(after(queued, claimTurn(), asks).run).toMatchObject({
      state: 'succeeded',
      outcome: 'needs_input',
      reply: { text: 'When?', missing },
      error: null,
    });
  });

  it('in mode resolve is pinned and never offered', () => {
    const resolving = acceptedRun({ mode: 'resolve' });
    const step = after(resolving, claimTurn(), resolveTo([planned('a', { effect: 'once' })]));
    expect(step.hints).toEqual([]);
    expect(step.run).toMatchObject({ state: 'succeeded', calls: [{ state: 'resolved' }] });
  });

  it('of which the model is unsure executes reads; effects are denied or a person decides', () => {
    const unsure = resolveTo(
      [
        planned('r', { approval: 'unsure' }),
        planned('i', { effect: 'idempotent' }),
        planned('o', { effect: 'once', approval: 'unsure' }),
        planned('a', { effect: 'read', approval: 'always' }),
      ],
      { confidence: 0.5 },
    );
    const { run, hints } = after(
      acceptedRun({ budget: { ...queued.budget, calls: 4 } }),
      claimTurn(),
      unsure,
    );
    const states = ['ready', 'denied', 'awaiting_approval', 'awaiting_approval'];
    expect(run.calls.map(({ state }) => state)).toEqual(states);
    expect(hints).toEqual([{ kind: 'call', callId: 'r', dueInMs: 0 }]);
  });

  it('says what holds a call back: its own confidence, or a model that nobody calibrated', () => {
    const denied = (confidenceThreshold: number) =>
      after(
        queued,
        claimTurn(),
        resolveTo([planned('o', { effect: 'once' })], { confidence: 0.5, confidenceThreshold }),
      ).run;
    expect(denied(0.85)).toMatchObject({ state: 'failed', error: { code: 'low_confidence' } });
    expect(denied(0.85).error?.message).toContain('Confidence 0.50 is not above 0.85');
    expect(denied(1).error?.message).toMatch(/is not calibrated.*confidenceThreshold/);
  });

  it('that goes in circles does nothing twice: what has succeeded is not made again unasked', () => {
    const calls = [planned('r'), planned('o', { effect: 'once' })];
    const answer = resolveTo(calls);
    if (answer.type !== 'turn.resolve' || answer.answer.outcome !== 'calls') throw new Error();
    const repeated = { ...answer, answer: { ...answer.answer, repeated: ['r', 'o'] } };
    const { run } = after(queued, claimTurn(), repeated);
    expect(run.calls.map(({ state }) => state)).toEqual(['ready', 'denied']);
    expect(run.calls[1]?.error).toMatchObject({ code: 'low_confidence' });
  });

  it('that comes twice changes nothing, also when the run has moved on since', () => {
    const executing = after(queued, claimTurn(), resolveTo([planned('a')])).run;
    const ended = after(executing, claimCall('a'), settleCall('a')).run;
    for (const run of [executing, ended]) {
      expect(reduce(run, resolveTo([planned('other')]), AVERAGE)).toEqual({
        run,
        events: [],
        hints: [],
      });
    }
  });
});

describe('a run until it has an answer', () => {
  const answering = acceptedRun({ until: 'answer' });
  const oneCall = after(answering, claimTurn(), resolveTo([planned('a')]), claimCall('a')).run;

  it('gives the results back to the model, failures too, with fresh tries', () => {
    const { run, events, hints } = after(oneCall, settleCall('a', failed()));
    expect(run).toMatchObject({ state: 'queued', turn: 2, attempt: 0, tries: 0, callsMade: 1 });
    expect(events.map(({ type }) => type)).toEqual(['call.settled']);
    expect(hints).toEqual([{ kind: 'turn', dueInMs: 0 }]);
    const answer = resolveTurn({ outcome: 'answer', text: 'Done.' }, { token: 't2' });
    expect(after({ ...run, calls: [] }, claimTurn('t2'), answer).run).toMatchObject({
      state: 'succeeded',
      outcome: 'answer',
      tokens: 200,
    });
  });

  it('fails when its turns, calls or tokens are spent', () => {
    const spent = { state: 'failed', error: { code: 'budget_spent' } };
    const last = { ...oneCall, turn: answering.budget.turns };
    expect(after(last, settleCall('a')).run).toMatchObject(spent);
    const dear = { ...oneCall, tokens: answering.budget.tokens };
    expect(after(dear, settleCall('a')).run).toMatchObject(spent);
    const many = resolveTo(['a', 'b', 'c'].map((id) => planned(id)));
    expect(after(answering, claimTurn(), many).run).toMatchObject({ ...spent, calls: [] });
  });
});
