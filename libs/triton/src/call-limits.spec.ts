import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { whileWanted } from './call-limits.js';

const never = new Promise<never>(() => {});

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('whileWanted', () => {
  it('settles as the work does, and lets go of signal and clock', async () => {
    const controller = new AbortController();
    const removed = vi.spyOn(controller.signal, 'removeEventListener');
    const context = {
      metadata: {},
      deadline: performance.now() + 1_000,
      signal: controller.signal,
    };
    const call = { operation: 'ModelInfer', context };
    expect(await whileWanted(Promise.resolve('done'), call)).toBe('done');
    await expect(whileWanted(Promise.reject(new Error('failed')), call)).rejects.toThrow('failed');
    expect(vi.getTimerCount()).toBe(0);
    expect(removed).toHaveBeenCalledTimes(2);
  });

  it('ends with the time of the call', async () => {
    const context = { metadata: {}, deadline: performance.now() + 100 };
    const outcome = whileWanted(never, { operation: 'ModelInfer', context }).catch(
      (error: unknown) => error,
    );
    await vi.advanceTimersByTimeAsync(100);
    expect(await outcome).toMatchObject({
      code: 'deadline_exceeded',
      progress: 'unsent',
      operation: 'ModelInfer',
    });
  });

  it('ends with the signal', async () => {
    const context = { metadata: {}, signal: AbortSignal.abort('why') };
    await expect(whileWanted(never, { operation: 'ModelInfer', context })).rejects.toMatchObject({
      code: 'cancelled',
      cause: 'why',
    });
  });

  it.each([
    [
      { timeoutMs: 500, label: 'ModelInfer of model m' },
      'ModelInfer of model m: no answer within 500 ms',
    ],
    [{ timeoutMs: 20_000 }, 'a call: no answer within 20 s'],
    [{}, 'a call: the deadline has passed'],
    [{ signal: AbortSignal.abort(), label: 'ServerLive' }, 'ServerLive: cancelled by its signal'],
  ])('says of %o: %s', async (known, message) => {
    const context = { metadata: {}, deadline: performance.now(), ...known };
    const call = { operation: 'ModelInfer', context };
    await expect(whileWanted(never, call)).rejects.toMatchObject({ message });
  });
});
