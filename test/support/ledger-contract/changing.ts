import { v7 as uuidv7 } from 'uuid';
import { describe, expect, it } from 'vitest';
import { reduce, type Moved, type RunInput } from '../../../libs/runs/src/reducer/index.js';
import { newRun, plannedCall } from '../ledger.js';
import { AVERAGE } from '../take-inputs.js';
import type { Hands } from './ground.js';

export function testChanging(hands: Hands): void {
  describe('changes a run', () => {
    it('for one of those who read it at the same version', async () => {
      const runId = await hands.accept();
      const claims = Array.from({ length: 8 }, () =>
        hands.ground
          .open(() => true)
          .apply(runId, { type: 'turn.claim', holder: hands.alive, token: uuidv7() }),
      );
      const refusals = (await Promise.all(claims)).map(({ refused }) => refused);
      expect(refusals.filter((refused) => refused === undefined)).toHaveLength(1);
      expect(new Set(refusals)).toEqual(new Set([undefined, 'held']));
      expect(await hands.ground.events(runId)).toHaveLength(2);
    });

    it('once, where the same change comes again', async () => {
      const runId = await hands.accept();
      const before = await hands.load(runId);
      const step = reduce(
        before,
        { type: 'turn.claim', holder: hands.alive, token: uuidv7() },
        AVERAGE,
      );
      const { run, events } = step as Moved;
      const change = { before, after: run, events, dueInMs: new Map() };
      expect(await hands.ground.commit(change)).toBe(true);
      expect(await hands.ground.commit(change)).toBe(false);
      expect(await hands.ground.events(runId)).toHaveLength(2);
    });

    it('only where its token is as it was read, too', async () => {
      const runId = await hands.accept();
      const before = await hands.load(runId);
      const other = { ...before, token: uuidv7() };
      const events = [{ type: 'turn.delayed' as const, data: {} }];
      expect(
        await hands.ground.commit({ before: other, after: other, events, dueInMs: new Map() }),
      ).toBe(false);
    });

    it('by what it is, where a caller knows it as it was', async () => {
      const runId = await hands.accept();
      const known = await hands.load(runId);
      await hands.cancel(runId);
      const claim: RunInput = { type: 'turn.claim', holder: hands.alive, token: uuidv7() };
      expect(await hands.ledger.apply(runId, claim, known)).toEqual({ refused: 'ended' });
      const nobody = uuidv7();
      expect(await hands.ledger.apply(nobody, claim)).toEqual({ refused: 'no_such_run' });
    });

    it('many times at once without losing one: calls of a turn join once', async () => {
      const runId = await hands.accept();
      const calls = Array.from({ length: 6 }, () => plannedCall());
      await hands.resolve(runId, ...calls);
      await Promise.all(
        calls.map(async ({ id }) => {
          const own = hands.ground.open(() => true);
          const token = uuidv7();
          await own.apply(runId, { type: 'call.claim', callId: id, holder: hands.alive, token });
          const result = { state: 'succeeded', result: { of: id } } as const;
          await own.apply(runId, { type: 'call.settle', callId: id, token, result });
        }),
      );
      const run = await hands.load(runId);
      expect(run).toMatchObject({ state: 'succeeded', version: 3 + 2 * calls.length + 1 });
      expect(run.calls.map(({ result }) => result)).toEqual(calls.map(({ id }) => ({ of: id })));
      const ends = (await hands.ground.events(runId)).filter(({ type }) => type === 'run.ended');
      expect(ends).toHaveLength(1);
    });
  });

  it('gives a later turn the calls of the turns before, in their order, with what came of them', async () => {
    const runId = await hands.accept({ until: 'answer' });
    const turns = [[plannedCall(), plannedCall()], [plannedCall({ arguments: { z: 1, a: [2] } })]];
    for (const calls of turns) {
      await hands.resolve(runId, ...calls);
      for (const { id } of calls.toReversed()) {
        const token = await hands.claimCall(runId, id);
        const result = { state: 'succeeded', result: { of: id } } as const;
        await hands.apply(runId, { type: 'call.settle', callId: id, token, result });
      }
    }
    const claimed = await hands.ledger.claimTurn({ runId, token: uuidv7(), holder: hands.alive });
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
    expect(await hands.ledger.turnInput(runId)).toEqual({ messages: newRun().messages, earlier });
  });

  it('calls nobody dead for a process that may not judge', async () => {
    const runId = await hands.accept();
    await hands.claimTurn(runId, hands.dead);
    const claim: RunInput = { type: 'turn.claim', holder: hands.alive, token: uuidv7() };
    expect(await hands.ground.open(() => false).apply(runId, claim)).toEqual({ refused: 'held' });
    const taken = await hands.apply(runId, claim);
    expect(taken).toMatchObject({ state: 'inferring', attempt: 2, holder: hands.alive });
  });
}
