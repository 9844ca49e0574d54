import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watchSilence } from './watch-silence.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watched() {
  const state = { taken: 0, isIdle: async () => true, revived: 0, silent: 0 };
  const watch = watchSilence({
    afterMs: 15_000,
    taken: () => state.taken,
    isIdle: () => state.isIdle(),
    revive: () => (state.revived += 1),
    onSilent: () => (state.silent += 1),
  });
  return { state, watch };
}

it('revives what takes nothing though work waits, and gives it up when that does not help', async () => {
  const { state } = watched();
  await vi.advanceTimersByTimeAsync(19_000);
  expect(state).toMatchObject({ revived: 0, silent: 0 });
  await vi.advanceTimersByTimeAsync(2_000);
  expect(state).toMatchObject({ revived: 1, silent: 0 });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(state).toMatchObject({ revived: 1, silent: 1 });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(state).toMatchObject({ revived: 1, silent: 1 });
});

it('revives again what was revived and worked', async () => {
  const { state } = watched();
  await vi.advanceTimersByTimeAsync(21_000);
  state.taken += 1;
  await vi.advanceTimersByTimeAsync(26_000);
  expect(state).toMatchObject({ revived: 2, silent: 0 });
});

it('leaves alone what takes something, has nothing to take, or cannot be judged', async () => {
  const { state } = watched();
  for (let minute = 0; minute < 5; minute++) {
    await vi.advanceTimersByTimeAsync(14_000);
    state.taken += 1;
  }
  state.isIdle = async () => false;
  await vi.advanceTimersByTimeAsync(60_000);
  state.isIdle = () => Promise.reject(new Error('Redis is away'));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(state).toMatchObject({ revived: 0, silent: 0 });
});

it('does nothing more once it was stopped', async () => {
  const { state, watch } = watched();
  await vi.advanceTimersByTimeAsync(16_000);
  watch.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(state.revived).toBe(0);
});
