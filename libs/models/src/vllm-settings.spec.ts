import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { SIZE_SETTINGS, vllmSettings } from './vllm-settings.js';

const model = { weights: '/w', contextTokens: 4096, loraRanks: [] };

it.each([
  ['0.5b', 0.99e9, 256, 3],
  ['1.5b', 3.09e9, 256, 4],
  ['3b', 6.17e9, 128, 4],
  ['7b', 15.2e9, 64, 5],
])('a model of %s gets its settings', (_, weightsBytes, sequences, tokens) => {
  expect(vllmSettings({ ...model, weightsBytes })).toMatchObject({
    model: '/w',
    max_model_len: 4096,
    max_num_seqs: sequences,
    speculative_config: { num_speculative_tokens: tokens },
  });
});

it.each([
  [[1], 8],
  [[16, 64], 64],
  [[512], 512],
])('adapters of ranks %j need room for %i', (loraRanks, rank) => {
  const settings = vllmSettings({ ...model, weightsBytes: 1e9, loraRanks });
  expect(settings).toMatchObject({ max_lora_rank: rank, max_loras: loraRanks.length });
});

it('docs/gpu.md has the same table', () => {
  const page = readFileSync('docs/gpu.md', 'utf8');
  const rows = [...page.matchAll(/^\| ([\d.]+b) +\| (\d+) +\| (\d+) +\| (\d+) +\|/gm)];
  expect(rows.map(([, ...cells]) => cells)).toEqual(
    SIZE_SETTINGS.map(({ size, maxNumSeqs, maxNumBatchedTokens, speculativeTokens }) =>
      [size, maxNumSeqs, maxNumBatchedTokens, speculativeTokens].map(String),
    ),
  );
});
