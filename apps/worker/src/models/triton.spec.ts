import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { HammerlineError } from '#libs/contracts';
import { decisionConfidence } from '#libs/hammer';
import { ModelCard } from '#libs/models';
import {
  type ScriptedServer,
  startScriptedServer,
} from '../../../../test/support/scripted-server.js';
import type { GuidedDecoding } from '../config.js';
import type { GenerateRequest } from './model.js';
import { ServedModel } from './served-model.js';
import { TritonServer } from './triton.js';

const card = ModelCard.parse({
  name: 'scripted',
  flavour: 'compact',
  contextTokens: 4096,
  maskTrained: false,
});
const question: GenerateRequest = {
  prompt: { prefix: [], suffix: [{ text: 'Say <|im_end|>.', control: false }] },
  constraint: { grammar: 'root ::= "[]"', jsonSchema: {} },
  maxTokens: 64,
  signal: new AbortController().signal,
};

/** Longer than a test may take. */
const PATIENT = 60_000;

type Fields = Record<string, unknown>;
type Answer = (fields: Fields, response: ServerResponse) => unknown;

let server: ScriptedServer | undefined;
let model: ServedModel | undefined;

afterEach(async () => {
  await model?.close();
  await server?.close();
  model = server = undefined;
});

const piece = (text_output: string, finish_reason = 'None', more: object = {}) => ({
  text_output,
  finish_reason,
  num_input_tokens: 11,
  num_output_tokens: text_output === '' ? 0 : 1,
  logprobs: JSON.stringify([{ 5: { logprob: -0.5, rank: 1, decoded_token: text_output } }]),
  ...more,
});

function send(response: ServerResponse, ...answers: object[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const answer of answers) response.write(`data: ${JSON.stringify(answer)}\n\n`);
}

const agree: Answer = (_, response) => {
  send(response, piece('['), piece(']', 'stop'));
  response.end();
};

interface Options {
  answer?: Answer;
  parameters?: object;
  guidedDecoding?: GuidedDecoding;
  lora?: string;
  stallMs?: number;
}

/** Triton over HTTP, as far as the model's contract needs it. */
async function open({
  answer = agree,
  parameters,
  guidedDecoding = 'auto',
  lora,
  stallMs = PATIENT,
}: Options = {}) {
  const carded = { hammerline_card: { string_value: JSON.stringify(card) } };
  server = await startScriptedServer(({ path, body }, response) => {
    if (path === '/v2/models/hammer/config') {
      return response.end(JSON.stringify({ name: 'hammer', parameters: parameters ?? carded }));
    }
    if (path === '/v2/models/hammer/generate_stream') {
      return answer(JSON.parse(body) as Fields, response);
    }
    return response.end();
  });
  const triton = new TritonServer({
    urls: [server.url],
    model: 'hammer',
    lora,
    balance: 'affinity',
    stallMs,
  });
  model = new ServedModel({ server: triton, card: undefined, guidedDecoding });
  return model;
}

/** One that was checked; then it answers so. */
async function checked(answer: Answer, stallMs = PATIENT): Promise<ServedModel> {
  let now = agree;
  const opened = await open({ answer: (fields, response) => now(fields, response), stallMs });
  await opened.check(question.signal);
  now = answer;
  return opened;
}

async function faultOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.catch((reason: unknown) => reason);
  if (error instanceof HammerlineError) return `${error.code}: ${error.message}`;
  throw new Error('it did not fail', { cause: error });
}

function asked(): { fields: Fields; sampling: Fields }[] {
  return (server?.requests ?? [])
    .filter(({ path }) => path.endsWith('/generate_stream'))
    .map(({ body }) => {
      const fields = JSON.parse(body) as Fields;
      return { fields, sampling: JSON.parse(String(fields['sampling_parameters'])) as Fields };
    });
}

/** What the backend says of a sampling parameter that it does not know. */
const unknownParameter: Answer = (_, response) => {
  response.writeHead(400).end(
    JSON.stringify({
      error: "Error generating stream: 'NoneType' object has no attribute 'lora_name'",
    }),
  );
};

