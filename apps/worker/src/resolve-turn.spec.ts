import { describe, expect, it } from 'vitest';
import { HammerlineError } from '#libs/contracts';
import { promptText } from '#libs/hammer';
import type { ModelCard } from '#libs/models';
import { chatPrompt, compileToolset } from '#libs/turn';
import type { GenerateRequest, Generation, Model } from './models/model.js';
import { resolveTurn, type TurnQuestion } from './resolve-turn.js';

const card: ModelCard = {
  name: 'scripted',
  flavour: 'compact',
  maxCalls: 8,
  contextTokens: 4096,
  stop: ['<|im_end|>'],
  maskTrained: false,
  chat: false,
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

type Scripted = HammerlineError | readonly [text: string, probability?: number, end?: 'length'];

/** A model that says what it is told to: each token with the given probability. */
function scripted(...answers: Scripted[]) {
  return scriptedModel(answers, false);
}

function talking(...answers: Scripted[]) {
  return scriptedModel(answers, true);
}

function scriptedModel(answers: Scripted[], talks: boolean) {
  const asked: GenerateRequest[] = [];
  const model: Model = {
    runtime: 'embedded',
    card: { ...card, chat: talks },
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
        usage: { inputTokens: 10, outputTokens: 1 },
        firstTokenMs: 1,
      });
    },
    close: () => Promise.resolve(),
  };
  return { model, asked };
}

function resolve(model: Model, over: Partial<TurnQuestion> = {}) {
  const toolset = compileToolset(tools, card);
  const question = { toolset, messages, until: 'calls', hasCalled: false, signal } as const;
  return resolveTurn(model, { ...question, ...over });
}

async function failureOf(model: Model, over: Partial<TurnQuestion> = {}): Promise<HammerlineError> {
  const error: unknown = await resolve(model, over).catch((reason: unknown) => reason);
  if (error instanceof HammerlineError) return error;
  throw new Error('it did not fail', { cause: error });
}

const call = { name: 'send', arguments: { to: 'Dana' } };

describe('resolveTurn', () => {
  it('asks once where the answer is right', async () => {
    const { model, asked } = scripted([right, 0.8]);
    const { answer, confidence, tokens } = await resolve(model);
    expect(answer).toEqual({ outcome: 'calls', calls: [call] });
    expect(confidence).toBeCloseTo(0.8);
    expect(tokens).toBe(11);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.constraint?.grammar).toContain('send');
    expect(asked[0]?.affinity).toBe(compileToolset(tools, card).affinity);
  });

  it('gives a refused answer back to the model, with what is wrong', async () => {
    const { model, asked } = scripted([wrong, 0.6], [right, 0.9]);
    const { answer, confidence, tokens } = await resolve(model);
    expect(answer).toEqual({ outcome: 'calls', calls: [call] });
    expect(confidence).toBeCloseTo(0.6);
    expect(tokens).toBe(22);
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

  it.each(['calls', 'answer'] as const)(
    'names what was wrong where the repair does not fit the context, or the model gives up: until %s',
    async (until) => {
      const tooLong = new HammerlineError('context_overflow', 'too long');
      for (const second of [tooLong, ['[]'], ['I cannot.']] as const) {
        const error = await failureOf(scripted([wrong], second).model, { until });
        expect(error.code).toBe('invalid_call');
        expect(error.message).toContain('/arguments/to');
      }
      expect((await failureOf(scripted(tooLong).model, { until })).code).toBe('context_overflow');
    },
  );

  it('does not read or repair an answer that was cut short', async () => {
    const { model, asked } = scripted([right, 1, 'length']);
    expect((await failureOf(model)).message).toContain('did not end within 1 tokens');
    expect(asked).toHaveLength(1);
  });

  it('says what the request lacks', async () => {
    const { answer } = await resolve(scripted(['[{"name": "send", "arguments": {}}]']).model);
    expect(answer).toEqual({
      outcome: 'needs_input',
      text: 'The request does not say what send requires: to.',
      missing: { tool: 'send', parameters: ['to'] },
    });
  });

  describe('until calls', () => {
    it('asks for calls where the model gave words', async () => {
      const { model, asked } = scripted(['I will send it.'], [right]);
      expect((await resolve(model)).answer).toMatchObject({ outcome: 'calls' });
      expect(asked).toHaveLength(2);
    });

    it.each([[['[]']], [['No tool does that.', '[]']]])(
      'takes %j for a refusal, and says so without asking for words',
      async (texts) => {
        const { model, asked } = talking(...texts.map((text) => [text] as const));
        expect((await resolve(model)).answer).toEqual({
          outcome: 'irrelevant',
          text: 'None of the tools can do what is asked.',
        });
        expect(asked).toHaveLength(texts.length);
      },
    );
  });

  describe('until an answer', () => {
    const until = 'answer';

    it('takes words for one', async () => {
      const { model, asked } = scripted(['Dana knows.']);
      expect(await resolve(model, { until })).toMatchObject({
        answer: { outcome: 'answer', text: 'Dana knows.' },
        tokens: 11,
      });
      expect(asked).toHaveLength(1);
    });

    it('asks a model that talks for words where it has no call, without tools', async () => {
      const { model, asked } = talking(['[]', 0.7], [' I cannot sing.\n', 0.1]);
      const { answer, confidence, tokens } = await resolve(model, { until });
      expect(answer).toEqual({ outcome: 'irrelevant', text: 'I cannot sing.' });
      expect(confidence).toBeCloseTo(0.7);
      expect(tokens).toBe(22);
      const [, chat] = asked;
      expect(chat).toMatchObject({ signal });
      expect(chat?.constraint).toBeUndefined();
      expect(promptText(chat?.prompt ?? { prefix: [], suffix: [] })).toBe(
        promptText(chatPrompt(messages)),
      );
    });

    it('says that words were cut', async () => {
      const { model } = talking(['[]'], ['I would', 1, 'length']);
      expect((await resolve(model, { until })).answer).toMatchObject({ text: 'I would …' });
    });

    it.each([
      ['a model that does not talk', scripted, []],
      ['a model that has nothing to say', talking, [['\n'] as const]],
    ] as const)('of %s says a fixed sentence', async (_, kind, rest) => {
      const said = async (hasCalled: boolean) =>
        (await resolve(kind(['[]'], ...rest).model, { until, hasCalled })).answer;
      expect(await said(false)).toEqual({
        outcome: 'irrelevant',
        text: 'None of the tools can do what is asked.',
      });
      expect(await said(true)).toMatchObject({
        text: expect.stringContaining('results') as string,
      });
    });
  });
});
