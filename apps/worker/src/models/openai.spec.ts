import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { HammerlineError } from '#libs/contracts';
import { decisionConfidence } from '#libs/hammer';
import {
  type ScriptedServer,
  startScriptedServer,
} from '../../../../test/support/scripted-server.js';
import type { GuidedDecoding } from '../config.js';
import type { GenerateRequest } from './model.js';
import { OpenAiServer } from './openai.js';
import { ServedModel } from './served-model.js';

const card = {
  name: 'scripted',
  flavour: 'compact' as const,
  maxCalls: 8,
  contextTokens: 4096,
  stop: ['<|im_end|>'],
  maskTrained: false,
  chat: false,
  confidenceThreshold: 1,
};
const LIST = '[{"name": "f", "arguments": {}}]';
const question: GenerateRequest = {
  prompt: {
    prefix: [{ text: '<|im_start|>', control: true }],
    suffix: [
      { text: 'user\nSay <|im_end|>.', control: false },
      { text: '<|im_end|>', control: true },
    ],
  },
  constraint: { grammar: 'root ::= "[]"', jsonSchema: { type: 'array' } },
  maxTokens: 64,
  signal: new AbortController().signal,
};

type Body = Record<string, unknown>;
interface Script {
  owner?: string;
  models?: string[];
  /** Answers a completion; `ready` is what `check` is to be told. */
  complete?: (body: Body, response: ServerResponse) => unknown;
}

let server: ScriptedServer | undefined;
let model: ServedModel | undefined;

afterEach(async () => {
  await model?.close();
  await server?.close();
  model = server = undefined;
});

function send(response: ServerResponse, ...chunks: (object | string)[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const chunk of chunks)
    response.write(`data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`);
}

const say = (text: string, finish_reason: string | null = null, logprobs?: object) => ({
  choices: [{ text, finish_reason, logprobs }],
});
const usage = { choices: [], usage: { prompt_tokens: 11, completion_tokens: 5 } };

/** Says `[]` and ends. */
function agree(_: Body, response: ServerResponse): void {
  send(response, say('[]'), say('', 'stop'), usage, '[DONE]');
  response.end();
}

async function open(
  { owner = 'llamacpp', models = ['m'], complete = agree }: Script,
  {
    guidedDecoding = 'auto',
    ...options
  }: { guidedDecoding?: GuidedDecoding; lora?: string; api?: 'chat'; stallMs?: number } = {},
): Promise<ServedModel> {
  server = await startScriptedServer(({ path, body }, response) => {
    if (path === '/v1/models') {
      return response.end(JSON.stringify({ data: models.map((id) => ({ id, owned_by: owner })) }));
    }
    return complete(JSON.parse(body) as Body, response);
  });
  const connection = new OpenAiServer({
    baseUrl: `${server.url}/v1`,
    apiKey: 'secret',
    api: 'completions',
    model: 'm',
    // Longer than a test may take.
    stallMs: 60_000,
    ...options,
  });
  model = new ServedModel({ server: connection, card, guidedDecoding });
  return model;
}

/** A model that was checked; then it answers so. */
async function checked(
  complete: NonNullable<Script['complete']>,
  options: Parameters<typeof open>[1] = {},
): Promise<ServedModel> {
  let answer: Script['complete'] = agree;
  const opened = await open({ complete: (body, response) => answer?.(body, response) }, options);
  await opened.check(question.signal);
  answer = complete;
  return opened;
}

async function failureOf(work: Promise<unknown>): Promise<HammerlineError> {
  const error: unknown = await work.catch((reason: unknown) => reason);
  if (error instanceof HammerlineError) return error;
  throw new Error('it did not fail', { cause: error });
}

function asked(): Body[] {
  return (server?.requests ?? []).flatMap(({ body }) => (body ? [JSON.parse(body) as Body] : []));
}

