import { expect, it } from 'vitest';
import { ClaimBatcher } from './claim-batcher.js';
import type { ClaimedTurn, TurnClaim } from './claim-turns.js';

/** A ledger that answers a batch when the test says so, and grants every claim. */
function scripted(): {
  batches: string[][];
  answer: (error?: Error) => Promise<void>;
  batcher: ClaimBatcher;
} {
  const batches: string[][] = [];
  let settle: ((error?: Error) => void) | undefined;
  const batcher = new ClaimBatcher((claims) => {
    batches.push(claims.map(({ token }) => token));
    return new Promise((resolve, reject) => {
      settle = (error) => {
        const granted = new Map(claims.map((claim) => [claim.runId, { run: claim } as never]));
        if (error) reject(error);
        else resolve(granted);
      };
    });
  });
  const answer = async (error?: Error): Promise<void> => {
    settle?.(error);
    // All that follows from it has then happened.
    await new Promise(setImmediate);
  };
  return { batches, batcher, answer };
}

const claim = (runId: string, token = runId): TurnClaim => ({ runId, token, holder: 'h' });
const tokenOf = (turn: ClaimedTurn | undefined): unknown => turn?.run.token;

it('sends the first claim at once and those that come meanwhile together', async () => {
  const { batches, batcher, answer } = scripted();
  const claims = ['a', 'b', 'c'].map((id) => batcher.claim(claim(id)));
  expect(batches).toEqual([['a']]);
  await answer();
  expect(tokenOf(await claims[0])).toBe('a');
  expect(batches).toEqual([['a'], ['b', 'c']]);
  await answer();
  expect((await Promise.all(claims)).map(tokenOf)).toEqual(['a', 'b', 'c']);
});

it('asks for a run once in a statement: a second claim of it goes after the first', async () => {
  const { batches, batcher, answer } = scripted();
  const first = batcher.claim(claim('x'));
  const twice = [batcher.claim(claim('a', 'one')), batcher.claim(claim('a', 'two'))];
  await answer();
  await first;
  await answer();
  expect(tokenOf(await twice[0])).toBe('one');
  await answer();
  expect(tokenOf(await twice[1])).toBe('two');
  expect(batches).toEqual([['x'], ['one'], ['two']]);
});

it('goes on after a batch that failed, which fails its claims alone', async () => {
  const { batcher, answer } = scripted();
  const broken = batcher.claim(claim('a')).catch((error: Error) => error.message);
  const next = batcher.claim(claim('b'));
  await answer(new Error('refused'));
  expect(await broken).toBe('refused');
  await answer();
  expect(tokenOf(await next)).toBe('b');
});