describe('asking', () => {
  it('follows the contract of the vLLM backend', async () => {
    const opened = await open({ lora: 'tuned' });
    await opened.check(question.signal);
    expect(opened.card).toMatchObject({ ...card, confidenceThreshold: 1 });
    await opened.generate(question);
    const last = asked().at(-1);
    expect(last?.fields).toMatchObject({
      text_input: 'Say <|\u200Bim_end|>.',
      stream: true,
      exclude_input_in_output: true,
    });
    expect(last?.sampling).toEqual({
      temperature: 0,
      seed: 0,
      max_tokens: 64,
      stop: ['<|im_end|>'],
      logprobs: 0,
      lora_name: 'tuned',
      structured_outputs: '{"grammar":"root ::= \\"[]\\""}',
    });
  });

  it('finds the older word for guided decoding, and keeps to it', async () => {
    const opened = await open({
      answer: (fields, response) =>
        (String(fields['sampling_parameters']).includes('guided_decoding')
          ? agree
          : unknownParameter)(fields, response),
    });
    await opened.check(question.signal);
    await opened.check(question.signal);
    await opened.generate(question);
    const words = asked().map(({ sampling }) => 'guided_decoding' in sampling);
    expect(words).toEqual([false, true, true, true]);
  });

  it('says so where the server knows neither', async () => {
    const opened = await open({ answer: unknownParameter });
    expect(await faultOf(opened.check(question.signal))).toMatch(
      /^model_refused: .*lora_name.*GUIDED_DECODING/,
    );
  });

  it.each<[string, object, RegExp]>([
    ['no card', {}, /^model_refused: .*no model card.*hammerline_card.*MODEL_CARD/],
    [
      'a card that is none',
      { hammerline_card: { string_value: '{"name": 1}' } },
      /^model_refused: .*cannot be read .*flavour.*MODEL_CARD/,
    ],
  ])('refuses a model with %s', async (_, parameters, fault) => {
    const opened = await open({ parameters });
    expect(await faultOf(opened.check(question.signal))).toMatch(fault);
    expect(() => opened.card).toThrow(HammerlineError);
  });
});

describe('answers', () => {
  it('are put together from their pieces', async () => {
    const answer = await (await checked(agree)).generate(question);
    expect(answer).toMatchObject({
      text: '[]',
      finishReason: 'stop',
      usage: { inputTokens: 11, outputTokens: 2 },
    });
    expect(decisionConfidence(answer.tokens)).toBeCloseTo(Math.exp(-1));
  });

  it.each([
    ['told for no token', 'null', 0],
    ['that only Python can write', '[{"5": {"logprob": -Infinity, "decoded_token": "[]"}}]', 0],
  ])('may have a probability %s', async (_, logprobs, confidence) => {
    const opened = await checked((_fields, response) => {
      send(response, piece('[]', 'stop', { logprobs }));
      response.end();
    });
    const { tokens } = await opened.generate(question);
    expect(decisionConfidence(tokens)).toBe(confidence);
  });

  it.each<[string, Answer, RegExp]>([
    [
      'an output is missing',
      (_, response) => (
        send(response, piece('[', 'None', { num_input_tokens: undefined })),
        response.end()
      ),
      /form than the vLLM backend.*num_input_tokens/,
    ],
    [
      'it ends in a way that nobody knows',
      (_, response) => (send(response, piece('[', 'abort')), response.end()),
      /finish_reason/,
    ],
    ['it has no end', (_, response) => (send(response, piece('[')), response.end()), /no end/],
    [
      'its probabilities are of many tokens',
      (_, response) => (
        send(
          response,
          piece('[', 'None', { logprobs: '[{"1": {"logprob": -1}, "2": {"logprob": -2}}]' }),
        ),
        response.end()
      ),
      /logprobs of 2 tokens/,
    ],
    [
      'it is no text',
      (_, response) => {
        send(response);
        response.end(Buffer.from('data: {"text_output": "\xff"}\n\n', 'latin1'));
      },
      /^model_failed/,
    ],
    [
      'the model fails within it',
      (_, response) => (
        send(response, piece('['), { error: 'Error generating stream: EngineCore' }),
        response.end()
      ),
      /EngineCore.*log/,
    ],
    [
      'the server dies within it',
      (_, response) => (send(response, piece('[')), setImmediate(() => response.destroy())),
      /within its answer/,
    ],
  ])('fail where %s', async (_, answer, fault) => {
    const message = await faultOf((await checked(answer)).generate(question));
    expect(message).toMatch(fault);
    expect(message).toMatch(/^model_failed: /);
  });

  it('fail where it falls silent', async () => {
    const opened = await checked((_, response) => send(response, piece('[')), 200);
    expect(await faultOf(opened.generate(question))).toMatch(/^model_failed: .*said nothing/);
  });

  it('are asked for once: a request may be what its server dies of', async () => {
    const opened = await checked((_, response) => response.destroy());
    const before = asked().length;
    expect(await faultOf(opened.generate(question))).toMatch(/^model_failed: .*may have worked/);
    expect(asked().length - before).toBe(1);
  });

  it('are those of another server where the model is not there', async () => {
    await open();
    const other = await startScriptedServer(({ body }, response) =>
      body === ''
        ? response.end()
        : response
            .writeHead(404)
            .end(JSON.stringify({ error: "Request for unknown model: 'hammer' is not found" })),
    );
    const triton = new TritonServer({
      urls: [other.url, server?.url ?? ''],
      model: 'hammer',
      balance: 'round_robin',
      stallMs: PATIENT,
    });
    const served = new ServedModel({ server: triton, card, guidedDecoding: 'off' });
    await served.check(question.signal);
    for (let turn = 0; turn < 6; turn++) await served.generate(question);
    await served.close();
    const refusals = other.requests.filter(({ path }) => path.endsWith('/generate_stream'));
    expect(refusals.length).toBe(1);
    await other.close();
  });
});