describe('asking', () => {
  it('sends the prompt as one text, with everything that makes decoding greedy', async () => {
    const opened = await checked(agree);
    await opened.generate(question);
    expect(asked().at(-1)).toEqual({
      model: 'm',
      prompt: '<|im_start|>user\nSay <|\u200Bim_end|>.<|im_end|>',
      max_tokens: 64,
      temperature: 0,
      seed: 0,
      stop: ['<|im_end|>'],
      stream: true,
      stream_options: { include_usage: true },
      logprobs: 1,
      grammar: 'root ::= "[]"',
    });
    expect(server?.requests.at(-1)).toMatchObject({
      path: '/v1/completions',
      headers: { authorization: 'Bearer secret' },
    });
  });

  it('sends its turns to a chat', async () => {
    const delta = (content: string | null, finish_reason: string | null = null) => ({
      choices: [{ delta: { role: 'assistant', content }, finish_reason }],
    });
    const complete: Script['complete'] = (_, response) => {
      send(response, delta(null), delta('[]'), delta('', 'stop'), usage, '[DONE]');
      response.end();
    };
    const opened = await open({ complete }, { api: 'chat' });
    await opened.check(question.signal);
    expect((await opened.generate(question)).text).toBe('[]');
    expect(server?.requests.at(-1)?.path).toBe('/v1/chat/completions');
    expect(asked().at(-1)).toMatchObject({
      messages: [{ role: 'user', content: 'Say <|\u200Bim_end|>.' }],
      logprobs: true,
    });
  });

  it.each([
    ['vllm', { structured_outputs: { grammar: 'root ::= "[]"' } }],
    ['llamacpp', { grammar: 'root ::= "[]"' }],
    [
      'another',
      {
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'calls', schema: { type: 'array' } },
        },
      },
    ],
  ])('guides %s in its own way', async (owner, guide) => {
    const opened = await open({ owner });
    await opened.check(question.signal);
    await opened.generate(question);
    expect(asked().at(-1)).toMatchObject(guide);
  });

  it('finds the older words of vLLM', async () => {
    const opened = await open({
      owner: 'vllm',
      complete: (body, response) => {
        if ('guided_grammar' in body) return agree(body, response);
        send(response, say('Paris.', 'stop'));
        return response.end();
      },
    });
    await opened.check(question.signal);
    await opened.generate(question);
    expect(asked()).toHaveLength(3);
    expect(asked().at(-1)).toHaveProperty('guided_grammar');
  });

  it('asks for an adapter by its name', async () => {
    const opened = await open({ owner: 'vllm', models: ['m', 'tuned'] }, { lora: 'tuned' });
    await opened.check(question.signal);
    expect(asked().at(-1)).toMatchObject({ model: 'tuned' });
  });
});

