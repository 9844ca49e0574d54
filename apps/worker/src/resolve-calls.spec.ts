import { describe, expect, it } from 'vitest';
import { HammerlineError } from '#libs/contracts';
import { promptText } from '#libs/hammer';
import type { ModelCard } from '#libs/models';
import { compileToolset } from '#libs/turn';
import type { GenerateRequest, Generation, Model } from './models/model.js';
import { resolveCalls } from './resolve-calls.js';

const card: ModelCard = {
  name: 'scripted',
  flavour: 'compact',
  maxCalls: 8,
  contextTokens: 4096,
  stop: ['<|im_end|>'],
  maskTrained: false,
  confidenceThreshold: 0.5,
};
const tools = [
  {
    name: 'send',
    description: 'Send.',
    parameters: {
      type: 'object',
      properties: { to: { type: 'string', pattern: '^[A-Z]' } },
      required: ['to'],
    },
  },
];
const messages = [{ role: 'user' as const, content: 'Tell Dana.' }];
const signal = new AbortController().signal;
const right = '[{"name": "send", "arguments": {"to": "Dana"}}]';
const wrong = '[{"name": "send", "arguments": {"to": "dana"}}]';

/** A model that says what it is told to: each token with the given probability. */
function scripted(
  ...answers: (HammerlineError | readonly [text: string, probability?: number, end?: 'length'])[]
) {
  const asked: GenerateRequest[] = [];
  const model: Model = {
    runtime: 'embedded',
    card,
    servers: 1,
    check: () => Promise.resolve(),
    generate(request): Promise<Generation> {
      const next = answers[asked.length] ?? ['[]'];
      asked.push(request);
      if (next instanceof HammerlineError) return Promise.reject(next);
      const [text, probability = 1, finishReason = 'stop'] = next;
      return Promise.resolve({
        text,
        tokens: [{ text, logprob: Math.log(probability) }],
        finishReason,
        usage: { inputTokens: 1, outputTokens: 1 },
        firstTokenMs: 1,
      });
    },
    close: () => Promise.resolve(),
  };
  return { model, asked };
}

function resolve(model: Model) {
  return resolveCalls(model, compileToolset(tools, card), messages, signal);
}

async function failureOf(model: Model): Promise<HammerlineError> {
  const error: unknown = await resolve(model).catch((reason: unknown) => reason);
  if (error instanceof HammerlineError) return error;
  throw new Error('it did not fail', { cause: error });
}

describe('resolveCalls', () => {
  it('asks once where the answer is right', async () => {
    const { model, asked } = scripted([right, 0.8]);
    const { calls, confidence } = await resolve(model);
    expect(calls).toEqual([{ name: 'send', arguments: { to: 'Dana' } }]);
    expect(confidence).toBeCloseTo(0.8);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.constraint?.grammar).toContain('send');
    expect(asked[0]?.affinity).toBe(compileToolset(tools, card).affinity);
  });

  it('gives a refused answer back to the model, with what is wrong', async () => {
    const { model, asked } = scripted([wrong, 0.6], [right, 0.9]);
    const { calls, confidence } = await resolve(model);
    expect(calls).toHaveLength(1);
    expect(confidence).toBeCloseTo(0.6);
    const prompt = asked.map((request) => promptText(request.prompt));
    expect(prompt[1]).toContain(`<|im_start|>assistant\n${wrong}<|im_end|>`);
    expect(prompt[1]).toMatch(/user\nYour last answer cannot be used\..*\/arguments\/to/);
    // The state that the model computed for the first question serves the second one.
    expect(prompt[1]?.startsWith(prompt[0] ?? 'nothing')).toBe(true);
  });

  it('gives up after one repair', async () => {
    const { model, asked } = scripted([wrong], [wrong], [right]);
    const error = await failureOf(model);
    expect(error.code).toBe('invalid_call');
    expect(error.message).toContain('/arguments/to');
    expect(asked).toHaveLength(2);
  });

  it('names what was wrong where the repair does not fit the context, or the model gives up', async () => {
    const tooLong = new HammerlineError('context_overflow', 'too long');
    for (const second of [tooLong, ['[]'] as const]) {
      const error = await failureOf(scripted([wrong], second).model);
      expect(error.code).toBe('invalid_call');
      expect(error.message).toContain('/arguments/to');
    }
    expect((await failureOf(scripted(tooLong).model)).code).toBe('context_overflow');
  });

  it('asks for calls where the model gave words', async () => {
    const { model, asked } = scripted(['I will send it.'], [right]);
    expect((await resolve(model)).calls).toHaveLength(1);
    expect(asked).toHaveLength(2);
  });

  it('takes words and then an empty list for a refusal', async () => {
    expect((await resolve(scripted(['No tool does that.'], ['[]']).model)).calls).toEqual([]);
  });

  it('does not read or repair an answer that was cut short', async () => {
    const { model, asked } = scripted([right, 1, 'length']);
    expect((await failureOf(model)).message).toContain('did not end within 1 tokens');
    expect(asked).toHaveLength(1);
  });

  it('says what the request lacks', async () => {
    const { model } = scripted(['[{"name": "send", "arguments": {}}]']);
    const error = await failureOf(model);
    expect(error).toMatchObject({ code: 'needs_input', retryable: false });
    expect(error.message).toBe('The request does not say what send requires: to.');
  });

  it('takes an empty list for a refusal', async () => {
    expect((await resolve(scripted(['[]', 0.7]).model)).calls).toEqual([]);
  });
});