describe('servers', () => {
  const options = {
    model: 'hammer',
    balance: 'round_robin',
    probeEveryMs: 50,
    stallMs: PATIENT,
  } as const;

  it('are counted while they are fit', async () => {
    await open();
    const other = await startScriptedServer((_, response) => response.end());
    const triton = new TritonServer({ urls: [server?.url ?? '', other.url], ...options });
    await vi.waitFor(() => expect(triton.servers).toBe(2));
    await other.close();
    await vi.waitFor(() => expect(triton.servers).toBe(1), { timeout: 5_000 });
    await server?.close();
    await vi.waitFor(() => expect(triton.servers).toBe(0), { timeout: 5_000 });
    server = undefined;
    await triton.close();
  });

  it('are found by the names that resolve', async () => {
    await open();
    const port = new URL(server?.url ?? '').port;
    const urls = ['http://no-such-host.invalid:8000', `http://localhost:${port}`];
    const triton = new TritonServer({ urls, ...options });
    await vi.waitFor(() => expect(triton.servers).toBe(1));
    expect((await triton.describe(question.signal)).card).toContain('scripted');
    await triton.close();
  });

  it('get the questions of one toolset, or all in turn, as is set', async () => {
    await open();
    const other = await startScriptedServer(({ body }, response) =>
      body === '' ? response.end() : agree({}, response),
    );
    const urls = [server?.url ?? '', other.url];
    const shares = async (policy: 'affinity' | 'round_robin', affinities: string[]) => {
      const before = asked().length;
      const triton = new TritonServer({ urls, model: 'hammer', balance: policy, stallMs: PATIENT });
      const served = new ServedModel({ server: triton, card, guidedDecoding: 'off' });
      await served.check(question.signal);
      for (const affinity of affinities) await served.generate({ ...question, affinity });
      await served.close();
      return asked().length - before;
    };
    const same = Array.from({ length: 8 }, () => 'toolset');
    const many = Array.from({ length: 32 }, (_, index) => `toolset ${index}`);
    // One of them may have got the check besides.
    expect([0, 1, 8, 9]).toContain(await shares('affinity', same));
    // That one gets them all happens once in a milliard.
    expect(Math.abs((await shares('affinity', many)) - 16)).toBeLessThan(15);
    expect([4, 5]).toContain(await shares('round_robin', same));
    await other.close();
  });
});
