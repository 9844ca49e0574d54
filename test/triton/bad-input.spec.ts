import { describe, expect, it } from 'vitest';
import {
  type InferRequest,
  type Json,
  output,
  tensor,
  toStrings,
  type TritonClient,
} from '#libs/triton';
import { all, failureOf, protocols, untilFailure, useTriton } from './support/protocols.js';

const triton = useTriton({
  models: ['identity', 'types', 'batched', 'text', 'late'],
  explicit: ['identity', 'types', 'batched', 'text'],
});

const LONE = 'a\ud800b';
const INPUT0 = tensor('FP32', [1]);

/** What the library finds before anything is sent. */
const REFUSED: Readonly<Record<string, readonly [inputs: InferRequest, message: string]>> = {
  'an unknown input': [
    { model: 'identity', inputs: { INPUT: [1] } },
    'model identity, input INPUT: unknown; the inputs are INPUT0 (FP32 [-1]); did you mean INPUT0?',
  ],
  'an unknown output': [
    { model: 'identity', inputs: { INPUT0: [1] }, outputs: ['OUTPUT'] },
    'model identity, output OUTPUT: unknown; the outputs are OUTPUT0 (FP32 [-1]); did you mean OUTPUT0?',
  ],
  'a wrong data type': [
    { model: 'identity', inputs: { INPUT0: tensor('INT32', [1]) } },
    'model identity, input INPUT0: INT32 [1], but the model takes FP32 [-1]; give a tensor like that, -1 being any size',
  ],
  'a typed array of another type': [
    { model: 'identity', inputs: { INPUT0: Int32Array.of(1) } },
    'model identity, input INPUT0: Int32Array is not what holds FP32; give Float32Array',
  ],
  'a wrong shape': [
    { model: 'identity', inputs: { INPUT0: [[1, 2]] } },
    'model identity, input INPUT0: values of shape [1, 2], but the model takes FP32 [-1]; give a tensor like that, -1 being any size',
  ],
  'a wrong fixed dimension': [
    { model: 'batched', inputs: { INPUT0: tensor('FP32', [[1, 2, 3]]) } },
    'model batched, input INPUT0: FP32 [1, 3], but the model takes FP32 [-1, 4]; give a tensor like that, -1 being any size',
  ],
  'NaN among integers': [
    { model: 'types', inputs: { INT32: [[0, NaN]] } },
    'model types, input INT32[0][1]: NaN',
  ],
  'a number out of range': [
    { model: 'types', inputs: { INT8: [[128]] } },
    'model types, input INT8[0][0]: 128',
  ],
  'a number where a text belongs': [
    { model: 'text', inputs: { text_input: 1 } },
    'model text, input text_input: 1',
  ],
  'a lone surrogate in a text': [
    { model: 'types', inputs: { BYTES: [['fine', LONE]] } },
    'model types, input BYTES[0][1]: ',
  ],
};

