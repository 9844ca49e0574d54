import { describe, expect, it } from 'vitest';
import { acceptedRun } from '../../../test/support/explore-runs.js';
import {
  after,
  AVERAGE,
  claimCall,
  claimTurn,
  planned,
  resolveTo,
  settleCall,
} from '../../../test/support/take-inputs.js';
import type { RunChange } from './ledger/commit-runs.js';
import type { RunInput, RunRecord } from './reducer/index.js';
import { RunWriter, type Applied } from './run-writer.js';

/** One row, with what was done to it; `meanwhile` comes between a reading and the commit that follows it. */
function store(run: RunRecord | undefined) {
  const asked: string[] = [];
  let row = run;
  const one = {
    asked,
    row: () => row,
    /** What somebody else makes of the row before the next commit. */
    meanwhile: undefined as ((row: RunRecord) => RunRecord) | undefined,
    /** What the next commit throws. */
    fails: undefined as Error | undefined,
    load: async (): Promise<RunRecord | undefined> => {
      asked.push('load');
      return row && structuredClone(row);
    },
    commit: async (change: RunChange): Promise<boolean> => {
      const { before, after: next, events } = change;
      asked.push(events.map(({ type }) => type).join(' '));
      const { fails } = one;
      one.fails = undefined;
      if (fails) throw fails;
      if (row && one.meanwhile) row = { ...one.meanwhile(row), version: row.version + 1 };
      one.meanwhile = undefined;
      if (row?.version !== before.version) return false;
      row = { ...next, version: before.version + events.length };
      return true;
    },
  };
  return one;
}

function runOf(applied: Applied): RunRecord {
  if (applied.refused) throw new Error(`refused: ${applied.refused}`);
  return applied.run;
}

const executing = after(
  acceptedRun(),
  claimTurn(),
  resolveTo([planned('a'), planned('b', { effect: 'once' })]),
).run;

describe('a run writer', () => {
  it('commits what the reducer makes of an input, and numbers it by the events', async () => {
    const rows = store(acceptedRun());
    const applied = await new RunWriter(rows, AVERAGE).apply('run', claimTurn());
    expect(runOf(applied)).toMatchObject({ state: 'inferring', version: 2 });
    expect(rows.row()).toEqual(runOf(applied));
    expect(rows.asked).toEqual(['load', 'turn.claimed']);
  });

  it('says of a run that is not there that it is not there', async () => {
    const writer = new RunWriter(store(undefined), AVERAGE);
    expect(await writer.apply('run', claimTurn())).toEqual({ refused: 'no_such_run' });
  });

  it('reads nothing where the caller knows the run', async () => {
    const rows = store(acceptedRun());
    const writer = new RunWriter(rows, AVERAGE);
    const known = runOf(await writer.apply('run', claimTurn()));
    await writer.apply('run', resolveTo([]), known);
    expect(rows.asked.slice(2)).toEqual(['turn.resolved run.ended']);
  });

  it('commits together, in their order, what meets for one run', async () => {
    const rows = store(executing);
    const writer = new RunWriter(rows, AVERAGE);
    const inputs = [claimCall('a'), claimCall('b', 'c2'), settleCall('a')];
    const applied = await Promise.all(inputs.map((input) => writer.apply('run', input)));
    expect(rows.asked).toEqual(['load', 'call.claimed', 'call.claimed call.settled']);
    expect(applied.map((one) => runOf(one).version)).toEqual([2, 4, 4]);
  });

  it('tells each of those that meet its own refusal and its own hints', async () => {
    const rows = store(acceptedRun());
    const writer = new RunWriter(rows, AVERAGE);
    const inputs = [claimTurn(), claimTurn('t2'), resolveTo([planned('a')])];
    const [claimed, refused, resolved] = await Promise.all(
      inputs.map((input) => writer.apply('run', input)),
    );
    expect(claimed).toMatchObject({ run: { token: 't1' }, hints: [] });
    expect(refused).toEqual({ refused: 'held' });
    expect(resolved).toMatchObject({ hints: [{ kind: 'call', callId: 'a' }] });
  });

  it('reduces again where somebody else was faster', async () => {
    const rows = store(executing);
    rows.meanwhile = (row) => after(row, claimCall('a', 'other')).run;
    const applied = await new RunWriter(rows, AVERAGE).apply('run', claimCall('a'));
    expect(applied).toEqual({ refused: 'held' });
    expect(rows.asked).toEqual(['load', 'call.claimed', 'load']);
    expect(rows.row()?.calls[0]?.token).toBe('other');
  });

  it('refuses nothing by what it only remembers: it reads the run first', async () => {
    const rows = store(executing);
    const writer = new RunWriter(rows, AVERAGE);
    const old = { ...executing, state: 'succeeded' as const };
    expect(runOf(await writer.apply('run', claimCall('a'), old)).state).toBe('executing');
    expect(rows.asked[0]).toBe('load');
  });

  it('commits nothing for an input that was taken before, and answers it as then', async () => {
    const rows = store(acceptedRun());
    const first = runOf(await new RunWriter(rows, AVERAGE).apply('run', claimTurn()));
    expect(runOf(await new RunWriter(rows, AVERAGE).apply('run', claimTurn()))).toMatchObject({
      token: first.token,
      version: first.version,
    });
    expect(rows.asked.slice(2)).toEqual(['load']);
  });

  it('waits for the disk, but for the claim of a turn', async () => {
    const lanes = async (run: RunRecord, ...inputs: RunInput[]): Promise<string[]> => {
      const rows = store(run);
      const writer = new RunWriter(rows, AVERAGE);
      for (const input of inputs) await writer.apply('run', input);
      return rows.asked.filter((what) => what !== 'load');
    };
    expect(await lanes(acceptedRun(), claimTurn(), resolveTo([planned('a')]))).toEqual([
      'turn.claimed',
      'turn.resolved',
    ]);
    const release = { type: 'call.release', callId: 'a', token: 'c1' } as const;
    expect(await lanes(executing, claimCall('a'), release)).toEqual([
      'call.claimed',
      'call.released',
    ]);
  });

  it('fails those whose commit failed, and goes on with those that come after', async () => {
    const rows = store(executing);
    const writer = new RunWriter(rows, AVERAGE);
    rows.fails = new Error('refused for ever');
    const broken = writer.apply('run', claimCall('a'));
    const next = writer.apply('run', claimCall('b'));
    await expect(broken).rejects.toThrow('refused for ever');
    expect(runOf(await next).calls).toMatchObject([{ state: 'ready' }, { state: 'started' }]);
  });
});
