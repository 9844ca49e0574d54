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
  vi.advanceTimersByTime(1);
  expect(dead).toEqual([1_100]);
});

test('whatever comes after the question is a sign of life', () => {
  const { keepAlive, pings, dead } = watched(true);
  vi.advanceTimersByTime(1_050);
  keepAlive.heard(false);
  vi.advanceTimersByTime(999);
  expect([pings(), dead]).toEqual([1, []]);
  vi.advanceTimersByTime(1);
  expect(pings()).toBe(2);
});

test('while something comes, nothing is asked', () => {
  const { keepAlive, pings } = watched(true);
  for (let at = 0; at < 20; at++) {
    vi.advanceTimersByTime(900);
    keepAlive.heard(true);
  }
  expect(pings()).toBe(0);
});

test('an idle connection is left alone', () => {
  const { pings, dead } = watched(false);
  vi.advanceTimersByTime(100_000);
  expect([pings(), dead]).toEqual([0, []]);
});

test('a suspicion asks at once, and once per silence', () => {
  const { keepAlive, pings, dead } = watched(true);
  keepAlive.suspect();
  keepAlive.suspect();
  expect(pings()).toBe(1);
  vi.advanceTimersByTime(10);
  keepAlive.heard(false);
  vi.advanceTimersByTime(200);
  keepAlive.suspect();
  expect(pings()).toBe(1);
  keepAlive.heard(true);
  vi.advanceTimersByTime(5);
  keepAlive.suspect();
  expect(pings()).toBe(2);
  vi.advanceTimersByTime(100);
  expect(dead).toEqual([105]);
});

test('stopped, it asks nothing', () => {
  const { keepAlive, pings } = watched(true);
  keepAlive.stop();
  vi.advanceTimersByTime(10_000);
  expect(pings()).toBe(0);
});
