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
  settleCall,
  unknown,
} from '../../../../test/support/take-inputs.js';
import { argumentsHash, MAX_TRIES, reduce, type PlannedCall, type RunRecord } from './index.js';

/** A run whose only turn came to these calls. */
function executing(...calls: PlannedCall[]): RunRecord {
  return after(acceptedRun(), claimTurn(), resolveTo(calls)).run;
}

const read = planned('a');
const once = planned('a', { effect: 'once' });
const idempotent = planned('a', { effect: 'idempotent' });
const probed = planned('a', { effect: 'once', hasProbe: true });

describe('a claim of a call', () => {
  it('has one winner while its holder lives, who may ask again', () => {
    const { run } = after(executing(once), claimCall('a'));
    expect(run.calls).toMatchObject([{ state: 'started', attempt: 1, token: 'c1', held: true }]);
    expect(reduce(run, claimCall('a', 'c2'), AVERAGE)).toEqual({ refused: 'held' });
    expect(reduce(run, claimCall('a'), AVERAGE)).toEqual({ run, events: [], hints: [] });
  });

  it('takes over from a dead holder, whose late result is fenced', () => {
    const { run } = after(executing(idempotent), claimCall('a'));
    const taken = after(heldBy('nobody', run), claimCall('a', 'c2')).run;
    expect(taken.calls).toMatchObject([{ state: 'started', attempt: 2, token: 'c2' }]);
    expect(reduce(taken, settleCall('a'), AVERAGE)).toEqual({ refused: 'fenced' });
  });

  it('of a `once` call whose holder died makes it unknown, never made again', () => {
    const { run } = after(executing(once), claimCall('a'));
    const step = after(heldBy('nobody', run), claimCall('a', 'c2'));
    expect(step.run).toMatchObject({
      state: 'executing',
      calls: [{ state: 'outcome_unknown', attempt: 1, token: 'c1' }],
    });
    expect(step.hints).toEqual([]);
    expect(reduce(step.run, claimCall('a', 'c3'), AVERAGE)).toEqual({ refused: 'settled' });
  });

  it('is not granted to a claim that was given up meanwhile, though its token is the last', () => {
    const { run } = after(executing(probed), claimCall('a'));
    const lost = after(heldBy('nobody', run), claimCall('a', 'c2')).run;
    expect(reduce(lost, claimCall('a'), AVERAGE)).toEqual({ refused: 'fenced' });
  });

  it('gives a call up that killed every process which took it', () => {
    let run = executing(read);
    for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
      run = heldBy('nobody', after(run, claimCall('a', `c${attempt}`)).run);
    }
    const { calls } = after(run, claimCall('a', 'last')).run;
    expect(calls).toMatchObject([{ state: 'failed', error: { code: 'call_abandoned' } }]);
  });

  it('waits until the call is due, and ends a run whose deadline has passed', () => {
    const run = executing(read);
    const early = { ...run, calls: run.calls.map((call) => ({ ...call, due: false })) };
    expect(reduce(early, claimCall('a'), AVERAGE)).toEqual({ refused: 'not_due' });
    const late = after({ ...run, msLeft: 0 }, claimCall('a')).run;
    expect(late).toMatchObject({ state: 'expired', calls: [{ state: 'cancelled', attempt: 0 }] });
  });

  it('names a call that there is', () => {
    expect(reduce(executing(read), claimCall('b'), AVERAGE)).toEqual({ refused: 'no_such_call' });
    expect(reduce(acceptedRun(), claimCall('a'), AVERAGE)).toEqual({ refused: 'no_such_call' });
  });
});

it('a call that was released before anything was sent can be taken again, even with effect once', () => {
  const { run } = after(executing(once), claimCall('a'));
  const release = { type: 'call.release', callId: 'a', token: 'c1' } as const;
  const step = after(run, release);
  expect(step.hints).toEqual([{ kind: 'call', callId: 'a', dueInMs: 0 }]);
  expect(reduce(step.run, release, AVERAGE)).toEqual({ refused: 'fenced' });
  // It was never sent: that was no try.
  expect(step.run.calls[0]).toMatchObject({ state: 'ready', attempt: 1, tries: 0 });
  expect(after(step.run, claimCall('a', 'c2')).run.calls).toMatchObject([{ attempt: 2 }]);
});

