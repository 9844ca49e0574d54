import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkReadiness, serveHealth } from './health.js';

describe('checkReadiness', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is ready when every check is, and names those that are not', async () => {
    expect(await checkReadiness({ a: () => true, b: () => Promise.resolve(true) })).toEqual({
      ready: true,
      checks: { a: 'ok', b: 'ok' },
    });
    const broken = (): boolean => {
      throw new Error('away');
    };
    expect(await checkReadiness({ a: () => true, b: () => false, c: broken })).toEqual({
      ready: false,
      checks: { a: 'ok', b: 'failed', c: 'failed' },
    });
  });

  it('does not wait for a check that hangs', async () => {
    const state = checkReadiness({ a: () => new Promise<boolean>(() => undefined) });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await state).toEqual({ ready: false, checks: { a: 'failed' } });
  });
});

it('serves liveness and readiness apart: a process that is not ready still lives', async () => {
  let ready = false;
  const health = await serveHealth({ host: '127.0.0.1', port: 0, checks: { it: () => ready } });
  const status = async (path: string): Promise<number> => (await fetch(health.url + path)).status;
  expect([await status('/livez'), await status('/readyz'), await status('/x')]).toEqual([
    200, 503, 404,
  ]);
  ready = true;
  expect(await status('/readyz')).toBe(200);
  await health.close();
});
