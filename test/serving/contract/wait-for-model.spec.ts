import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type TritonClient, TritonError } from '#libs/triton';
import { waitForModel } from './wait-for-model.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const away = new TritonError('unavailable', 'connection refused', { reason: 'connection' });

it('waits while the server is away, then loads, and says so every 10 s', async () => {
  const modelReady = vi.fn<TritonClient['modelReady']>().mockResolvedValue(true);
  for (let second = 0; second < 15; second++) modelReady.mockRejectedValueOnce(away);
  for (let second = 15; second < 25; second++) modelReady.mockResolvedValueOnce(false);
  const say = vi.fn<(line: string) => void>();
  const waiting = waitForModel({ modelReady }, 'hammer', say);
  await vi.advanceTimersByTimeAsync(25_000);
  await waiting;
  expect(say.mock.calls.flat()).toEqual([
    'model hammer: not ready after 10 s: connection refused',
    'model hammer: not ready after 20 s: the server knows none of this name, or still loads it',
  ]);
});

it('gives up after 10 minutes, and says why', async () => {
  const waiting = waitForModel({ modelReady: () => Promise.reject(away) }, 'hammer', () => {});
  await Promise.all([
    expect(waiting).rejects.toThrow('not ready after 600 s: connection refused'),
    vi.advanceTimersByTimeAsync(600_000),
  ]);
});

it('does not wait for what time does not mend', async () => {
  const refused = new TritonError('unauthenticated', 'no key');
  const modelReady = (): Promise<boolean> => Promise.reject(refused);
  await expect(waitForModel({ modelReady }, 'hammer', () => {})).rejects.toBe(refused);
});
