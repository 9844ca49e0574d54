import { describe, expect, it } from 'vitest';
import { all, failureOf, untilFailure } from '../triton/support/protocols.js';
import { type Asked, PROMPT, useContractServer } from './contract/server.js';

/** What every server of the model `hammer` must do: vLLM behind Triton on a GPU, and the CPU model in its place. */
const server = useContractServer();

const long = { max_tokens: 6, ignore_eos: true };
/** What the backend puts before all that goes wrong with a request. vLLM's hides the reason, the CPU model's tells it. */
const FAILED = /^Error generating stream: ./;

/** The error of a request, in one response and streamed; then the server must still answer. */
async function refusal(asked: Asked): Promise<string> {
  const { message, reason } = await failureOf(server.ask(asked));
  expect(reason).toBe('model_error');
  const { items, error } = await untilFailure(server.stream(asked));
  expect(items).toEqual([]);
  expect(error.message).toBe(message);
  const next = await server.ask({ sampling: server.guided({ choice: ['ok'] }) });
  expect(next.text).toBe('ok');
  return message;
}

describe('an answer', () => {
  it('is the same whole and streamed, each time', async () => {
    const whole = await server.ask({ sampling: long });
    const parts = await all(server.stream({ sampling: long }));
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.map(({ text }) => text).join('')).toBe(whole.text);
    expect(await server.ask({ sampling: long })).toEqual(whole);
    expect(whole.text).not.toBe('');
  });

  it('begins with the prompt unless that is excluded', async () => {
    const { text } = await server.ask({ sampling: long });
    const echoed = await server.ask({ sampling: long, fields: { exclude_input_in_output: false } });
    expect(echoed.text).toBe(PROMPT + text);
    const stream = server.stream({ fields: { exclude_input_in_output: false } });
    expect((await untilFailure(stream)).error.message).toMatch(/exclude_input_in_output/);
  });

  it('has 16 tokens where no limit is given', async () => {
    const answer = await server.ask({ sampling: { ignore_eos: true } });
    expect(answer).toMatchObject({ finishReason: 'length', outputTokens: 16 });
  });

  it('tells why it ended, and nothing before', async () => {
    const cut = await all(server.stream({ sampling: long }));
    expect(cut.map(({ finishReason }) => finishReason)).toEqual([
      ...cut.slice(1).map(() => 'None'),
      'length',
    ]);
    const whole = await server.ask({ sampling: server.guided({ choice: ['yes'] }) });
    expect(whole).toMatchObject({ text: 'yes', finishReason: 'stop' });
  });

  it('counts its tokens: those of the prompt in each part, its own since the part before', async () => {
    const parts = await all(server.stream({ sampling: long }));
    const whole = await server.ask({ sampling: long });
    expect(new Set(parts.map(({ inputTokens }) => inputTokens))).toEqual(
      new Set([whole.inputTokens]),
    );
    expect(whole.inputTokens).toBeGreaterThan(4);
    expect(parts.reduce((sum, { outputTokens }) => sum + outputTokens, 0)).toBe(6);
    expect(whole.outputTokens).toBe(6);
  });

  it.each([
    ['a text', { stop: 'bbb' }, 'aaa '],
    ['one of several', { stop: ['zzz', 'bb', 'ccc'] }, 'aaa '],
    ['one that is kept', { stop: ['bbb'], include_stop_str_in_output: true }, 'aaa bbb'],
    ['none that occurs', { stop: ['ccd'] }, 'aaa bbb ccc'],
  ])('ends before %s of its stop strings', async (_, stop, text) => {
    const sampling = { ...server.guided({ choice: ['aaa bbb ccc'] }), ...stop };
    expect(await server.ask({ sampling })).toMatchObject({ text, finishReason: 'stop' });
    const parts = await all(server.stream({ sampling }));
    expect(parts.map((part) => part.text).join('')).toBe(text);
    expect(parts.at(-1)?.finishReason).toBe('stop');
  });

  it('never has half a character in a part', async () => {
    const text = 'größe 日本 😀 ok';
    const sampling = { ...server.guided({ choice: [text] }), max_tokens: 64 };
    const parts = await all(server.stream({ sampling }));
    expect(parts.map((part) => part.text).join('')).toBe(text);
    expect(parts.filter((part) => part.text.includes('\u{FFFD}'))).toEqual([]);
  });

  it('is drawn again with the same seed, and another with another', async () => {
    const draw = async (seed: number): Promise<string> => {
      const sampling = { ...long, temperature: 1.5, top_p: 0.99, top_k: 500, seed };
      return (await server.ask({ sampling })).text;
    };
    const texts = [await draw(1), await draw(2), await draw(3)];
    expect(new Set(texts).size).toBeGreaterThan(1);
    expect(await draw(1)).toBe(texts[0]);
  });
});

