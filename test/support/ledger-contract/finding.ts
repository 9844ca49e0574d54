import { v7 as uuidv7 } from 'uuid';
import { describe, expect, it } from 'vitest';
import type { Work } from '../../../libs/runs/src/ledger/find-work.js';
import { newRun, plannedCall } from '../ledger.js';
import type { Hands } from './ground.js';

/** Longer than fresh work is left to its first hint. */
const A_WHILE_MS = 3_000;
/** More than the ledger holds. */
const ALL = 10_000;

export function testFinding(hands: Hands): void {
  describe('finds', () => {
    it('which runs are over or are being ended', async () => {
      const open = await hands.accept();
      const ending = await hands.accept();
      const call = plannedCall();
      await hands.resolve(ending, call);
      await hands.claimCall(ending, call.id);
      await hands.cancel(ending);
      const over = await cancelled(hands);
      const found = await hands.ledger.findHalted([open, ending, over, uuidv7()]);
      expect(found.toSorted()).toEqual([ending, over].toSorted());
    });

    it('what is past its deadline and has not been told, the longest first', async () => {
      const late = await hands.accept({ expiresInS: -20 });
      const later = await hands.accept({ expiresInS: -30 });
      const told = await hands.accept({ expiresInS: -10 });
      await hands.apply(told, { type: 'run.expire' });
      const early = await hands.accept();
      const all = [late, later, told, early];
      const found = (await hands.ledger.findOverdue(ALL)).filter((id) => all.includes(id));
      expect(found).toEqual([later, late]);
      expect(await hands.ledger.findOverdue(1)).toHaveLength(1);
    });

    it('work whose holder is dead', async () => {
      const [held, left, inCall, over] = [
        await hands.accept(),
        await hands.accept(),
        await hands.accept(),
        await hands.accept(),
      ];
      await hands.claimTurn(held);
      await hands.claimTurn(left, hands.dead);
      await hands.claimTurn(over, hands.dead);
      await hands.cancel(over);
      const [living, lost, ready] = [plannedCall(), plannedCall(), plannedCall()];
      await hands.resolve(inCall, living, lost, ready);
      await hands.claimCall(inCall, living.id);
      await hands.claimCall(inCall, lost.id, hands.dead);
      const found = mine(await hands.ledger.findAbandoned(ALL), [held, left, inCall, over]);
      expect(found.toSorted()).toEqual([left, lost.id].toSorted());
      expect(await hands.ledger.findAbandoned(1)).toHaveLength(1);
    });

    it('work that could have been taken a while ago, page by page', async () => {
      const [queued, inCalls, claimed] = [
        await hands.accept(),
        await hands.accept(),
        await hands.accept(),
      ];
      const delayed = await hands.accept();
      const token = uuidv7();
      await hands.apply(delayed, { type: 'turn.claim', holder: hands.alive, token });
      const error = { code: 'model_overloaded', message: '' } as const;
      await hands.apply(delayed, { type: 'turn.delay', token, error, dueInMs: 600_000 });
      const over = await cancelled(hands);
      const [ready, started, probed, unprobed] = [
        plannedCall(),
        plannedCall(),
        plannedCall({ effect: 'once', hasProbe: true }),
        plannedCall({ effect: 'once' }),
      ];
      await hands.resolve(inCalls, ready, started, probed, unprobed);
      await hands.claimCall(inCalls, started.id);
      for (const { id } of [probed, unprobed]) {
        const claim = await hands.claimCall(inCalls, id);
        const result = { state: 'outcome_unknown', error } as const;
        await hands.apply(inCalls, { type: 'call.settle', callId: id, token: claim, result });
      }
      const all = [queued, inCalls, claimed, delayed, over];
      await hands.ground.pass(A_WHILE_MS);
      await hands.claimTurn(claimed);
      const found: Work[] = [];
      let cursor: string | undefined;
      do {
        const page = await hands.ledger.findReady(cursor, 100);
        found.push(...page.work);
        cursor = page.cursor;
      } while (cursor !== undefined);
      expect(mine(found, all).toSorted()).toEqual([queued, ready.id, probed.id].toSorted());
    });

    it('with what a claimant and a fair gate need to know of it', async () => {
      const over = { priority: 3, cost: 77, traceparent: newRun().traceparent, expiresInS: 60 };
      const runId = await hands.accept({ ...over, tenantId: 'other' });
      await hands.ground.pass(A_WHILE_MS);
      const { work } = await hands.ledger.findReady(beforeId(runId), 1);
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
    });

    it('open runs of a tenant that was deleted', async () => {
      const runId = await hands.accept({ tenantId: 'other' });
      const done = await hands.accept({ tenantId: 'other' });
      await hands.cancel(done);
      const kept = await hands.accept();
      const all = [runId, done, kept];
      const find = async (): Promise<string[]> =>
        (await hands.ledger.findOrphaned(ALL)).filter((id) => all.includes(id));
      expect(await find()).toEqual([]);
      await hands.ground.deleteTenant('other');
      expect(await find()).toEqual([runId]);
    });
  });
}

async function cancelled(hands: Hands): Promise<string> {
  const runId = await hands.accept();
  await hands.cancel(runId);
  return runId;
}

/** Ids of the turns' runs and of the calls that are offered, of these runs. */
function mine(work: readonly Work[], runIds: readonly string[]): string[] {
  return work
    .map(({ hint }) => hint)
    .filter(({ runId }) => runIds.includes(runId))
    .map((hint) => (hint.kind === 'call' ? hint.callId : hint.runId));
}

/** The greatest id before one: what comes after it begins with that one. */
function beforeId(id: string): string {
  const last = Number.parseInt(id.slice(-6), 16) - 1;
  return id.slice(0, -6) + last.toString(16).padStart(6, '0');
}
