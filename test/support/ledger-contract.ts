import { TERMINAL_RUN_STATES } from '#libs/contracts';
import { v7 as uuidv7 } from 'uuid';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RunChange } from '../../libs/runs/src/ledger/commit-runs.js';
import type { Work } from '../../libs/runs/src/ledger/find-work.js';
import type { Ledger } from '../../libs/runs/src/ledger/ledger.js';
import {
  MAX_TRIES,
  reduce,
  type Moved,
  type PlannedCall,
  type RunInput,
  type RunRecord,
} from '../../libs/runs/src/reducer/index.js';
import { explore, type Seen } from './explore-runs.js';
import { newRun, plannedCall, resolveTurn } from './ledger.js';

/** A ledger to be tested, with a clock that can be moved. */
export interface LedgerGround {
  /** As one more process has it. */
  open(mayJudge: () => boolean): Ledger;
  /** As a process reads it that may call holders dead. */
  load(runId: string): Promise<RunRecord | undefined>;
  commit(change: RunChange): Promise<boolean>;
  events(runId: string): Promise<{ type: string; data: object }[]>;
  beat(epoch: string): Promise<void>;
  /** Lets so many milliseconds pass. */
  pass(ms: number): Promise<void>;
  deleteTenant(tenantId: string): Promise<void>;
}

const AVERAGE = (): number => 0.5;
/** Long after whatever else the ledger holds was ready. */
const A_WHILE_MS = 3_000;