/** Every place for a text, but for the inputs. */
const LONE_SURROGATES: Readonly<Record<string, (client: TritonClient) => Promise<unknown>>> = {
  id: (client) => client.infer({ model: 'identity', id: LONE, inputs: { INPUT0 } }),
  'a parameter': (client) =>
    client.infer({ model: 'identity', parameters: { a: LONE }, inputs: { INPUT0 } }),
  'the name of a parameter': (client) =>
    client.infer({ model: 'identity', parameters: { [LONE]: 1 }, inputs: { INPUT0 } }),
  'the name of a parameter of an output': (client) =>
    client.infer({
      model: 'identity',
      inputs: { INPUT0 },
      outputs: [{ name: 'OUTPUT0', parameters: { [LONE]: 1 } }],
    }),
  'the name of an input': (client) =>
    client.infer({ model: 'identity', inputs: { [LONE]: tensor('FP32', [1]) } }),
  'the name of an output': (client) =>
    client.infer({ model: 'identity', inputs: { INPUT0 }, outputs: [LONE] }),
  'the name of a model': (client) => client.infer({ model: LONE, inputs: { INPUT0 } }),
  'a version': (client) => client.infer({ model: 'identity', version: LONE, inputs: { INPUT0 } }),
  'a metadata value': (client) => client.serverReady({ metadata: { a: LONE } }),
  'a metadata name': (client) => client.serverReady({ metadata: { [LONE]: 'a' } }),
  'modelReady, the model': (client) => client.modelReady(LONE),
  'modelConfig, the model': (client) => client.modelConfig(LONE),
  'statistics, the model': (client) => client.statistics(LONE),
  'loadModel, the model': (client) => client.loadModel(LONE),
  'loadModel, the configuration': (client) =>
    client.loadModel({ model: 'batched', config: { backend: LONE } }),
  'loadModel, the path of a file': (client) =>
    client.loadModel({ model: 'batched', config: {}, files: { [LONE]: new Uint8Array(1) } }),
  'unloadModel, the model': (client) => client.unloadModel(LONE),
  'traceSettings, the model': (client) =>
    client.traceSettings({ model: LONE, settings: { trace_rate: '1' } }),
  'traceSettings, a value': (client) => client.traceSettings({ settings: { trace_rate: LONE } }),
  'traceSettings, a name': (client) => client.traceSettings({ settings: { [LONE]: '1' } }),
  'logSettings, a value': (client) => client.logSettings({ log_format: LONE }),
  'logSettings, a name': (client) => client.logSettings({ [LONE]: 1 }),
  'generate, the model': (client) => client.generate({ model: LONE, fields: {} }),
  'generate, an input': (client) => generate(client, { text_input: LONE }),
  'generate, the id': (client) => generate(client, { text_input: 'a', id: LONE }),
  'generate, a parameter': (client) => generate(client, { text_input: 'a', own: LONE }),
  'generate, a name': (client) => generate(client, { text_input: 'a', [LONE]: 1 }),
  'generateStream, an input': (client) =>
    all(client.generateStream({ model: 'text', fields: { text_input: LONE } })),
};

const generate = (client: TritonClient, fields: Record<string, Json>): Promise<unknown> =>
  client.generate({ model: 'text', fields });

describe.each(protocols)('over %s', (protocol) => {
  it.each(Object.entries(REFUSED))(
    '%s is refused before it is sent',
    async (_, [request, words]) => {
      const error = await failureOf(triton.client(protocol).infer(request));
      expect(error).toMatchObject({
        code: 'invalid_argument',
        reason: undefined,
        progress: 'unsent',
      });
      expect(error.message.slice(0, words.length)).toBe(words);
    },
  );

  it.each(Object.entries(LONE_SURROGATES))(
    'a lone surrogate in %s is refused before it is sent',
    async (_, ask) => {
      // Unchecked, so that it is not the metadata by which it is found.
      const client = triton.connect(protocol, { checkInputs: false });
      expect(await failureOf(ask(client))).toMatchObject({
        code: 'invalid_argument',
        reason: undefined,
        progress: 'unsent',
      });
    },
  );

  it.each([NaN, Infinity])('%d as a parameter is refused', async (value) => {
    const request = { model: 'identity', parameters: { a: value }, inputs: { INPUT0: [1] } };
    expect(await failureOf(triton.client(protocol).infer(request))).toMatchObject({
      code: 'invalid_argument',
      progress: 'unsent',
      message: expect.stringContaining(`parameters.a: ${value}`) as string,
    });
    expect(
      await failureOf(generate(triton.client(protocol), { text_input: 'a', b: value })),
    ).toMatchObject({ code: 'invalid_argument', progress: 'unsent' });
  });

  it.each([NaN, 0, -1])('%d as a time-out is refused', async (timeoutMs) => {
    const call = triton.client(protocol).serverReady({ timeoutMs });
    expect(await failureOf(call)).toMatchObject({
      code: 'invalid_argument',
      progress: 'unsent',
      message: expect.stringContaining(`timeoutMs: ${timeoutMs}`) as string,
    });
  });

  it('an unknown model is named', async () => {
    const request = { model: 'identiti', inputs: { INPUT0: [1] } };
    expect(await failureOf(triton.client(protocol).infer(request))).toMatchObject({
      code: 'not_found',
      reason: 'not_ready',
      progress: 'sent',
      message: expect.stringContaining("'identiti'") as string,
    });
  });

  it.each(['', 'a/b', '../identity', 'a b', 'ä', 'a?b#c%2f'])(
    'the name %j of a model does no harm',
    async (model) => {
      const code = model === '' ? 'invalid_argument' : 'not_found';
      const client = triton.connect(protocol, { checkInputs: false });
      const call = client.infer({ model, inputs: { INPUT0 } });
      expect(await failureOf(call)).toMatchObject({ code });
    },
  );

  it('a text of 64 MiB goes through', async () => {
    const prompt = 'x'.repeat(2 ** 26);
    const answer = await triton.client(protocol).infer({
      model: 'types',
      inputs: { BYTES: [[prompt]] },
    });
    const [back] = toStrings(output(answer, 'OUT_BYTES', 'BYTES'));
    expect(back === prompt).toBe(true);
  });

  it('a prompt of 64 MiB goes through, as a stream, too', async () => {
    const fields = {
      text_input: 'x'.repeat(2 ** 26),
      exclude_input_in_output: true,
      return_num_input_tokens: true,
      sampling_parameters: JSON.stringify({ script: { tokens: ['a', 'b'] } }),
    };
    const client = triton.client(protocol);
    expect(await client.generate({ model: 'text', fields })).toMatchObject({
      text_output: 'ab',
      num_input_tokens: 1,
    });
    const stream = client.generateStream({ model: 'text', fields: { ...fields, stream: true } });
    const texts = (await all(stream)).map((item) => item['text_output']);
    expect(texts).toEqual(['a', 'b']);
  });

  it('an answer over the limit of the client: resource_exhausted, too_large', async () => {
    const client = triton.connect(protocol, { maxMessageBytes: 1_000 });
    const request = { model: 'identity', inputs: { INPUT0: new Float32Array(1_000) } };
    expect(await failureOf(client.infer(request))).toMatchObject({
      code: 'resource_exhausted',
      reason: 'too_large',
    });
  });
});

