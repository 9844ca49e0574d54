import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adapterPath, defaultModel } from '../../apps/worker/src/models/default-model.js';
import { loadEmbeddedModel } from '../../apps/worker/src/models/embedded.js';
import type { Model } from '../../apps/worker/src/models/model.js';
import { artifactPath, MODEL } from '../../scripts/artifacts.mjs';
import { shuffleWeights } from '../support/shuffle-weights.js';
import { itKeepsTheContract, officeRequests } from './contract.js';
import { judgeParaphrases, type Verdict } from './paraphrases.js';

const weights = artifactPath(MODEL);
/** Of the 20 paraphrases. */
const MOST_WRONG = 4;
const { card } = defaultModel;

const open = () => loadEmbeddedModel({ card, weights, adapter: adapterPath() });

itKeepsTheContract(open);

describe('the default model', () => {
  let model: Model;

  beforeAll(async () => {
    model = await open();
  });

  afterAll(async () => {
    await model?.close();
  });

  it('answers at least 16 of the 20 paraphrases of the office scene', async () => {
    const verdicts: Verdict[] = [];
    for await (const verdict of judgeParaphrases(model)) verdicts.push(verdict);
    const wrong = verdicts.filter(({ right }) => !right);
    expect(verdicts).toHaveLength(20);
    expect(wrong.length > MOST_WRONG ? wrong : []).toEqual([]);
  });

  it('owes that to its weights: with shuffled ones it fails', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hammerline-shuffled-'));
    const copy = join(folder, 'shuffled.gguf');
    await shuffleWeights(weights, copy, 1);
    const shuffled = await loadEmbeddedModel({ card, weights: copy, adapter: adapterPath() });
    let wrong = 0;
    try {
      for await (const { right } of judgeParaphrases(shuffled)) {
        if (!right) wrong += 1;
        // Enough to fail the test above; the rest would only take time.
        if (wrong > MOST_WRONG) break;
      }
    } finally {
      await shuffled.close();
      await rm(folder, { recursive: true });
    }
    expect(wrong).toBe(MOST_WRONG + 1);
  });

  it('wants room for the whole answer', async () => {
    const request = await officeRequests();
    await expect(model.generate(request('Hi.', { maxTokens: 4096 }))).rejects.toMatchObject({
      code: 'context_overflow',
    });
  });
});
