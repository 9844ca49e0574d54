import type { RunState } from '#libs/contracts';
import { describe, expect, it } from 'vitest';
import { acceptedRun } from '../../../../test/support/explore-runs.js';
import {
  after,
  AVERAGE,
  claimCall,
  claimTurn,
  failed,
  heldBy,
  planned,
  resolveTo,
  settleCall,
} from '../../../../test/support/take-inputs.js';
import { reduce, type RunInput, type RunRecord } from './index.js';

const cancel: RunInput = { type: 'run.cancel', by: 'Ada' };
const expire: RunInput = { type: 'run.expire' };
const inferring = after(acceptedRun(), claimTurn()).run;
const calls = [
  planned('a', { effect: 'once' }),
  planned('b', { effect: 'idempotent', approval: 'always' }),
];
const executing = after(inferring, resolveTo(calls)).run;
const started = after(executing, claimCall('a')).run;
const unsettled = after(heldBy('nobody', started), claimCall('a', 'other')).run;
const late = (run: RunRecord): RunRecord => ({ ...run, msLeft: -1 });

describe.each([
  ['cancelled', 'cancelling', cancel],
  ['expired', 'expiring', expire],
] as const)('a run that is to be %s', (end, ending, input) => {
  const told = (run: RunRecord) => after(late(run), input);

  it.each<[RunState, RunRecord]>([
    ['queued', acceptedRun()],
    ['inferring', inferring],
    ['executing', executing],
    ['executing', unsettled],
  ])('ends at once where it is %s and no call is in work', (state, run) => {
    expect(run.state).toBe(state);
    const { run: ended, events, hints } = told(run);
    expect(ended).toMatchObject({ state: end, holder: null, error: { code: end } });
    expect(events.map(({ type }) => type)).toEqual(['run.ended']);
    expect(hints).toEqual([]);
  });

  it('starts nothing any more and waits for what is in work, whose result counts', () => {
    const { run, events } = told(started);
    expect(run).toMatchObject({
      state: ending,
      calls: [{ state: 'started' }, { state: 'cancelled' }],
    });
    expect(events.map(({ type }) => type)).toEqual([`run.${ending}`]);
    expect(reduce(run, claimCall('b'), AVERAGE)).toEqual({ refused: 'ending' });
    expect(reduce(run, claimTurn('t2'), AVERAGE)).toEqual({ refused: 'ending' });
    expect(after(run, settleCall('a')).run).toMatchObject({
      state: end,
      calls: [{ state: 'succeeded', result: 42 }, { state: 'cancelled' }],
    });
  });

  it('tries nothing again, not even what was never sent', () => {
    const { run } = after(told(started).run, settleCall('a', failed('not_sent')));
    expect(run).toMatchObject({ state: end, calls: [{ state: 'failed' }, { state: 'cancelled' }] });
    const released = after(told(started).run, { type: 'call.release', callId: 'a', token: 'c1' });
    expect(released.run).toMatchObject({ state: end, calls: [{ state: 'cancelled' }, {}] });
  });

  it('ends when the holder of what is in work dies: a `once` call is then unknown', () => {
    const { run } = told(started);
    expect(reduce(run, claimCall('a', 'c2'), AVERAGE)).toEqual({ refused: 'held' });
    const left = after(heldBy('nobody', run), claimCall('a', 'c2')).run;
    expect(left).toMatchObject({ state: end, calls: [{ state: 'outcome_unknown' }, {}] });
    const read = after(after(inferring, resolveTo([planned('a')])).run, claimCall('a')).run;
    expect(after(heldBy('nobody', told(read).run), claimCall('a', 'c2')).run).toMatchObject({
      state: end,
      calls: [{ state: 'cancelled' }],
    });
  });

  it('does not wait for a claim whose answer was lost: who asks again has made no call, and makes none', () => {
    const { run } = after(told(started).run, claimCall('a'));
    expect(run).toMatchObject({ state: end, calls: [{ state: 'cancelled', token: null }, {}] });
  });

  it('goes on ending however often and in whichever way it is told to', () => {
    const { run } = told(started);
    for (const again of [cancel, expire]) {
      expect(reduce(late(run), again, AVERAGE)).toMatchObject({
        events: [],
        run: { state: ending },
      });
    }
  });

  it('keeps what an unknown call came to as evidence, told once, and nothing else', () => {
    const { run } = told(unsettled);
    expect(run.calls).toMatchObject([{ state: 'outcome_unknown' }, { state: 'cancelled' }]);
    const evident = after(run, settleCall('a'));
    expect(evident.run).toMatchObject({ state: end, calls: [{ state: 'outcome_unknown' }, {}] });
    expect(evident.events).toEqual([
      {
        type: 'call.evidence',
        data: { callId: 'a', name: 'tool_a', state: 'succeeded', result: 42 },
      },
    ]);
    expect(reduce(evident.run, settleCall('a'), AVERAGE)).toMatchObject({ events: [] });
    const other = settleCall('a', failed(), 'other');
    expect(reduce(run, other, AVERAGE)).toEqual({ refused: 'fenced' });
  });
});

it('a run does not expire before its deadline', () => {
  expect(reduce(executing, expire, AVERAGE)).toEqual({ refused: 'not_due' });
});

it('an ended run takes nothing', () => {
  const ended = after(inferring, resolveTo([])).run;
  const inputs = [cancel, expire, claimTurn('t9'), claimCall('a'), settleCall('a')];
  for (const input of inputs) {
    expect(reduce(late(ended), input, AVERAGE)).toEqual({ refused: 'ended' });
  }
});

it('no input changes the record that it is given', () => {
  const frozen = Object.freeze({
    ...started,
    calls: started.calls.map((call) => Object.freeze(call)),
  });
  Object.freeze(frozen.calls);
  expect(after(frozen, settleCall('a')).run).not.toBe(frozen);
  expect(after(frozen, cancel).run).not.toBe(frozen);
});
