import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Leases } from './leases.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('a lease is lost soon after the heartbeats failed, and stays lost', () => {
  const epoch = { id: 'p1', fresh: true, isFresh: () => epoch.fresh };
  const leases = new Leases(epoch);
  const { signal } = leases.watch('p1');
  vi.advanceTimersByTime(5_000);
  expect(signal.aborted).toBe(false);
  epoch.fresh = false;
  expect(leases.isHeld('p1')).toBe(false);
  vi.advanceTimersByTime(500);
  expect(signal.aborted).toBe(true);
});

it('a process that came back as another holds nothing of what it held', () => {
  const epoch = { id: 'p1', isFresh: () => true };
  const leases = new Leases(epoch);
  const old = leases.watch('p1');
  epoch.id = 'p2';
  const own = leases.watch('p2');
  expect([leases.isHeld('p1'), leases.isHeld('p2'), leases.isHeld(null)]).toEqual([
    false,
    true,
    false,
  ]);
  vi.advanceTimersByTime(500);
  expect([old.signal.aborted, own.signal.aborted]).toEqual([true, false]);
});

it('nothing runs on while no call is in work', () => {
  const leases = new Leases({ id: 'p1', isFresh: () => true });
  const [one, other] = [leases.watch('p1'), leases.watch('p1')];
  one.release();
  expect(vi.getTimerCount()).toBe(1);
  other.release();
  expect(vi.getTimerCount()).toBe(0);
});
