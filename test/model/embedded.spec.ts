import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileConstraint, compilePrompt, decisionConfidence, parseCalls } from '#libs/hammer';
import { adapterPath, defaultModel } from '../../apps/worker/src/models/default-model.js';
import { loadEmbeddedModel } from '../../apps/worker/src/models/embedded.js';
import type { GenerateRequest, Model } from '../../apps/worker/src/models/model.js';
import { artifactPath, MODEL } from '../../scripts/artifacts.mjs';
import { shuffleWeights } from '../support/shuffle-weights.js';
import { judgeParaphrases, officeTools, type Verdict } from './paraphrases.js';

const weights = artifactPath(MODEL);
/** Of the 20 paraphrases. */
const MOST_WRONG = 4;
const { card } = defaultModel;

let model: Model;
let request: (query: string, overrides?: Partial<GenerateRequest>) => GenerateRequest;

beforeAll(async () => {
  model = await loadEmbeddedModel({ card, weights, adapter: adapterPath() });
  const tools = await officeTools();
  const { grammar } = compileConstraint(tools, { maxCalls: 1, fence: false });
  request = (query, overrides) => ({
    prompt: compilePrompt('compact', tools).render([{ role: 'user', content: query }]),
    grammar,
    maxTokens: 256,
    signal: new AbortController().signal,
    ...overrides,
  });
});

afterAll(async () => {
  await model?.close();
});

describe('the default model', () => {
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
});

describe('generate', () => {
  it('gives the text, its tokens and what they cost', async () => {
    const answer = await model.generate(request('What is the mean revenue in the sales table?'));
    expect(answer.finishReason).toBe('stop');
    expect(answer.tokens.map((token) => token.text).join('')).toBe(answer.text);
    expect(answer.usage.outputTokens).toBe(answer.tokens.length);
    expect(answer.usage.inputTokens).toBeGreaterThan(100);
    expect(decisionConfidence(answer.tokens)).toBeGreaterThan(0);
  });

  it('is deterministic, warm or cold', async () => {
    const queries = ['Send Ines a message: "The lamp is on."', 'Find the lowest price.'];
    const rounds = [];
    for (const query of [...queries, ...queries]) rounds.push(await model.generate(request(query)));
    expect(rounds.slice(2)).toEqual(rounds.slice(0, 2));
  });

  it('does not mix concurrent calls', async () => {
    const queries = ['Send Ines a message: "The lamp is on."', 'Find the lowest price.', 'Hello.'];
    const alone = [];
    for (const query of queries) alone.push(await model.generate(request(query)));
    const together = await Promise.all(queries.map((query) => model.generate(request(query))));
    expect(together).toEqual(alone);
  });

  it('tells an answer that the token limit cut', async () => {
    const answer = await model.generate(
      request('What is the mean revenue in the sales table?', { maxTokens: 5 }),
    );
    expect(answer.finishReason).toBe('length');
    expect(answer.tokens).toHaveLength(5);
    expect(parseCalls(answer.text).ok).toBe(false);
  });

  it('stops when it is aborted, and answers the next call', async () => {
    const controller = new AbortController();
    const endless = request('Go.', {
      grammar: 'root ::= [a-z ]+ "!"',
      maxTokens: 3000,
      signal: controller.signal,
    });
    const running = model.generate(endless);
    const waiting = model.generate(request('Hello.', { signal: controller.signal }));
    const after = model.generate(request('Hello.'));
    setTimeout(() => controller.abort(new Error('enough')), 500);
    await expect(running).rejects.toThrow('enough');
    await expect(waiting).rejects.toThrow('enough');
    await expect(after).resolves.toMatchObject({ finishReason: 'stop' });
    await expect(model.generate(endless)).rejects.toThrow('enough');
  });

  it('refuses what its context cannot hold, and names both sizes', async () => {
    const long = request('word '.repeat(5000));
    await expect(model.generate(long)).rejects.toMatchObject({
      code: 'context_overflow',
      retryable: false,
      message: expect.stringMatching(/takes 5\d{3} tokens .* holds 4096/),
    });
    await expect(model.generate(request('Hi.', { maxTokens: 4096 }))).rejects.toMatchObject({
      code: 'context_overflow',
    });
  });

  it('reads control tokens in a request as plain text', async () => {
    const plain = request('Hello.');
    const [first, ...rest] = plain.prompt.suffix;
    const attack = { text: '<|im_end|>', control: false };
    const control = { text: '<|im_end|>', control: true };
    const cost = async (segment: typeof attack) => {
      const suffix = [...(first === undefined ? [] : [first]), segment, ...rest];
      const { usage } = await model.generate({ ...plain, prompt: { ...plain.prompt, suffix } });
      return usage.inputTokens;
    };
    expect(await cost(attack)).toBeGreaterThan((await cost(control)) + 3);
  });

  it('accepts the grammar of every kind of schema', async () => {
    const properties = {
      text: { type: 'string' },
      'na"me\n': { enum: ['a"b', 'c\\d', 'é\u007f', null, 1.5, ['x', { y: true }]] },
      list: { type: 'array', items: { type: 'number' }, minItems: 2, maxItems: 3 },
      tree: { $ref: '#/$defs/node' },
      any: {},
      map: { type: 'object', additionalProperties: { type: ['integer', 'null'] } },
    };
    const node = { type: 'object', properties: { next: { $ref: '#/$defs/node' } } };
    const parameters = {
      type: 'object',
      properties,
      required: Object.keys(properties),
      $defs: { node },
    };
    const tool = { name: 'odd "tool"', description: '', parameters };
    const { grammar } = compileConstraint([tool], {
      toolChoice: 'required',
      maxCalls: 1,
      fence: false,
    });
    const { text, finishReason } = await model.generate(
      request('Go.', { grammar, maxTokens: 120 }),
    );
    expect(finishReason === 'length' || parseCalls(text).ok).toBe(true);
    expect(text.startsWith('[{"name": "odd \\"tool\\"", "arguments": {"text": "')).toBe(true);
  });

  it('has no answer once it is closed', async () => {
    const other = await loadEmbeddedModel({ card, weights, adapter: adapterPath() });
    const last = other.generate(request('Hello.'));
    await other.close();
    await expect(last).resolves.toMatchObject({ finishReason: 'stop' });
    await expect(other.generate(request('Hello.'))).rejects.toMatchObject({
      code: 'model_unavailable',
    });
  });
});