describe('a result', () => {
  const both = planned('b', { effect: 'once' });

  it('ends the run only when the last call has settled', () => {
    const first = after(executing(read, both), claimCall('a'), settleCall('a')).run;
    expect(first.state).toBe('executing');
    const { run, events } = after(first, claimCall('b'), settleCall('b'));
    expect(run).toMatchObject({ state: 'succeeded', outcome: 'calls' });
    expect(events.map(({ type }) => type)).toEqual(['call.settled', 'run.ended']);
  });

  it('that is a failure lets the others run, and the run names it', () => {
    const half = after(executing(read, both), claimCall('a'), settleCall('a', failed())).run;
    expect(after(half, claimCall('b'), settleCall('b')).run).toMatchObject({
      state: 'failed',
      error: { code: 'tool_failed', message: 'tool_a: HTTP 500' },
      calls: [{ state: 'failed' }, { state: 'succeeded', result: 42 }],
    });
  });

  it('counts once: the same again changes nothing, another is refused', () => {
    const { run } = after(executing(read, both), claimCall('a'), settleCall('a'));
    expect(reduce(run, settleCall('a'), AVERAGE)).toEqual({ run, events: [], hints: [] });
    expect(reduce(run, settleCall('a', failed()), AVERAGE)).toEqual({ refused: 'settled' });
  });

  it.each([
    ['not_sent', 'read', true],
    ['not_sent', 'once', true],
    ['transient', 'read', true],
    ['transient', 'idempotent', true],
    ['transient', 'once', false],
    [undefined, 'idempotent', false],
  ] as const)(
    'that failed (%s) lets a call with effect %s be tried again: %s',
    (mayRetry, effect, again) => {
      const run = after(executing(planned('a', { effect })), claimCall('a')).run;
      const { run: next, hints } = after(run, settleCall('a', failed(mayRetry)));
      expect(next.calls).toMatchObject([{ state: again ? 'ready' : 'failed', attempt: 1 }]);
      expect(hints).toEqual(again ? [{ kind: 'call', callId: 'a', dueInMs: 1_000 }] : []);
    },
  );

  it('is tried again within the tries and the deadline only', () => {
    let { run } = after(executing(read), claimCall('a'), settleCall('a', failed('transient')));
    for (let attempt = 2; attempt <= MAX_TRIES; attempt += 1) {
      run = after(due(run), claimCall('a'), settleCall('a', failed('transient'))).run;
    }
    expect(run).toMatchObject({ state: 'failed', calls: [{ attempt: MAX_TRIES }] });
    const soon = after({ ...executing(read), msLeft: 900 }, claimCall('a'));
    expect(after(soon.run, settleCall('a', failed('transient'))).run.state).toBe('failed');
  });
});

describe('an approval', () => {
  const run = executing(planned('a', { effect: 'once', approval: 'always' }));
  const hash = argumentsHash(once);
  const approve = { type: 'call.approve', callId: 'a', by: 'Ada', argumentsHash: hash } as const;

  it('lets the very arguments go ahead that it names', () => {
    const { run: approved, events, hints } = after(run, approve);
    expect(approved.calls).toMatchObject([{ state: 'ready', arguments: { n: 1 } }]);
    expect(hints).toEqual([{ kind: 'call', callId: 'a', dueInMs: 0 }]);
    expect(events[0]?.data).toMatchObject({ decision: 'approved', by: 'Ada', isEdited: false });
    const others = { ...approve, argumentsHash: 'another' };
    expect(reduce(run, others, AVERAGE)).toEqual({ refused: 'other_arguments' });
    expect(reduce(run, { ...others, type: 'call.deny' }, AVERAGE)).toEqual({
      refused: 'other_arguments',
    });
  });

  it('may change them, and its record is bound to what will be made', () => {
    const { run: approved, events } = after(run, { ...approve, edited: { n: 2 } });
    const argumentsHashed = argumentsHash({ arguments: { n: 2 } });
    expect(approved.calls).toMatchObject([{ arguments: { n: 2 } }]);
    expect(events[0]?.data).toMatchObject({ isEdited: true, argumentsHash: argumentsHashed });
  });

  it('that is refused denies the call, which has then no effect', () => {
    const { run: denied, events } = after(run, { ...approve, type: 'call.deny' });
    expect(denied).toMatchObject({
      state: 'failed',
      calls: [{ state: 'denied', attempt: 0, error: { message: 'Denied by Ada.' } }],
    });
    expect(events.map(({ type }) => type)).toEqual(['call.decided', 'call.settled', 'run.ended']);
  });

  it('comes once: nobody claims before it, and nobody decides after it', () => {
    expect(reduce(run, claimCall('a'), AVERAGE)).toEqual({ refused: 'settled' });
    const approved = after(run, approve).run;
    expect(reduce(approved, approve, AVERAGE)).toEqual({ refused: 'settled' });
    expect(reduce(approved, { ...approve, type: 'call.deny' }, AVERAGE)).toEqual({
      refused: 'settled',
    });
  });
});