/** What every ledger does. Its ground has two tenants, `default` and `other`, and may hold other runs. */
export function ledgerContract(groundOf: () => LedgerGround): void {
  const alive = uuidv7();
  const dead = uuidv7();
  let ground: LedgerGround;
  let ledger: Ledger;

  beforeAll(async () => {
    ground = groundOf();
    ledger = ground.open(() => true);
    await ground.beat(alive);
  });

  const accepted = async (over: Parameters<typeof newRun>[0] = {}): Promise<string> => {
    const run = newRun(over);
    expect(await ledger.accept(run)).toEqual({ kind: 'accepted' });
    return run.id;
  };
  const apply = async (runId: string, input: RunInput): Promise<RunRecord> => {
    const applied = await ledger.apply(runId, input);
    if (applied.refused) throw new Error(`${input.type} was refused: ${applied.refused}`);
    return applied.run;
  };
  const resolved = async (runId: string, ...calls: PlannedCall[]): Promise<void> => {
    const token = uuidv7();
    await apply(runId, { type: 'turn.claim', holder: alive, token });
    await apply(runId, resolveTurn(token, calls));
  };
  const claimCall = async (runId: string, callId: string, holder = alive): Promise<string> => {
    const token = uuidv7();
    await apply(runId, { type: 'call.claim', callId, holder, token });
    return token;
  };
  const settle = (runId: string, callId: string, token: string, result: unknown = null) =>
    apply(runId, { type: 'call.settle', callId, token, result: { state: 'succeeded', result } });
  const cancelled = async (): Promise<string> => {
    const runId = await accepted();
    await apply(runId, { type: 'run.cancel', by: 'somebody' });
    return runId;
  };
  const mine = (work: readonly Work[], runIds: readonly string[]): string[] =>
    work
      .map(({ hint }) => hint)
      .filter(({ runId }) => runIds.includes(runId))
      .map((hint) => (hint.kind === 'call' ? hint.callId : hint.runId));

  describe('accepts', () => {
    it('a run once, with its first event, its input and its toolset', async () => {
      const run = newRun();
      expect(await ledger.accept(run)).toEqual({ kind: 'accepted' });
      expect(await ledger.accept(run)).toEqual({ kind: 'accepted' });
      expect(await ground.events(run.id)).toMatchObject([{ type: 'run.accepted' }]);
      expect(await ledger.turnInput(run.id)).toEqual({ messages: run.messages, earlier: [] });
      expect(await ledger.toolset(run.toolset.hash)).toEqual(run.toolset.body);
      await expect(ledger.toolset('none')).rejects.toMatchObject({ code: 'internal' });
    });

    it('one run for a key, however many ask at once, and no other body; each tenant has its own keys', async () => {
      const idempotency = { key: uuidv7(), bodyHash: Buffer.from('same') };
      const runs = Array.from({ length: 6 }, () => newRun({ idempotency }));
      const kinds = await Promise.all(runs.map((run) => ground.open(() => true).accept(run)));
      const winner = runs[kinds.findIndex(({ kind }) => kind === 'accepted')]?.id;
      expect(kinds.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
      expect(kinds.filter(({ kind }) => kind !== 'accepted')).toEqual(
        Array.from({ length: 5 }, () => ({ kind: 'replayed', runId: winner })),
      );
      const other = { ...idempotency, bodyHash: Buffer.from('other') };
      expect(await ledger.accept(newRun({ idempotency: other }))).toEqual({ kind: 'conflict' });
      await accepted({ tenantId: 'other', idempotency });
    });
  });

  describe('keeps a small run in every state', () => {
    /** One of each kind of situation, with ids as a ledger takes them. */
    const situations = (seen: readonly Seen[], keyOf: (one: Seen) => unknown): Seen[] => [
      ...new Map(seen.map((one) => [JSON.stringify(keyOf(one)), one])).values(),
    ];
    const shape = ({ before }: Seen) => {
      const { state, held, due, msLeft, tries, turn, mode, until, calls } = before;
      const states = calls.map(({ state: of, effect, hasProbe, attempt }) => [
        of,
        effect,
        hasProbe,
        attempt,
      ]);
      return [state, held, due, msLeft > 0, tries, turn, mode, until, states];
    };
    const withUuids = (one: Seen): Seen => {
      const ids = new Map<string, string>();
      const replacer = (key: string, value: unknown): unknown => {
        if (!['id', 'token', 'holder', 'callId'].includes(key) || typeof value !== 'string')
          return value;
        if (key === 'holder') return one.before.held ? alive : dead;
        const id = ids.get(value) ?? uuidv7();
        ids.set(value, id);
        return id;
      };
      const { before, input, step } = one;
      const plain = JSON.parse(JSON.stringify({ before, input, step }, replacer)) as Seen;
      const known = { tenantId: 'default', toolsetHash: newRun().toolset.hash };
      return { ...plain, before: { ...plain.before, ...known } };
    };
    /** Has the ledger hold a run as it is, with what a reading of it sees. */
    const place = async (run: RunRecord): Promise<RunRecord> => {
      const { id, mode, until, budget, mask, priority, cost, traceparent } = run;
      const expiresInS = run.msLeft / 1_000;
      await accepted({ id, mode, until, budget, mask, priority, cost, traceparent, expiresInS });
      const before = await ground.load(id);
      if (!before) throw new Error('an accepted run is not there');
      const dueInMs = run.due ? 0 : 600_000;
      const change = {
        before,
        after: run,
        events: [{ type: 'turn.delayed' as const, data: {} }],
        dueInMs: new Map([
          ['turn', dueInMs],
          ...run.calls.map((call) => [call.id, dueInMs] as const),
        ]),
      };
      expect(await ground.commit(change)).toBe(true);
      const placed = await ground.load(id);
      if (!placed) throw new Error('a placed run is not there');
      return placed;
    };
    /** Of a run that has calls of another turn, the ledger reads those of its present one. */
    const stored = ({
      msLeft: _msLeft,
      due: _due,
      held: _held,
      version: _version,
      ...run
    }: RunRecord) => ({
      ...run,
      calls: run.calls
        .filter(({ turn }) => turn === run.turn)
        .map(({ due: _due, held: _held, ...call }) => call),
    });

    it('as the reducer made it, and reads it so', async () => {
      const steps = situations(explore(), (one) => [
        shape(one),
        one.input.type,
        one.step.refused ?? one.step.events.map(({ type }) => type),
      ])
        .filter((one) => !one.step.refused && one.step.events.length > 0)
        .map(withUuids);
      expect(steps.length).toBeGreaterThan(100);
      await Promise.all(
        steps.map(async ({ before, input }) => {
          const placed = await place(before);
          expect(stored(placed)).toEqual(stored(before));
          const step = reduce(placed, input, AVERAGE) as Moved;
          const applied = await ledger.apply(before.id, input);
          expect(applied.refused).toBeUndefined();
          const after = await ground.load(before.id);
          expect(after && stored(after)).toEqual(stored(step.run));
          expect(after?.version).toBe(placed.version + step.events.length);
          const events = await ground.events(before.id);
          const types = events.slice(2).map(({ type }) => type);
          expect(types).toEqual(step.events.map(({ type }) => type));
        }),
      );
    });

    it('and sees what is due, late and held as a clock and heartbeats say', async () => {
      const all = situations(explore(), shape).map(withUuids);
      await Promise.all(
        all.map(async ({ before }) => {
          const placed = await place(before);
          expect(placed.due).toBe(before.due);
          expect(placed.msLeft > 0).toBe(before.msLeft > 0);
          expect(placed.held).toBe(before.holder !== null && before.held);
          for (const [index, call] of placed.calls.entries()) {
            const was = before.calls[index];
            expect(call.held).toBe(was?.holder !== null && before.held);
            expect(call.due).toBe(was?.due);
          }
        }),
      );
    });

    it('and grants a claim in passing where the reducer grants it, and in the same way', async () => {
      const all = situations(explore(), shape).map(withUuids);
      const granted = await Promise.all(
        all.map(async ({ before }) => {
          const placed = await place(before);
          const claim = { token: uuidv7(), holder: alive };
          const step = reduce(placed, { type: 'turn.claim', ...claim }, AVERAGE);
          const isFree =
            placed.state === 'queued' &&
            placed.due &&
            placed.msLeft > 0 &&
            placed.tries < MAX_TRIES;
          const claimed = await ledger.claimTurn({ runId: before.id, ...claim });
          expect(claimed !== undefined).toBe(isFree);
          if (!claimed) return false;
          const { run } = step as Moved;
          expect(stored(claimed.run)).toEqual(stored(run));
          expect(claimed.run).toMatchObject({ held: true, version: placed.version + 1 });
          const read = await ground.load(before.id);
          expect(read && stored(read)).toEqual(stored(run));
          expect((await ground.events(before.id)).slice(2)).toEqual((step as Moved).events);
          expect(claimed.messages).toEqual(newRun().messages);
          return true;
        }),
      );
      expect(new Set(granted).size).toBe(2);
    });
  });

  describe('changes a run', () => {
    it('for one of those who read it at the same version', async () => {
      const runId = await accepted();
      const claims = Array.from({ length: 8 }, () =>
        ground
          .open(() => true)
          .apply(runId, { type: 'turn.claim', holder: alive, token: uuidv7() }),
      );
      const refusals = (await Promise.all(claims)).map(({ refused }) => refused);
      expect(refusals.filter((refused) => refused === undefined)).toHaveLength(1);
      expect(new Set(refusals)).toEqual(new Set([undefined, 'held']));
      expect(await ground.events(runId)).toHaveLength(2);
    });

    it('once, where the same change comes again', async () => {
      const runId = await accepted();
      const before = await ground.load(runId);
      if (!before) throw new Error('no run');
      const step = reduce(before, { type: 'turn.claim', holder: alive, token: uuidv7() }, AVERAGE);
      const { run, events } = step as Moved;
      const change = { before, after: run, events, dueInMs: new Map() };
      expect(await ground.commit(change)).toBe(true);
      expect(await ground.commit(change)).toBe(false);
      expect(await ground.events(runId)).toHaveLength(2);
    });

    it('only where its token is as it was read, too', async () => {
      const runId = await accepted();
      const before = await ground.load(runId);
      if (!before) throw new Error('no run');
      const other = { ...before, token: uuidv7() };
      const events = [{ type: 'turn.delayed' as const, data: {} }];
      expect(await ground.commit({ before: other, after: other, events, dueInMs: new Map() })).toBe(
        false,
      );
    });

    it('by what it is, where a caller knows it as it was', async () => {
      const runId = await accepted();
      const known = await ground.load(runId);
      await apply(runId, { type: 'run.cancel', by: 'somebody' });
      const claim: RunInput = { type: 'turn.claim', holder: alive, token: uuidv7() };
      expect(await ledger.apply(runId, claim, known)).toEqual({ refused: 'ended' });
      const nobody = uuidv7();
      expect(await ledger.apply(nobody, claim)).toEqual({ refused: 'no_such_run' });
    });

    it('many times at once without losing one: calls of a turn join once', async () => {
      const runId = await accepted();
      const calls = Array.from({ length: 6 }, () => plannedCall());
      await resolved(runId, ...calls);
      await Promise.all(
        calls.map(async ({ id }) => {
          const own = ground.open(() => true);
          const token = uuidv7();
          await own.apply(runId, { type: 'call.claim', callId: id, holder: alive, token });
          const result = { state: 'succeeded', result: { of: id } } as const;
          await own.apply(runId, { type: 'call.settle', callId: id, token, result });
        }),
      );
      const run = await ground.load(runId);
      expect(run).toMatchObject({ state: 'succeeded', version: 3 + 2 * calls.length + 1 });
      expect(run?.calls.map(({ result }) => result)).toEqual(calls.map(({ id }) => ({ of: id })));
      const ends = (await ground.events(runId)).filter(({ type }) => type === 'run.ended');
      expect(ends).toHaveLength(1);
    });
  });

  it('gives a later turn the calls of the turns before, in their order, with what came of them', async () => {
    const runId = await accepted({ until: 'answer' });
    const turns = [[plannedCall(), plannedCall()], [plannedCall({ arguments: { z: 1, a: [2] } })]];
    for (const calls of turns) {
      await resolved(runId, ...calls);
      for (const { id } of calls.toReversed()) {
        await settle(runId, id, await claimCall(runId, id), { of: id });
      }
    }
    const claimed = await ledger.claimTurn({ runId, token: uuidv7(), holder: alive });
    expect(claimed?.run).toMatchObject({ turn: 3, calls: [] });
    const earlier = turns.flatMap((calls, index) =>
      calls.map(({ id, name, arguments: given }) => ({
        id,
        turn: index + 1,
        name,
        arguments: given,
        state: 'succeeded',
        result: { of: id },
        error: null,
      })),
    );
    expect(claimed?.earlier).toEqual(earlier);
    expect(await ledger.turnInput(runId)).toEqual({ messages: newRun().messages, earlier });
  });

  describe('finds', () => {
    it('which runs are over or are being ended', async () => {
      const open = await accepted();
      const ending = await accepted();
      const call = plannedCall();
      await resolved(ending, call);
      await claimCall(ending, call.id);
      await apply(ending, { type: 'run.cancel', by: 'somebody' });
      const over = await cancelled();
      const found = await ledger.findHalted([open, ending, over, uuidv7()]);
      expect(found.toSorted()).toEqual([ending, over].toSorted());
    });

    it('what is past its deadline and has not been told, the longest first', async () => {
      const late = await accepted({ expiresInS: -20 });
      const later = await accepted({ expiresInS: -30 });
      const told = await accepted({ expiresInS: -10 });
      await apply(told, { type: 'run.expire' });
      const early = await accepted();
      const all = [late, later, told, early];
      const found = (await ledger.findOverdue(10_000)).filter((id) => all.includes(id));
      expect(found).toEqual([later, late]);
      expect(await ledger.findOverdue(1)).toHaveLength(1);
    });

    it('work whose holder is dead', async () => {
      const [held, left, inCall, over] = [
        await accepted(),
        await accepted(),
        await accepted(),
        await accepted(),
      ];
      await apply(held, { type: 'turn.claim', holder: alive, token: uuidv7() });
      await apply(left, { type: 'turn.claim', holder: dead, token: uuidv7() });
      await apply(over, { type: 'turn.claim', holder: dead, token: uuidv7() });
      await apply(over, { type: 'run.cancel', by: 'somebody' });
      const [living, lost, ready] = [plannedCall(), plannedCall(), plannedCall()];
      await resolved(inCall, living, lost, ready);
      await claimCall(inCall, living.id);
      await claimCall(inCall, lost.id, dead);
      const found = mine(await ledger.findAbandoned(10_000), [held, left, inCall, over]);
      expect(found.toSorted()).toEqual([left, lost.id].toSorted());
      expect(await ledger.findAbandoned(1)).toHaveLength(1);
    });

    it('work that could have been taken a while ago, page by page', async () => {
      const [queued, inCalls, claimed] = [await accepted(), await accepted(), await accepted()];
      const over = await cancelled();
      const [ready, started, probed, unprobed] = [
        plannedCall(),
        plannedCall(),
        plannedCall({ effect: 'once', hasProbe: true }),
        plannedCall({ effect: 'once' }),
      ];
      await resolved(inCalls, ready, started, probed, unprobed);
      await claimCall(inCalls, started.id);
      for (const { id } of [probed, unprobed]) {
        const error = { code: 'outcome_unknown', message: '' } as const;
        const token = await claimCall(inCalls, id);
        const result = { state: 'outcome_unknown', error } as const;
        await apply(inCalls, { type: 'call.settle', callId: id, token, result });
      }
      const all = [queued, inCalls, claimed, over];
      const find = async (): Promise<string[]> => {
        const found: Work[] = [];
        let cursor: string | undefined;
        do {
          const page = await ledger.findReady(cursor, 2);
          found.push(...page.work);
          cursor = page.cursor;
        } while (cursor !== undefined);
        return mine(found, all).toSorted();
      };
      expect(await find()).toEqual([]);
      await ground.pass(A_WHILE_MS);
      await ground.beat(alive);
      await apply(claimed, { type: 'turn.claim', holder: alive, token: uuidv7() });
      expect(await find()).toEqual([queued, ready.id, probed.id].toSorted());
    });

    it('with what a claimant and a fair gate need to know of it', async () => {
      const over = { priority: 3, cost: 77, traceparent: newRun().traceparent, expiresInS: 60 };
      const runId = await accepted({ ...over, tenantId: 'other' });
      const acceptedAt = Date.now();
      await ground.pass(A_WHILE_MS);
      const { work } = await ledger.findReady(beforeId(runId), 1);
      expect(work).toEqual([
        {
          tenantId: 'other',
          priority: 3,
          cost: 77,
          turn: 1,
          deadlineAtMs: expect.any(Number),
          hint: { kind: 'turn', runId, traceparent: over.traceparent },
        },
      ]);
      expect(work[0]?.deadlineAtMs).toBeLessThanOrEqual(acceptedAt + 60_000);
    });

    it('open runs of a tenant that was deleted', async () => {
      const runId = await accepted({ tenantId: 'other' });
      const done = await accepted({ tenantId: 'other' });
      await apply(done, { type: 'run.cancel', by: 'somebody' });
      const kept = await accepted();
      const all = [runId, done, kept];
      const find = async (): Promise<string[]> =>
        (await ledger.findOrphaned(10_000)).filter((id) => all.includes(id));
      expect(await find()).toEqual([]);
      await ground.deleteTenant('other');
      expect(await find()).toEqual([runId]);
    });
  });

  it('calls nobody dead for a process that may not judge', async () => {
    const runId = await accepted();
    await apply(runId, { type: 'turn.claim', holder: dead, token: uuidv7() });
    const claim: RunInput = { type: 'turn.claim', holder: alive, token: uuidv7() };
    expect(await ground.open(() => false).apply(runId, claim)).toEqual({ refused: 'held' });
    const taken = await apply(runId, claim);
    expect(TERMINAL_RUN_STATES.has(taken.state)).toBe(false);
    expect(taken).toMatchObject({ state: 'inferring', attempt: 2, holder: alive });
  });
}

/** The greatest id before one: what comes after it begins with that one. */
function beforeId(id: string): string {
  const last = Number.parseInt(id.slice(-6), 16) - 1;
  return id.slice(0, -6) + last.toString(16).padStart(6, '0');
}