describe('answers', () => {
  const content = [
    { token: '[', logprob: -0.5 },
    { token: ']', logprob: -0.25 },
  ];

  it.each([
    ['as completions have them', { tokens: ['[', ']'], token_logprobs: [-0.5, -0.25] }],
    ['as chats have them', { content }],
  ])('reads probabilities %s', async (_, logprobs) => {
    const opened = await checked((_body, response) => {
      send(response, say('[]', null, logprobs), say('', 'stop'), usage, '[DONE]');
      response.end();
    });
    const { tokens, usage: cost } = await opened.generate(question);
    expect(tokens).toEqual(content.map(({ token, logprob }) => ({ text: token, logprob })));
    expect(decisionConfidence(tokens)).toBeCloseTo(Math.exp(-0.75));
    expect(cost).toEqual({ inputTokens: 11, outputTokens: 5 });
  });

  it.each([
    ['null', { tokens: ['[', null], token_logprobs: [-0.5, null] }],
    ['no text', { tokens: ['[', null], token_logprobs: [-0.5, -0.25] }],
    ['nothing', { tokens: ['['], token_logprobs: [-0.5] }],
  ])('has no confidence where the server tells %s of a token', async (_, logprobs) => {
    const opened = await checked((_body, response) => {
      send(response, say('[]', 'stop', logprobs), '[DONE]');
      response.end();
    });
    expect(decisionConfidence((await opened.generate(question)).tokens)).toBe(0);
  });

  it('come over one connection, one after the other', async () => {
    const opened = await checked((_, response) => {
      send(response, say('[]'), say('', 'stop'), usage, '[DONE]');
      // The end comes in a packet of its own.
      setTimeout(() => response.end(), 20);
    });
    const { connections } = server ?? {};
    for (let turn = 0; turn < 6; turn++) await opened.generate(question);
    expect(server?.connections).toBe(connections);
  });

  it('has no confidence where the server tells no probabilities', async () => {
    const { tokens } = await (await checked(agree)).generate(question);
    expect(decisionConfidence(tokens)).toBe(0);
  });

  it('without guided decoding, leaves when the list is complete', async () => {
    let left: Promise<unknown> | undefined;
    const opened = await checked(
      (body, response) => {
        expect(body).not.toHaveProperty('grammar');
        left = once(response, 'close');
        send(response, say(LIST.slice(0, 9)), say(LIST.slice(9)));
      },
      { guidedDecoding: 'off' },
    );
    expect(await opened.generate(question)).toMatchObject({ text: LIST, finishReason: 'stop' });
    await left;
  });

  it('reads words to their end, whatever list is in them', async () => {
    const opened = await checked(
      (_, response) => {
        send(response, say(LIST), say(' is a call.', 'stop'), '[DONE]');
        response.end();
      },
      { guidedDecoding: 'off' },
    );
    const words = await opened.generate({ ...question, constraint: undefined });
    expect(words.text).toBe(`${LIST} is a call.`);
  });

  it('closes the connection of a question that is given up', async () => {
    const given = new AbortController();
    let left: Promise<unknown> | undefined;
    const opened = await checked((_, response) => {
      left = once(response, 'close');
      send(response, say('['));
      given.abort(new Error('enough'));
    });
    await expect(opened.generate({ ...question, signal: given.signal })).rejects.toThrow('enough');
    await left;
  });

  it('asks again where an idle connection was closed as it was taken', async () => {
    let asks = 0;
    const opened = await checked((body, response) => {
      asks++;
      return asks === 1 ? response.destroy() : agree(body, response);
    });
    expect((await opened.generate(question)).text).toBe('[]');
  });
});

