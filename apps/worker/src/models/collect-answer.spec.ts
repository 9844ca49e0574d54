import { describe, expect, it } from 'vitest';
import { type CollectOptions, collectAnswer } from './collect-answer.js';
import type { Piece } from './model-server.js';

const LIST = '[{"name": "f", "arguments": {}}]';

/** Collects the pieces, and counts those that were taken. */
async function collect(pieces: Partial<Piece>[], options: Partial<CollectOptions> = {}) {
  let taken = 0;
  async function* arriving() {
    for (const piece of pieces) {
      taken++;
      yield { text: '', tokens: [], ...piece };
    }
  }
  const answer = await collectAnswer(arriving(), {
    maxTokens: 8,
    contextTokens: 4096,
    isUnguidedList: false,
    prompt: { prefix: [], suffix: [{ text: '12345678', control: false }] },
    server: 'it',
    ...options,
  });
  return { ...answer, taken };
}

describe('collectAnswer', () => {
  it('puts text, tokens and counts together, and reads what comes behind the end', async () => {
    const a = { text: 'a', logprob: -1 };
    const b = { text: 'b', logprob: -2 };
    const answer = await collect([
      { text: 'a', tokens: [a], inputTokens: 5 },
      { text: 'b', tokens: [b], finishReason: 'stop' },
      { inputTokens: 7, outputTokens: 3 },
    ]);
    expect(answer).toMatchObject({
      text: 'ab',
      tokens: [a, b],
      finishReason: 'stop',
      usage: { inputTokens: 7, outputTokens: 3 },
    });
  });

  it.each<[string, Partial<Piece>[]]>([
    [
      'a part',
      [{ text: '[{"name": "', tokens: [{ text: '[{"name": "', logprob: -1 }] }, { text: 'f"}]' }],
    ],
    ['the last part', [{ text: '[', tokens: [{ text: '[', logprob: -1 }] }, { text: ']' }]],
    ['the first part', [{ text: '[' }, { text: ']', tokens: [{ text: ']', logprob: -1 }] }]],
    [
      'a token',
      [
        {
          text: '[]',
          tokens: [
            { text: '[', logprob: -1 },
            { text: '', logprob: -1 },
          ],
        },
      ],
    ],
  ])('has no probabilities where that of %s is missing', async (_, pieces) => {
    const { tokens } = await collect([...pieces, { finishReason: 'stop' }]);
    expect(tokens).toEqual([]);
  });

  it.each([
    ['that ends it', '[]', ['[', ']', '<|im_end|>']],
    ['with a part of a character', '["é"]', ['["', '\u{FFFD}', '\u{FFFD}', '"]']],
    ['with a mark', '["<|\u200Bx"]', ['["<|', '\u200B', 'x"]']],
    ['that is a space', '[] ', ['[]']],
  ])('keeps probabilities with a token %s', async (_, text, texts) => {
    const tokens = texts.map((token) => ({ text: token, logprob: -1 }));
    const answer = await collect([{ text, tokens, finishReason: 'stop' }]);
    expect(answer.tokens).toEqual(tokens);
  });

  it('mends control words', async () => {
    const answer = await collect([
      { text: '<|\u200Bim' },
      { text: '_end|>', finishReason: 'stop' },
    ]);
    expect(answer.text).toBe('<|im_end|>');
  });

  it('ends a list of calls that nothing guides where it is complete', async () => {
    const pieces = [{ text: LIST.slice(0, 9) }, { text: `${LIST.slice(9)} Or` }, { text: ' so' }];
    const free = await collect(pieces, { isUnguidedList: true });
    expect(free).toMatchObject({ text: LIST, finishReason: 'stop', taken: 2 });
    // By the length of the prompt, as the server had no time to tell.
    expect(free.usage).toEqual({ inputTokens: 2, outputTokens: 0 });
    const other = await collect([...pieces, { finishReason: 'stop' }]);
    expect(other).toMatchObject({ text: `${LIST} Or so`, taken: 4 });
  });

  it.each([
    ['tokens', { text: 'a', outputTokens: 9 }],
    ['characters', { text: 'a'.repeat(8 * 256 + 1) }],
  ])('gives up on a server that knows no limit of %s', async (_, piece) => {
    expect(await collect([piece, piece])).toMatchObject({ finishReason: 'length', taken: 1 });
  });

  it('says that the context was full', async () => {
    const pieces = [
      { text: 'a', inputTokens: 4092, outputTokens: 4, finishReason: 'length' as const },
    ];
    await expect(collect(pieces)).rejects.toMatchObject({
      code: 'context_overflow',
      message: expect.stringMatching(/4092 tokens.* the 8 that.* only 4/),
    });
    // It had all that it may have; or the server has a limit of its own.
    for (const options of [{ maxTokens: 4 }, { contextTokens: 32_768 }]) {
      await expect(collect(pieces, options)).resolves.toMatchObject({ finishReason: 'length' });
    }
  });

  it('tells an answer that broke off', async () => {
    await expect(collect([{ text: LIST }])).rejects.toMatchObject({ code: 'model_failed' });
  });
});
