import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { KeepAlive } from './keep-alive.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function watched(busy: boolean): { keepAlive: KeepAlive; pings: () => number; dead: number[] } {
  let pings = 0;
  const dead: number[] = [];
  const keepAlive = new KeepAlive(
    { keepAliveMs: 1_000, keepAliveTimeoutMs: 100 },
    { isBusy: () => busy, sendPing: () => pings++, onDead: (silentMs) => dead.push(silentMs) },
  );
  return { keepAlive, pings: () => pings, dead };
}

test('a silent connection with calls under way is asked, then dead', () => {
  const { pings, dead } = watched(true);
  vi.advanceTimersByTime(999);
  expect(pings()).toBe(0);
  vi.advanceTimersByTime(1);
  expect(pings()).toBe(1);
  vi.advanceTimersByTime(99);
  expect(dead).toEqual([]);
  // Fake immediates take a millisecond.
  vi.advanceTimersByTime(1 + 2);
  expect(dead).toEqual([1_102]);
});

test('whatever comes after the question is a sign of life', () => {
  const { keepAlive, pings, dead } = watched(true);
  vi.advanceTimersByTime(1_050);
  keepAlive.heard();
  vi.advanceTimersByTime(999);
  expect([pings(), dead]).toEqual([1, []]);
  vi.advanceTimersByTime(1);
  expect(pings()).toBe(2);
});

test('while something comes, nothing is asked', () => {
  const { keepAlive, pings } = watched(true);
  for (let at = 0; at < 20; at++) {
    vi.advanceTimersByTime(900);
    keepAlive.heard();
    keepAlive.answered();
  }
  expect(pings()).toBe(0);
});

test('an idle connection is left alone', () => {
  const { pings, dead } = watched(false);
  vi.advanceTimersByTime(100_000);
  expect([pings(), dead]).toEqual([0, []]);
});

test('a suspicion asks at once, and finds the dead', () => {
  const { keepAlive, pings, dead } = watched(true);
  vi.advanceTimersByTime(10);
  keepAlive.suspect();
  keepAlive.suspect();
  expect(pings()).toBe(1);
  vi.advanceTimersByTime(102);
  expect(dead).toEqual([111]);
});

test('suspicions in a silence that only pings break ask anew, with one strike at most', () => {
  const { keepAlive, pings, dead } = watched(true);
  const at: number[] = [];
  const began = performance.now();
  for (let asked = 0; performance.now() - began < 2_500;) {
    keepAlive.suspect();
    vi.advanceTimersByTime(10);
    if (pings() > asked) {
      at.push(performance.now() - began - 10);
      keepAlive.heard();
    }
    asked = pings();
  }
  // The second was sooner than keepAliveMs, thus the strike; the others were due.
  expect(at.map((it) => Math.floor(it / 100))).toEqual([0, 2, 12, 22]);
  expect(dead).toEqual([]);
});

test('once a call was answered, a suspicion asks at once again', () => {
  const { keepAlive, pings } = watched(true);
  for (let round = 1; round < 10; round++) {
    keepAlive.suspect();
    expect(pings()).toBe(round);
    keepAlive.heard();
    vi.advanceTimersByTime(150);
    keepAlive.suspect();
    expect(pings()).toBe(round);
    keepAlive.heard();
    keepAlive.answered();
  }
});

test('an event loop that is busy for long is no silence of the server', async () => {
  // Immediates are real: they come when the loop turns, however late the clock says it is by then.
  vi.useRealTimers();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const { keepAlive, dead } = watched(true);
  vi.advanceTimersByTime(1);
  keepAlive.suspect();
  // Busy before the ping has left.
  vi.advanceTimersByTime(60_000);
  await setImmediate();
  vi.advanceTimersByTime(60_000);
  // Busy while its answer came, which is read in this turn.
  keepAlive.heard();
  await setImmediate();
  expect(dead).toEqual([]);
  keepAlive.answered();
  vi.advanceTimersByTime(1);
  keepAlive.suspect();
  await setImmediate();
  vi.advanceTimersByTime(60_000);
  expect(dead).toEqual([]);
  await setImmediate();
  expect(dead).toEqual([60_001]);
});

test('stopped, it asks nothing', () => {
  const { keepAlive, pings } = watched(true);
  keepAlive.stop();
  vi.advanceTimersByTime(10_000);
  expect(pings()).toBe(0);
});
