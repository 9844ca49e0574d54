import { v7 as uuidv7 } from 'uuid';
import { describe, expect, it } from 'vitest';
import { newRun } from '../ledger.js';
import type { Hands } from './ground.js';

export function testAccepting(hands: Hands): void {
  describe('accepts', () => {
    it('a run once, with its first event, its input and its toolset', async () => {
      const run = newRun();
      expect(await hands.ledger.accept(run)).toEqual({ kind: 'accepted' });
      expect(await hands.ledger.accept(run)).toEqual({ kind: 'accepted' });
      expect(await hands.ground.events(run.id)).toMatchObject([{ type: 'run.accepted' }]);
      expect(await hands.ledger.turnInput(run.id)).toEqual({ messages: run.messages, earlier: [] });
      expect(await hands.ledger.toolset(run.toolset.hash)).toEqual(run.toolset.body);
      await expect(hands.ledger.toolset('none')).rejects.toMatchObject({ code: 'internal' });
    });

    it('one run for a key, however many ask at once, and no other body; each tenant has its own keys', async () => {
      const idempotency = { key: uuidv7(), bodyHash: Buffer.from('same') };
      const runs = Array.from({ length: 6 }, () => newRun({ idempotency }));
      const kinds = await Promise.all(runs.map((run) => hands.ground.open(() => true).accept(run)));
      const winner = runs[kinds.findIndex(({ kind }) => kind === 'accepted')]?.id;
      expect(kinds.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
      expect(kinds.filter(({ kind }) => kind !== 'accepted')).toEqual(
        Array.from({ length: 5 }, () => ({ kind: 'replayed', runId: winner })),
      );
      const other = { ...idempotency, bodyHash: Buffer.from('other') };
      expect(await hands.ledger.accept(newRun({ idempotency: other }))).toEqual({
        kind: 'conflict',
      });
      await hands.accept({ tenantId: 'other', idempotency });
    });
  });
}
