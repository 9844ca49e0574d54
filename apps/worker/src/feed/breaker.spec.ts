import { HammerlineError } from '#libs/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Breaker } from './breaker.js';

const away = new HammerlineError('model_unavailable', 'away');
const broken = new HammerlineError('model_failed', 'broken');

let told: string[];
let checkedAt: number[];
let answer: (signal: AbortSignal) => Promise<void>;
let breaker: Breaker;

beforeEach(() => {
  vi.useFakeTimers({ now: 0, toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  told = [];
  checkedAt = [];
  answer = () => Promise.resolve();
  breaker = new Breaker({
    check: (signal) => {
      checkedAt.push(Date.now());
      return answer(signal);
    },
    onOpened: ({ message }) => told.push(`opened: ${message}`),
    onReason: ({ message }) => told.push(`still away: ${message}`),
    onClosed: () => told.push('closed'),
    random: () => 0.5,
  });
});

afterEach(async () => {
  await breaker.stop();
  vi.useRealTimers();
});

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

async function closed(): Promise<void> {
  breaker.start();
  await pass(1);
  expect(breaker.isClosed).toBe(true);
  told.length = 0;
  checkedAt.length = 0;
}

describe('a breaker', () => {
  it('is open until the first check passes, and asks with growing pauses', async () => {
    answer = () => Promise.reject(away);
    breaker.start();
    expect(breaker.isClosed).toBe(false);
    await pass(10_000);
    const pauses = checkedAt.slice(1).map((at, index) => at - (checkedAt[index] ?? 0));
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 2_000, 2_000, 2_000]);
    answer = () => Promise.resolve();
    await pass(5_000);
    expect(breaker.isClosed).toBe(true);
  });

  it('tells each reason once, not each check', async () => {
    answer = () => Promise.reject(away);
    breaker.start();
    await pass(3_000);
    answer = () => Promise.reject(new HammerlineError('model_refused', 'no such adapter'));
    await pass(8_000);
    answer = () => Promise.resolve();
    await pass(5_000);
    expect(told).toEqual(['still away: away', 'still away: no such adapter', 'closed']);
  });

  it.each([away, new HammerlineError('model_overloaded', 'away')])(
    'opens at once where no server took a request ($code), and closes when a check passes',
    async (error) => {
      await closed();
      breaker.failed(error, breaker.term);
      expect(breaker.isClosed).toBe(false);
      await pass(249);
      expect(breaker.isClosed).toBe(false);
      await pass(1);
      expect(told).toEqual(['opened: away', 'closed']);
    },
  );

  it('opens after five failures in a row, and not when answers come in between', async () => {
    await closed();
    for (let count = 1; count <= 12; count += 1) {
      breaker.failed(broken, breaker.term);
      if (count % 4 === 0) breaker.succeeded();
    }
    expect(breaker.isClosed).toBe(true);
    for (let count = 1; count <= 5; count += 1) breaker.failed(broken, breaker.term);
    expect(breaker.isClosed).toBe(false);
  });

  it('stays closed for what is the fault of a request', async () => {
    await closed();
    const overflow = new HammerlineError('context_overflow', 'too long');
    for (let count = 1; count <= 20; count += 1) {
      breaker.failed(overflow, breaker.term);
      breaker.failed(new DOMException('gone', 'AbortError'), breaker.term);
    }
    expect(breaker.isClosed).toBe(true);
  });

  it('pays no heed to what was sent before it last closed', async () => {
    await closed();
    const { term } = breaker;
    breaker.failed(away, term);
    await pass(250);
    breaker.failed(away, term);
    expect(breaker.isClosed).toBe(true);
  });

  it('waits longer each time for a model that passes checks and takes no requests', async () => {
    await closed();
    const pauses: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      const openedAt = Date.now();
      breaker.failed(away, breaker.term);
      await pass(5_000);
      pauses.push((checkedAt.at(-1) ?? 0) - openedAt);
    }
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 2_000, 2_000]);
    breaker.succeeded();
    breaker.failed(away, breaker.term);
    await pass(250);
    expect(breaker.isClosed).toBe(true);
  });

  it('takes a check that hangs for a failed one', async () => {
    // Not a timer of the test's: AbortSignal.timeout knows only the real clock.
    const late = new AbortController();
    vi.spyOn(AbortSignal, 'timeout').mockReturnValueOnce(late.signal);
    answer = (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    breaker.start();
    await pass(1);
    late.abort();
    await pass(1);
    expect(told).toEqual(['still away: the model did not answer a check within 30 s']);
  });

  it('does not open any more once it is stopped, and has nothing to wait for then', async () => {
    await closed();
    await breaker.stop();
    breaker.failed(away, breaker.term);
    await breaker.stop();
    expect(told).toEqual([]);
  });

  it('ends its checks when it is stopped', async () => {
    answer = () => Promise.reject(away);
    breaker.start();
    await pass(1_000);
    await breaker.stop();
    const checks = checkedAt.length;
    await pass(60_000);
    expect(checkedAt).toHaveLength(checks);
  });
});
