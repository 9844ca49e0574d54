import { TERMINAL_RUN_STATES } from '#libs/contracts';
import { beforeAll, describe, expect, it } from 'vitest';
import { explore, plain, type Seen } from '../../../../test/support/explore-runs.js';
import { AVERAGE } from '../../../../test/support/take-inputs.js';
import { reduce, type CallRecord, type Moved, type RunRecord } from './index.js';

type Made = Seen & { step: Moved };

let seen: Seen[];
let made: Made[];

beforeAll(() => {
  seen = explore();
  made = seen.filter((one): one is Made => !one.step.refused && one.step.events.length > 0);
}, 60_000);

const isOver = ({ state }: RunRecord): boolean => TERMINAL_RUN_STATES.has(state);
const typesOf = ({ step }: Made): string[] => step.events.map(({ type }) => type);

/** Each call of the run before the step, with what it is after it. */
function calls({ before, step }: Made): { was: CallRecord; is: CallRecord | undefined }[] {
  return before.calls.map((was) => ({ was, is: step.run.calls.find(({ id }) => id === was.id) }));
}

/** Whose transitions break a rule: at most three of them, for the message. */
function breaches(rule: (one: Made) => boolean): object[] {
  return made
    .filter((one) => !rule(one))
    .slice(0, 3)
    .map(({ before, input, step }) => ({ before, input, run: step.run, events: step.events }));
}

describe('in every transition that a small run can make', () => {
  it('there are all kinds of states', () => {
    const states = new Set(made.flatMap(({ before, step }) => [before.state, step.run.state]));
    expect(states.size).toBe(9);
    const callStates = made.flatMap(({ step }) => step.run.calls.map(({ state }) => state));
    expect(new Set(callStates).size).toBe(9);
  });

  it('an ended run changes nothing but what it knows of an unknown call', () => {
    expect(
      breaches((one) => {
        if (!isOver(one.before)) return true;
        const { before, step } = one;
        const unheld = {
          ...before,
          calls: before.calls.map((call) => ({ ...call, holder: null })),
        };
        const after = {
          ...step.run,
          calls: step.run.calls.map((call) => ({ ...call, holder: null })),
        };
        expect(after).toEqual(unheld);
        return String(typesOf(one)) === 'call.evidence';
      }),
    ).toEqual([]);
  });

  it('an end is told once, by the step that makes it, as its last event', () => {
    expect(
      breaches((one) => {
        const ends = !isOver(one.before) && isOver(one.step.run);
        const types = typesOf(one);
        return (
          types.filter((type) => type === 'run.ended').length === (ends ? 1 : 0) &&
          (!ends || types.at(-1) === 'run.ended')
        );
      }),
    ).toEqual([]);
  });

  it('an ended run holds nothing and offers nothing', () => {
    expect(
      breaches(({ step: { run, hints } }) => {
        const isIdle = run.holder === null && hints.length === 0;
        return !isOver(run) || (isIdle && run.calls.every(({ state }) => state !== 'started'));
      }),
    ).toEqual([]);
  });

  it('attempts only grow, by one with each claim, and nothing but a claim gives a token', () => {
    expect(
      breaches((one) => {
        const { before, step } = one;
        const types = typesOf(one);
        const claims = types.includes('turn.claimed') ? 1 : 0;
        const isNext = step.run.turn === before.turn + 1;
        const turnHolds = isNext
          ? step.run.attempt === 0 && step.run.state === 'queued'
          : step.run.turn === before.turn && step.run.attempt === before.attempt + claims;
        const callsHold = calls(one).every(({ was, is }) => {
          const isClaimed = step.events.some(
            ({ type, data }) => type === 'call.claimed' && data['callId'] === was.id,
          );
          const hasNew = is?.token !== was.token && is?.token !== null;
          return is?.attempt === was.attempt + (isClaimed ? 1 : 0) && (isClaimed || !hasNew);
        });
        return turnHolds && (isNext || types.includes('turn.resolved') || callsHold);
      }),
    ).toEqual([]);
  });

  it('a `once` call that may have been sent starts again at a person’s word alone', () => {
    expect(
      breaches((one) =>
        calls(one).every(({ was, is }) => {
          const mayBeSent = was.state === 'started' || was.state === 'outcome_unknown';
          const isBack =
            is?.state === 'ready' || (is?.state === 'started' && is.attempt > was.attempt);
          if (was.effect !== 'once' || !mayBeSent || !isBack) return true;
          const { input } = one;
          return (
            input.type === 'call.release' ||
            (input.type === 'call.settle' &&
              input.result.state === 'failed' &&
              input.result.mayRetry === 'not_sent') ||
            (input.type === 'call.decide' && input.decision.state === 'retry' && !was.held)
          );
        }),
      ),
    ).toEqual([]);
  });

  it('nothing starts once the run is to end or its deadline has passed', () => {
    expect(
      breaches((one) => {
        const starts = typesOf(one).some((type) => type.endsWith('.claimed'));
        const { state, msLeft } = one.before;
        return !starts || (msLeft > 0 && ['queued', 'inferring', 'executing'].includes(state));
      }),
    ).toEqual([]);
  });

  it('a call that awaits approval starts only after a person let its arguments go ahead', () => {
    expect(
      breaches((one) =>
        calls(one).every(({ was, is }) => {
          if (was.state !== 'awaiting_approval' || is?.state === was.state) return true;
          return is?.state !== 'ready' || one.input.type === 'call.approve';
        }),
      ),
    ).toEqual([]);
  });

  it('a call that was denied or cancelled stays so', () => {
    expect(
      breaches((one) =>
        calls(one).every(
          ({ was, is }) =>
            !['succeeded', 'failed', 'denied', 'cancelled', 'resolved'].includes(was.state) ||
            is?.state === was.state,
        ),
      ),
    ).toEqual([]);
  });

  it('the same again changes nothing', () => {
    const changes = made.filter(({ before, input, step }) => {
      // A probe names no claim; a claim that came too late told the run so, and may see to a dead holder next.
      if (input.type === 'call.probe' || before.msLeft <= 0) return false;
      const again = reduce(step.run, input, AVERAGE);
      return !again.refused && again.events.length > 0;
    });
    expect(changes.slice(0, 3)).toEqual([]);
  });
});