describe('a call whose outcome is unknown', () => {
  const abandoned = heldBy('nobody', after(executing(once), claimCall('a')).run);
  const waiting = after(abandoned, claimCall('a', 'other')).run;
  const decide = (decision: 'failed' | 'retry') =>
    ({ type: 'call.decide', callId: 'a', by: 'Ada', decision: { state: decision } }) as const;
  const succeeded = { state: 'succeeded', result: 7 } as const;

  it('keeps its run waiting, and is told of once', () => {
    expect(waiting).toMatchObject({ state: 'executing', calls: [{ state: 'outcome_unknown' }] });
    expect(reduce(waiting, settleCall('a', unknown()), AVERAGE)).toMatchObject({ events: [] });
  });

  it('is decided by a late result with its token, and by no other', () => {
    expect(after(waiting, settleCall('a')).run).toMatchObject({
      state: 'succeeded',
      calls: [{ state: 'succeeded', result: 42 }],
    });
    expect(after(waiting, settleCall('a', failed('transient'))).run.state).toBe('failed');
    const other = settleCall('a', { state: 'succeeded', result: 1 }, 'other');
    expect(reduce(waiting, other, AVERAGE)).toEqual({ refused: 'fenced' });
  });

  it('is decided by a probe of its tool, which is asked after a second and then each minute', () => {
    const step = after(executing(probed), claimCall('a'), settleCall('a', unknown()));
    expect(step.hints).toEqual([{ kind: 'call', callId: 'a', dueInMs: 1_000 }]);
    const claim = claimCall('a', 'probe');
    expect(reduce(step.run, claim, AVERAGE)).toEqual({ refused: 'not_due' });
    const probing = after(due(step.run), claim);
    expect(probing.events).toMatchObject([{ type: 'call.probed' }]);
    expect(probing.hints).toEqual([{ kind: 'call', callId: 'a', dueInMs: 60_000 }]);
    // The call itself is not claimed: its late answer still counts.
    expect(probing.run.calls).toMatchObject([
      { state: 'outcome_unknown', token: 'c1', attempt: 1 },
    ]);
    expect(reduce(probing.run, claim, AVERAGE)).toEqual({ refused: 'not_due' });
    const probe = { type: 'call.probe', callId: 'a' } as const;
    expect(
      after(probing.run, { ...probe, found: { state: 'unclear', reason: '' } }).events,
    ).toEqual([]);
    const calls = [succeeded, { state: 'absent' } as const].map(
      (found) => after(probing.run, { ...probe, found }).run.calls[0]?.state,
    );
    expect(calls).toEqual(['succeeded', 'failed']);
  });

  it('is free again when its holder finds that nothing was sent', () => {
    const { run } = after(heldBy('nobody', executing(once)), claimCall('a'));
    const lost = after(heldBy('nobody', run), claimCall('a', 'other')).run;
    expect(lost.calls).toMatchObject([{ state: 'outcome_unknown' }]);
    const release = { type: 'call.release', callId: 'a', token: 'c1' } as const;
    expect(after(lost, release).run.calls).toMatchObject([{ state: 'ready', error: null }]);
    const cancelled = after(lost, { type: 'run.cancel', by: 'Ada' }).run;
    expect(reduce(cancelled, release, AVERAGE)).toEqual({ refused: 'ended' });
  });

  it('is decided by a person, who is named', () => {
    const { run, events } = after(waiting, { ...decide('failed'), decision: succeeded });
    expect(run).toMatchObject({ state: 'succeeded', calls: [{ result: 7, error: null }] });
    expect(events[0]).toMatchObject({ type: 'call.decided', data: { by: 'Ada' } });
    expect(after(waiting, decide('failed')).run.state).toBe('failed');
    expect(reduce(executing(once), decide('failed'), AVERAGE)).toEqual({ refused: 'settled' });
  });

  it('is made again at once where its holder has told that it does not know', () => {
    const told = after(executing(once), claimCall('a'), settleCall('a', unknown())).run;
    expect(after(heldBy('the living', told), decide('retry')).run.calls[0]?.state).toBe('ready');
  });

  it('is made again at a person’s word, once its holder is dead, whose result is then fenced', () => {
    const held = heldBy('the living', waiting);
    expect(reduce(held, decide('retry'), AVERAGE)).toEqual({ refused: 'held' });
    const { run, hints } = after(heldBy('nobody', waiting), decide('retry'));
    expect(hints).toEqual([{ kind: 'call', callId: 'a', dueInMs: 0 }]);
    // Until somebody has claimed it, the first answer is still in time.
    expect(after(run, settleCall('a')).run.state).toBe('succeeded');
    const again = after(run, claimCall('a', 'c2')).run;
    expect(again.calls).toMatchObject([{ state: 'started', attempt: 2, error: null }]);
    expect(reduce(again, settleCall('a'), AVERAGE)).toEqual({ refused: 'fenced' });
  });
});
