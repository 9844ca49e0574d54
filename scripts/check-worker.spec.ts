import { beforeAll, expect, it } from 'vitest';
import { build } from './build.mjs';
import { checkWorker } from './check-worker.mjs';

// It reads the build.
beforeAll(() => build(), 60_000);

const check = (runtime: string, env: NodeJS.ProcessEnv) =>
  checkWorker({ env: { RUNTIME: runtime } }, undefined, { PATH: process.env['PATH'], ...env });

it.each([
  ['triton', { TRITON_URL: 'nonsense' }, /^TRITON_URL cannot be used: .*nonsense/],
  [
    'embedded',
    { WORKER_CONCURRENCY: '0', TRITON_BALANCE: 'x' },
    /^TRITON_BALANCE .*; WORKER_CONCURRENCY /,
  ],
  ['openai', { OPENAI_BASE_URL: 'http://127.0.0.1:1/v1', MODEL: 'm' }, /^MODEL_CARD is not set/],
])('%s: refuses %o', async (runtime, env, message) => {
  await expect(check(runtime, env)).rejects.toThrow(message);
});

it('does not ask for what the start itself finds', async () => {
  await expect(check('triton', { PORT: 'any', REDIS_URL: '' })).resolves.toBeUndefined();
});
