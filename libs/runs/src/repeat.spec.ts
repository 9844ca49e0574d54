import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { repeat } from './repeat.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('begins every so often, also after a failure, but never twice at once', async () => {
  const errors: unknown[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => ends.push((error) => (error ? reject(error) : resolve())));
  const loop = repeat(1_000, work, (error) => errors.push(error));
  await vi.advanceTimersByTimeAsync(999);
  expect(ends).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(ends).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(400);
  ends[0]?.(new Error('first'));
  await vi.advanceTimersByTimeAsync(600);
  expect(ends).toHaveLength(2);
  expect(errors).toEqual([new Error('first')]);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(ends).toHaveLength(2);
  ends[1]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(ends).toHaveLength(3);
  let isStopped = false;
  void loop.stop().then(() => (isStopped = true));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(isStopped).toBe(false);
  ends[2]?.();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(isStopped).toBe(true);
  expect(ends).toHaveLength(3);
});