it('a model that is not loaded yet, or still loads: not_found', async () => {
  const request = { model: 'late', inputs: { INPUT0 } };
  const unchecked = protocols.map((protocol) => triton.connect(protocol, { checkInputs: false }));
  const clients = [...unchecked, ...protocols.map((protocol) => triton.client(protocol))];
  const ask = async (): Promise<void> => {
    for (const client of clients) {
      expect(await failureOf(client.infer(request))).toMatchObject({
        code: 'not_found',
        progress: 'sent',
        message: expect.stringContaining("'late'") as string,
      });
      expect(await client.modelReady('late')).toBe(false);
    }
  };
  await ask();
  // Over gRPC: Triton may leave other HTTP connections waiting while it loads for one.
  const loader = triton.client('grpc');
  const loaded = loader.loadModel('late');
  const state = async (): Promise<unknown> =>
    (await loader.repositoryIndex()).find(({ name }) => name === 'late')?.state;
  await expect.poll(state, { timeout: 10_000, interval: 10 }).toBe('LOADING');
  await ask();
  await loaded;
  for (const client of clients) {
    expect(await client.infer(request)).toMatchObject({ outputs: { OUTPUT0: { shape: [1] } } });
  }
});

it('a prompt of 64 MiB goes through a stream of inferences', async () => {
  const inputs = {
    text_input: 'x'.repeat(2 ** 26),
    stream: true,
    return_num_input_tokens: true,
    sampling_parameters: JSON.stringify({ script: { tokens: ['a', 'b'] } }),
  };
  const answers = await all(triton.client('grpc').streamInfer({ model: 'text', inputs }));
  expect(answers.map((answer) => toStrings(output(answer, 'text_output', 'BYTES'))[0])).toEqual([
    'a',
    'b',
  ]);
});

it('a lone surrogate is refused before a stream is opened', async () => {
  const stream = triton.client('grpc').streamInfer({ model: 'text', inputs: { text_input: LONE } });
  expect((await untilFailure(stream)).error).toMatchObject({
    code: 'invalid_argument',
    progress: 'unsent',
    message: expect.stringContaining('model text, input text_input') as string,
  });
});
