import { v7 as uuidv7 } from 'uuid';
import { describe, expect, it } from 'vitest';
import {
  MAX_TRIES,
  reduce,
  type Moved,
  type RunRecord,
} from '../../../libs/runs/src/reducer/index.js';
import { explore, type Seen } from '../explore-runs.js';
import { newRun } from '../ledger.js';
import { AVERAGE } from '../take-inputs.js';
import type { Hands } from './ground.js';

export function testStates(hands: Hands): void {
  describe('keeps a small run in every state', () => {
    let seen: Seen[] | undefined;
    /** One of each kind of situation, with ids as a ledger takes them. */
    const situations = (
      keyOf: (one: Seen) => unknown,
      isWanted?: (one: Seen) => boolean,
    ): Seen[] => {
      seen ??= explore();
      const wanted = isWanted ? seen.filter(isWanted) : seen;
      const first = new Map(wanted.map((one) => [JSON.stringify(keyOf(one)), one]));
      return [...first.values()].map(withUuids);
    };
    const shape = ({ before: { state, held, due, msLeft, tries, turn, calls } }: Seen) => {
      const states = calls.map((call) => [call.state, call.effect, call.hasProbe]);
      return [state, held, due, msLeft > 0, tries, turn, states];
    };
    const withUuids = (one: Seen): Seen => {
      const ids = new Map<string, string>();
      const replacer = (key: string, value: unknown): unknown => {
        if (!['id', 'token', 'holder', 'callId'].includes(key) || typeof value !== 'string')
          return value;
        if (key === 'holder') return one.before.held ? hands.alive : hands.dead;
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
      await hands.accept({
        id,
        mode,
        until,
        budget,
        mask,
        priority,
        cost,
        traceparent,
        expiresInS,
      });
      const before = await hands.load(id);
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
      expect(await hands.ground.commit(change)).toBe(true);
      return hands.load(id);
    };
    /** What of a record a ledger keeps: the calls of its present turn, and nothing that it sees as it reads. */
    const stored = (run: RunRecord): object => {
      const { held: _h, due: _d, msLeft: _m, version: _v, ...kept } = run;
      const present = run.calls.filter(({ turn }) => turn === run.turn);
      return { ...kept, calls: present.map((call) => ({ ...call, held: false, due: false })) };
    };

    it('as the reducer made it, and reads it so', async () => {
      const steps = situations(
        ({ before, input, step }) => [
          before.state,
          before.calls.map(({ state }) => state),
          input.type,
          step.refused ?? [step.run.state, step.events.map(({ type }) => type)],
        ],
        ({ step }) => !step.refused && step.events.length > 0,
      );
      expect(steps.length).toBeGreaterThan(100);
      await Promise.all(
        steps.map(async ({ before, input }) => {
          const placed = await place(before);
          expect(stored(placed)).toEqual(stored(before));
          const step = reduce(placed, input, AVERAGE) as Moved;
          const applied = await hands.ledger.apply(before.id, input);
          expect(applied.refused).toBeUndefined();
          const after = await hands.load(before.id);
          expect(stored(after)).toEqual(stored(step.run));
          expect(after.version).toBe(placed.version + step.events.length);
          const events = await hands.ground.events(before.id);
          const types = events.slice(2).map(({ type }) => type);
          expect(types).toEqual(step.events.map(({ type }) => type));
        }),
      );
    });

    it('and sees what is due, late and held as a clock and heartbeats say', async () => {
      const all = situations(shape);
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
      const all = situations(shape);
      const granted = await Promise.all(
        all.map(async ({ before }) => {
          const placed = await place(before);
          const claim = { token: uuidv7(), holder: hands.alive };
          const step = reduce(placed, { type: 'turn.claim', ...claim }, AVERAGE);
          const isFree =
            placed.state === 'queued' &&
            placed.due &&
            placed.msLeft > 0 &&
            placed.tries < MAX_TRIES;
          const claimed = await hands.ledger.claimTurn({ runId: before.id, ...claim });
          expect(claimed !== undefined).toBe(isFree);
          if (!claimed) return false;
          const { run } = step as Moved;
          expect(stored(claimed.run)).toEqual(stored(run));
          expect(claimed.run).toMatchObject({ held: true, version: placed.version + 1 });
          const read = await hands.load(before.id);
          expect(stored(read)).toEqual(stored(run));
          expect((await hands.ground.events(before.id)).slice(2)).toEqual((step as Moved).events);
          expect(claimed.messages).toEqual(newRun().messages);
          return true;
        }),
      );
      expect(new Set(granted).size).toBe(2);
    });
  });
}
