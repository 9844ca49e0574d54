import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setImmediate } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { PushQueue } from './push-queue.js';

async function readAll<T>(queue: PushQueue<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of queue) all.push(value);
  return all;
}

test('what was pushed is read in its order, before and after the end', async () => {
  const queue = new PushQueue<number>();
  const first = queue.next();
  for (const value of [1, 2, 3]) queue.push(value);
  queue.end();
  queue.push(4);
  expect(await first).toEqual({ done: false, value: 1 });
  expect(await readAll(queue)).toEqual([2, 3]);
  expect(await queue.next()).toEqual({ done: true, value: undefined });
});

test('readers that wait are served in their order, and told the end', async () => {
  const queue = new PushQueue<number>();
  const waiting = [queue.next(), queue.next(), queue.next()];
  queue.push(1);
  queue.push(2);
  queue.end();
  expect(await Promise.all(waiting)).toEqual([
    { done: false, value: 1 },
    { done: false, value: 2 },
    { done: true, value: undefined },
  ]);
});

test('an error comes after what is there, once; dropped, at once', async () => {
  const error = new Error('broken');
  const queue = new PushQueue<number>();
  queue.push(1);
  queue.fail(error);
  queue.fail(new Error('not this one'));
  expect(await queue.next()).toEqual({ done: false, value: 1 });
  await expect(queue.next()).rejects.toBe(error);
  expect(await queue.next()).toEqual({ done: true, value: undefined });

  const dropping = new PushQueue<number>();
  dropping.push(1);
  dropping.fail(error, { drop: true });
  await expect(dropping.next()).rejects.toBe(error);
});

test('an error reaches one of the readers that wait, the others hear the end', async () => {
  const queue = new PushQueue<number>();
  const waiting = [queue.next(), queue.next()];
  queue.fail(new Error('broken'));
  await expect(waiting[0]).rejects.toThrow('broken');
  expect(await waiting[1]).toEqual({ done: true, value: undefined });
});

test('a full queue asks to hold on, and says when there is room', async () => {
  const onRoom = vi.fn<() => void>();
  const queue = new PushQueue<string>({ limit: 10, onRoom });
  expect(queue.push('a', 9)).toBe(true);
  expect(queue.push('b', 5)).toBe(false);
  expect(queue.push('c', 1)).toBe(false);
  await queue.next();
  expect(onRoom).toHaveBeenCalledTimes(1);
  await queue.next();
  await queue.next();
  expect(onRoom).toHaveBeenCalledTimes(1);
});

test('a reader that leaves is told of, unless it was over', async () => {
  const onLeave = vi.fn<() => void>();
  const queue = new PushQueue<number>({ onLeave });
  queue.push(1);
  for await (const value of queue) {
    expect(value).toBe(1);
    break;
  }
  expect(onLeave).toHaveBeenCalledTimes(1);
  await queue.return();
  queue.push(2);
  expect(await queue.next()).toEqual({ done: true, value: undefined });
  const over = new PushQueue<number>({ onLeave });
  over.end();
  await over.return();
  expect(onLeave).toHaveBeenCalledTimes(1);
});

test('a queue that is never empty does not keep what was read', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const queue = new PushQueue<object>();
  queue.push({});
  const read: WeakRef<object>[] = [];
  for (let at = 0; at < 500; at++) {
    queue.push({});
    const { value } = await queue.next();
    if (value !== undefined) read.push(new WeakRef(value));
  }
  await setImmediate();
  gc();
  const kept = read.filter((it) => it.deref() !== undefined);
  expect(kept.length).toBeLessThan(100);
});