describe('log-probabilities', () => {
  // Letters alone: no token that ends the answer, which has no text.
  const tokens = (logprobs?: number) => ({
    ...server.guided({ regex: '[a-z]{20}' }),
    max_tokens: 3,
    ...(logprobs !== undefined && { logprobs }),
  });

  it('are null unless they are asked for', async () => {
    expect((await server.ask({ sampling: tokens() })).logprobs).toBeNull();
  });

  it('are those of the sampled token alone with 0', async () => {
    const { logprobs, cumulativeLogprob, text } = await server.ask({ sampling: tokens(0) });
    const sampled = (logprobs ?? []).map((token) => Object.entries(token));
    expect(sampled.map((entries) => entries.length)).toEqual([1, 1, 1]);
    const scores = sampled.flat().map(([id, score]) => {
      expect(id).toMatch(/^\d+$/);
      expect(score.logprob).toBeLessThanOrEqual(0);
      return score;
    });
    expect(scores.map((score) => score.decoded_token).join('')).toBe(text);
    const sum = scores.reduce((total, { logprob }) => total + logprob, 0);
    expect(cumulativeLogprob).toBeCloseTo(sum, 2);
  });

  it('are those of the likeliest, too, with more, and streamed with their tokens', async () => {
    const parts = await all(server.stream({ sampling: tokens(2) }));
    for (const { logprobs, outputTokens } of parts) expect(logprobs).toHaveLength(outputTokens);
    const scored = parts.flatMap(({ logprobs }) => logprobs ?? []);
    expect(scored).toHaveLength(3);
    for (const token of scored) {
      const ranks = Object.values(token).map(({ rank }) => rank);
      expect(ranks).toEqual(expect.arrayContaining([1, 2]));
      // The sampled one, where it is neither.
      expect(ranks.length).toBeLessThanOrEqual(3);
    }
    const whole = await server.ask({ sampling: tokens(2) });
    expect(parts.at(-1)?.cumulativeLogprob).toBeCloseTo(whole.cumulativeLogprob ?? 1, 2);
  });
});

describe('guided decoding', () => {
  const schema = {
    type: 'object',
    properties: { count: { type: 'integer', minimum: 3, maximum: 5 } },
    required: ['count'],
    additionalProperties: false,
  };
  const count = (text: string): unknown => (JSON.parse(text) as { count: unknown }).count;
  const kinds: readonly (readonly [string, object, (text: string) => boolean])[] = [
    ['json, an object', { json: schema }, (text) => [3, 4, 5].includes(Number(count(text)))],
    ['json, a text', { json: JSON.stringify(schema) }, (text) => Number(count(text)) >= 3],
    ['regex', { regex: '[0-9]{2}/[a-c]{3}' }, (text) => /^\d\d\/[a-c]{3}$/.test(text)],
    ['choice', { choice: ['a "b"', 'c\\d'] }, (text) => ['a "b"', 'c\\d'].includes(text)],
    ['grammar', { grammar: 'root ::= "x" [0-9] "y"' }, (text) => /^x\dy$/.test(text)],
  ];

  it('is known to the server, in one spelling at least', () => {
    expect(server.spellings.length).toBeGreaterThan(0);
  });

  it.each(kinds)('holds the answer to %s', async (_, kind, isRight) => {
    for (const spelling of server.spellings) {
      const sampling = { max_tokens: 32, ...server.guided(kind, spelling) };
      const { text, finishReason } = await server.ask({ sampling });
      expect(text).toSatisfy(isRight);
      expect(finishReason).toBe('stop');
    }
  });

  it('holds the answer to any JSON object, however far it comes', async () => {
    const sampling = { ...server.guided({ json_object: true }), max_tokens: 24 };
    const { text, finishReason } = await server.ask({ sampling });
    expect(text).toMatch(/^\s*\{/);
    expect(finishReason === 'length' || JSON.parse(text)).toBeTruthy();
  });

  it.each([
    ['a schema of an unknown type', { json: { type: 'bogus' } }],
    ['a schema that is not JSON', { json: '{' }],
    ['a regular expression that is not closed', { regex: '(' }],
    ['a grammar with an unknown rule', { grammar: 'root ::= bogus' }],
    ['two kinds', { choice: ['a'], regex: 'a' }],
    ['an unknown kind', { shape: 'round' }],
  ])('is refused with %s, which is never ignored', async (_, kind) => {
    expect(await refusal({ sampling: server.guided(kind) })).toMatch(FAILED);
  });
});

describe('what cannot be done is an error', () => {
  it.each([
    ['an unknown sampling parameter', { top_secret: 1 }],
    ['a temperature below 0', { temperature: -1 }],
    ['a limit of no tokens', { max_tokens: 0 }],
    ['a limit that is no number', { max_tokens: 'many' }],
    ['a probability above 1', { top_p: 2 }],
  ])('%s', async (_, sampling) => {
    expect(await refusal({ sampling })).toMatch(FAILED);
  });

  it('an adapter that the server lacks, by its name', async () => {
    expect(await refusal({ sampling: { lora_name: 'missing' } })).toMatch(
      /LoRA (feature is not enabled|missing is not supported)/,
    );
  });

  it('a prompt over the context, with the number of its tokens', async () => {
    const prompt = 'word '.repeat(server.card.contextTokens + 10);
    const message = await refusal({ prompt });
    expect(/longer than the maximum model length of (\d+)/.exec(message)?.[1]).toBe(
      String(server.card.contextTokens),
    );
  });
});

it('answers more requests at once than it has room for, each with its own', async () => {
  const texts = ['north', 'south', 'east', 'west', 'up', 'down'];
  const answers = await Promise.all(
    texts.map((text) => server.ask({ sampling: server.guided({ choice: [text] }) })),
  );
  expect(answers.map(({ text }) => text)).toEqual(texts);
});

it('goes on to the next when a request is left', async () => {
  // Together these would take the CPU model minutes.
  const endless = { ...long, max_tokens: server.card.contextTokens - 100 };
  const leave = async (): Promise<void> => {
    for await (const part of server.stream({ sampling: endless })) if (part.text !== '') break;
  };
  for (let turn = 0; turn < 3; turn++) await Promise.all([leave(), leave(), leave()]);
  const { text } = await server.ask({ sampling: server.guided({ choice: ['next'] }) });
  expect(text).toBe('next');
}, 20_000);