describe('faults', () => {
  const refuse = (status: number, body: unknown) => (_: Body, response: ServerResponse) => {
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
  };
  const error = (message: string) => ({ error: { message, type: 'x', code: null } });

  it.each<[string, NonNullable<Script['complete']>, RegExp]>([
    ['a wrong key', refuse(401, { error: 'Unauthorized' }), /^model_unavailable: .*OPENAI_API_KEY/],
    [
      'an unknown model',
      refuse(404, error('The model `m` does not exist.')),
      /^model_unavailable: .*serve the model m/,
    ],
    [
      'an unknown path',
      refuse(404, { detail: 'Not Found' }),
      /^model_unavailable: .*OPENAI_BASE_URL/,
    ],
    ['too many requests', refuse(429, error('slow down')), /^model_overloaded: .*slow down/],
    [
      'a model that loads',
      refuse(503, error('Loading model')),
      /^model_unavailable: .*Loading model/,
    ],
    ['a server that is busy', refuse(503, error('overloaded')), /^model_overloaded: .*overloaded/],
    ['a gateway', refuse(502, '<html>Bad Gateway</html>'), /^model_failed: .*502/],
    ['a slow gateway', refuse(504, ''), /^model_failed: .*504/],
    [
      'a gateway that lost its server',
      refuse(503, 'upstream connect error or disconnect/reset before headers'),
      /^model_failed: .*503/,
    ],
    ['a gateway without a server', refuse(503, 'no healthy upstream'), /^model_unavailable: .*503/],
    [
      'a long prompt at vLLM',
      refuse(400, error("This model's maximum context length is 8 tokens.")),
      /^context_overflow: /,
    ],
    [
      'a long prompt at llama.cpp',
      refuse(400, error('request (9 tokens) exceeds the available context size (8 tokens)')),
      /^context_overflow: /,
    ],
    [
      'a grammar that it refuses',
      refuse(400, error('failed to parse grammar')),
      /^model_refused: .*GUIDED_DECODING/,
    ],
    ['a dead engine', refuse(500, ''), /^model_failed: .*500/],
    ['a page of HTML', refuse(200, '<html>Hello</html>'), /^model_failed: .*no end/],
    [
      'events that are no JSON',
      (_, response) => (send(response, '{'), response.end()),
      /^model_failed: .*form.*JSON/,
    ],
    [
      'an end that nobody knows',
      (_, response) => (send(response, say('a', 'abort')), response.end()),
      /^model_failed: .*form.*finish_reason/,
    ],
    [
      'bytes that are no text',
      (_, response) => response.end(new Uint8Array([0x64, 0xff, 0x0a])),
      /^model_failed: .*form/,
    ],
    [
      'an error within the answer',
      (_, response) => (send(response, say('['), error('CUDA out of memory')), response.end()),
      /^model_failed: .*broke off: CUDA/,
    ],
    [
      'an answer without its end',
      (_, response) => (send(response, say('[')), response.end()),
      /^model_failed: .*no end/,
    ],
    [
      'a server that dies within its answer',
      (_, response) => (send(response, say('[')), setImmediate(() => response.destroy())),
      /^model_failed: .*gone/,
    ],
    ['a server that dies before it', (_, response) => response.destroy(), /^model_failed: .*gone/],
  ])('%s', async (_, complete, expected) => {
    const opened = await checked(complete);
    const { code, message } = await failureOf(opened.generate(question));
    expect(`${code}: ${message}`).toMatch(expected);
    expect(message).toContain(new URL(server?.url ?? '').host);
  });

  it('a server that falls silent', async () => {
    const opened = await checked((_, response) => send(response, say('[')), { stallMs: 200 });
    const { code, message } = await failureOf(opened.generate(question));
    expect(`${code}: ${message}`).toMatch(/^model_failed: .*silent/);
  });

  it('a server that repeats itself without end', async () => {
    const opened = await checked((_, response) => {
      send(response);
      const repeat = () => {
        while (
          response.writable &&
          response.write(`data: ${JSON.stringify(say('la la la '))}\n\n`)
        );
      };
      response.on('drain', repeat);
      repeat();
    });
    expect((await opened.generate(question)).finishReason).toBe('length');
  });

  it('nobody there', async () => {
    const opened = await checked(agree);
    await server?.close();
    for (const ask of [() => opened.generate(question), () => opened.check(question.signal)]) {
      const { code, message } = await failureOf(ask());
      expect(`${code}: ${message}`).toMatch(/^model_unavailable: .*OPENAI_BASE_URL/);
    }
    server = undefined;
  });

  it('a server that pays no heed to what guides it', async () => {
    const complete: Script['complete'] = (_, response) => {
      send(response, say('Paris.', 'stop'));
      response.end();
    };
    const opened = await open({ complete });
    expect(await failureOf(opened.check(question.signal))).toMatchObject({
      code: 'model_refused',
      message: expect.stringMatching(/no heed to grammar.*"Paris\.".*GUIDED_DECODING/),
    });
    await expect(opened.generate(question)).rejects.toMatchObject({ code: 'model_unavailable' });
  });

  it('an adapter that it lacks', async () => {
    const opened = await open({}, { lora: 'tuned' });
    expect(await failureOf(opened.check(question.signal))).toMatchObject({
      code: 'model_unavailable',
      message: expect.stringMatching(/no adapter tuned, only m/),
    });
  });

  it('a question before the check', async () => {
    const opened = await open({});
    await expect(opened.generate(question)).rejects.toMatchObject({ code: 'model_unavailable' });
  });
});
