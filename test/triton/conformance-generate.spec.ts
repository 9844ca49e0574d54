import { describe, expect, it } from 'vitest';
import type { GenerateFields, TritonClient } from '#libs/triton';
import { all, failureOf, protocols, untilFailure, useTriton } from './support/protocols.js';

const triton = useTriton({ models: ['text'] });

const script = (parts: object): string => JSON.stringify({ script: parts });

describe.each(protocols)('over %s, as an error', (protocol) => {
  const fields = (parts: object): Parameters<TritonClient['generate']>[0] => ({
    model: 'text',
    fields: { text_input: 'a b', stream: true, sampling_parameters: script(parts) },
  });

  it('a model that answers more than once: unimplemented', async () => {
    const call = triton.client(protocol).generate(fields({ tokens: ['a', 'b'] }));
    expect(await failureOf(call)).toMatchObject({
      code: 'unimplemented',
      reason: undefined,
      progress: 'answered',
      operation: 'Generate',
      endpoint: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
    });
  });

  it.each([0, 2])(
    'an error of the model after %i answers: internal, model_error',
    async (after) => {
      const parts = { tokens: ['a', 'b', 'c'], error: { after, message: 'größe ' } };
      const stream = triton.client(protocol).generateStream(fields(parts));
      const { items, error } = await untilFailure(stream);
      expect(items.map((item) => item['text_output'])).toEqual(['a', 'b'].slice(0, after));
      expect(error).toMatchObject({
        code: 'internal',
        reason: 'model_error',
        progress: after === 0 ? 'sent' : 'answered',
        operation: 'GenerateStream',
        endpoint: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
        message: 'Error generating stream: größe ',
      });
      const once = { ...parts, error: { after: 0, message: 'größe ' } };
      expect(await failureOf(triton.client(protocol).generate(fields(once)))).toMatchObject({
        code: 'internal',
        reason: 'model_error',
        progress: 'sent',
        operation: 'Generate',
      });
    },
  );

  it('a text that is not UTF-8: data_loss, malformed_text', async () => {
    const stream = triton.client(protocol).generateStream(fields({ tokens: ['a'], malformed: 1 }));
    expect((await untilFailure(stream)).error).toMatchObject({
      code: 'data_loss',
      reason: 'malformed_text',
      progress: 'answered',
      operation: 'GenerateStream',
      endpoint: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
    });
  });

  it('an unknown model: not_found', async () => {
    const request = { model: 'txet', fields: { text_input: 'a' } };
    const stream = triton.client(protocol).generateStream(request);
    for (const error of [
      (await untilFailure(stream)).error,
      await failureOf(triton.client(protocol).generate(request)),
    ]) {
      expect(error).toMatchObject({ code: 'not_found', reason: 'not_ready', progress: 'sent' });
    }
  });

  it.each([
    ['a number where a text belongs', { text_input: 1 }],
    ['an object where a text belongs', { text_input: { a: 1 } }],
    ['too many elements', { text_input: ['a', 'b'] }],
    ['no input', {}],
  ])('%s: invalid_argument', async (_, wrong) => {
    const call = triton.client(protocol).generate({ model: 'text', fields: wrong });
    expect(await failureOf(call)).toMatchObject({ code: 'invalid_argument', reason: undefined });
  });
});

/** A text of no end in a test's time. */
const endless = JSON.stringify({
  max_tokens: 10_000,
  script: { every_ms: 5, tokens: Array.from({ length: 10_000 }, () => 'x') },
});
/** One answer, then silence. */
const falling = script({ tokens: ['x', 'y'], hang: 1 });

// Over HTTP, Triton notices a dropped connection only once it has begun to answer.
describe.each(protocols)('over %s, given up', (protocol) => {
  const fields = (id: string, sampling: string): GenerateFields => ({
    id,
    text_input: 'a',
    stream: true,
    sampling_parameters: sampling,
  });

  it('leaving the loop reaches the model', async () => {
    const id = `left generate, ${protocol}`;
    const stream = triton
      .client(protocol)
      .generateStream({ model: 'text', fields: fields(id, endless) });
    for await (const _ of stream) break;
    expect(await triton.ended(id)).toBe('cancelled');
  });

  it('a deadline reaches the model', async () => {
    const id = `late generate, ${protocol}`;
    const stream = triton
      .client(protocol)
      .generateStream({ model: 'text', fields: fields(id, falling) }, { timeoutMs: 1_000 });
    expect((await untilFailure(stream)).error).toMatchObject({
      code: 'deadline_exceeded',
      reason: undefined,
      progress: 'answered',
      operation: 'GenerateStream',
    });
    expect(await triton.ended(id)).toBe('cancelled');
  });

  it('a cancellation reaches the model', async () => {
    const id = `aborted generate, ${protocol}`;
    const controller = new AbortController();
    const answers = triton
      .client(protocol)
      .generateStream(
        { model: 'text', fields: fields(id, falling) },
        { signal: controller.signal },
      );
    const stream = answers[Symbol.asyncIterator]();
    expect((await stream.next()).value).toMatchObject({ text_output: 'x' });
    const waiting = failureOf(stream.next());
    controller.abort();
    expect(await waiting).toMatchObject({
      code: 'cancelled',
      progress: 'answered',
      operation: 'GenerateStream',
    });
    expect(await triton.ended(id)).toBe('cancelled');
  });
});

const returned = {
  return_finish_reason: true,
  return_cumulative_logprob: true,
  return_logprobs: true,
  return_num_input_tokens: true,
  return_num_output_tokens: true,
};
const BODIES: readonly GenerateFields[] = [
  { text_input: 'hello' },
  { text_input: ['hello'] },
  { text_input: '' },
  { text_input: 'Grüße, 世界 🌍 \0 "\\' },
  { text_input: 'a b', id: 'mine' },
  { text_input: 'a b', id: '' },
  { text_input: 'a b', exclude_input_in_output: true },
  { text_input: 'a b', exclude_input_in_output: [true] },
  { text_input: 'a b', image: ['x', 'y'] },
  { text_input: 'a b', parameters: { temperature: 0.5, top: 3, own: 'x', flag: true } },
  { text_input: 'a b', temperature: 0.5, max: -3 },
  { parameters: { text_input: 'nested', exclude_input_in_output: true } },
  { text_input: 'a b', sampling_parameters: '{"max_tokens":3}', ...returned },
  { text_input: 'a b', sampling_parameters: script({ tokens: ['ü', '"', '\n', '\u2028'] }) },
];

describe.each(BODIES)('of %j', (body) => {
  it('is equal over both protocols', async () => {
    const [grpc, http] = await Promise.all(
      protocols.map((protocol) =>
        triton.client(protocol).generate({ model: 'text', fields: body }),
      ),
    );
    expect(grpc).toEqual(http);
    expect(grpc).toMatchObject({ model_name: 'text', model_version: '1' });
    expect(typeof grpc?.['text_output']).toBe('string');
  });

  it('is equal over both protocols as a stream', async () => {
    const { exclude_input_in_output: _, ...rest } = body;
    const fields = { ...rest, stream: true };
    const [grpc, http] = await Promise.all(
      protocols.map((protocol) =>
        all(triton.client(protocol).generateStream({ model: 'text', fields })),
      ),
    );
    expect(grpc).toEqual(http);
    expect(grpc?.length).toBeGreaterThan(1);
  });
});
