import { describe, expect, it } from 'vitest';
import { GroupCommit } from './group-commit.js';

interface Item {
  key: string;
  value?: string;
}

/** A ledger that takes a batch when the test says so, unless it finds poison in it. */
function scripted({ maxBatch = 100, maxWaiting = 100 } = {}) {
  const batches: string[][] = [];
  let answer: ((error?: Error) => void) | undefined;
  const commits = new GroupCommit<Item, string>({
    send: (items) => {
      const values = items.map(({ key, value = key }) => value);
      batches.push(values);
      return new Promise((resolve, reject) => {
        answer = (error) => {
          if (error) reject(error);
          else if (values.includes('poison')) reject(new Error('refused'));
          else resolve(values.map((value) => `${value}, committed`));
        };
      });
    },
    keyOf: ({ key }) => key,
    maxBatch,
    maxWaiting,
  });
  const take = async (error?: Error): Promise<void> => {
    answer?.(error);
    // All that follows from it has then happened.
    await new Promise(setImmediate);
  };
  const submit = (key: string, value = key): Promise<string> =>
    commits.submit({ key, value }).catch((error: Error) => error.message);
  return { batches, take, submit };
}

describe('a group commit', () => {
  it('sends what comes alone at once, and together what comes meanwhile, each with its own answer', async () => {
    const { batches, take, submit } = scripted();
    const answers = ['a', 'b', 'c'].map((key) => submit(key));
    expect(batches).toEqual([['a']]);
    await take();
    expect(await answers[0]).toBe('a, committed');
    expect(batches).toEqual([['a'], ['b', 'c']]);
    await take();
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c'].map((key) => `${key}, committed`));
  });

  it('gives the answers to whom they belong', async () => {
    const { batches, take, submit } = scripted();
    const first = submit('first');
    const answers = ['c', 'a', 'b'].map((key) => submit(key));
    await take();
    await take();
    expect(batches[1]).toEqual(['c', 'a', 'b']);
    expect(await Promise.all([first, ...answers])).toEqual(
      ['first', 'c', 'a', 'b'].map((key) => `${key}, committed`),
    );
  });

  it('has a key once in a batch: what comes for it later goes later, in its order', async () => {
    const { batches, take, submit } = scripted();
    const answers = [submit('x'), submit('a', 'one'), submit('a', 'two'), submit('b')];
    await take();
    await take();
    await take();
    expect(batches).toEqual([['x'], ['one', 'b'], ['two']]);
    expect(await answers[2]).toBe('two, committed');
  });

  it('sends no more at once than a batch holds', async () => {
    const { batches, take, submit } = scripted({ maxBatch: 2 });
    const answers = ['a', 'b', 'c', 'd'].map((key) => submit(key));
    await take();
    await take();
    await take();
    expect(batches).toEqual([['a'], ['b', 'c'], ['d']]);
    expect(await answers[3]).toBe('d, committed');
  });

  it('finds the items that are refused by halving; their neighbours are committed, what came after too', async () => {
    const { batches, take, submit } = scripted();
    const first = submit('0');
    const answers = ['a', 'b', 'c', 'd', 'e'].map((key) =>
      submit(key, key === 'b' || key === 'e' ? 'poison' : key),
    );
    for (let takes = 0; takes < 10; takes += 1) await take();
    expect(await Promise.all([first, ...answers])).toEqual([
      '0, committed',
      'a, committed',
      'refused',
      'c, committed',
      'd, committed',
      'refused',
    ]);
    expect(batches.slice(1, 4)).toEqual([
      ['a', 'poison', 'c', 'd', 'poison'],
      ['a', 'poison', 'c'],
      ['a', 'poison'],
    ]);
    const next = submit('f');
    await take();
    expect(await next).toBe('f, committed');
  });

  it('fails a whole batch where the ledger is away, and sends nothing again by itself', async () => {
    const { batches, take, submit } = scripted();
    const answers = ['a', 'b', 'c'].map((key) => submit(key));
    await take();
    await take(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }));
    expect(await Promise.all(answers)).toEqual(['a, committed', 'gone', 'gone']);
    expect(batches).toHaveLength(2);
  });

  it('lets only so many wait; one more is refused at once, and others come in when some have gone', async () => {
    const { take, submit } = scripted({ maxWaiting: 2 });
    const answers = ['a', 'b', 'c'].map((key) => submit(key));
    expect(await submit('d')).toMatch(/^More waits/);
    await take();
    const later = submit('e');
    await take();
    await take();
    expect(await Promise.all([...answers, later])).toEqual(
      ['a', 'b', 'c', 'e'].map((key) => `${key}, committed`),
    );
  });
});