describe('every run that can come about', () => {
  it('can still end', () => {
    const before = new Map<string, Set<string>>();
    const ends = new Set<string>();
    for (const one of made) {
      const to = keyOf(one.step.run);
      if (isOver(one.step.run)) ends.add(to);
      const sources = before.get(to) ?? new Set();
      before.set(to, sources.add(keyOf(one.before)));
    }
    const reaching = new Set(ends);
    for (const key of reaching) for (const source of before.get(key) ?? []) reaching.add(source);
    const stuck = made.map(({ step }) => step.run).filter((run) => !reaching.has(keyOf(run)));
    expect(stuck.slice(0, 3)).toEqual([]);
  });

  it('is moved on by somebody, whether its holders live or not, until it has ended', () => {
    const movers = new Set<string>();
    for (const one of made) movers.add(situationOf(one.before));
    const stuck = seen
      .map(({ before }) => before)
      .filter((run) => !isOver(run) && run.due && !movers.has(situationOf(run)));
    expect(stuck.slice(0, 3)).toEqual([]);
  });

  it('is moved on without any person, once its deadline has passed and its holders are dead', () => {
    const alone = new Set(['run.expire', 'call.claim', 'turn.claim']);
    const movers = new Set<string>();
    for (const one of made) if (alone.has(one.input.type)) movers.add(situationOf(one.before));
    const stuck = seen
      .map(({ before }) => before)
      .filter(
        (run) => !isOver(run) && run.msLeft <= 0 && !run.held && !movers.has(situationOf(run)),
      );
    expect(stuck.slice(0, 3)).toEqual([]);
  });
});

/** A run whatever its number, and whatever the ledger sees as it reads it. */
function keyOf(run: RunRecord): string {
  return JSON.stringify(plain(run));
}

/** With what the ledger sees. */
function situationOf(run: RunRecord): string {
  return JSON.stringify(run);
}
