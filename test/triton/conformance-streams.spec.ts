import { describe, expect, it } from 'vitest';
import { type InferAnswer, type InferRequest, output, toStrings, TritonClient } from '#libs/triton';
import { all, failureOf, protocols, untilFailure, useTriton } from './support/protocols.js';

const triton = useTriton({
  models: ['slow', 'text'],
  explicit: ['slow', 'text'],
  args: ['--grpc-header-forward-pattern=x-test-.*', '--http-header-forward-pattern=x-test-.*'],
});

const script = (parts: object): string => JSON.stringify({ script: parts });

const request = (parts: object, more: Partial<InferRequest> = {}): InferRequest => ({
  model: 'text',
  inputs: { text_input: 'a b', stream: true, sampling_parameters: script(parts) },
  ...more,
});

const textOf = (answer: InferAnswer): string =>
  toStrings(output(answer, 'text_output', 'BYTES')).join('');

/** A text without end that tells when it began and how it ended. */
const endless = { every_ms: 5, tokens: Array.from({ length: 10_000 }, () => 'x') };
const max = { max_tokens: 10_000 };
const endlessParameters = JSON.stringify({ ...max, script: endless });
/** Enough to connect on a busy machine. */
const SOON_MS = 1_000;

/** Answers twice, and only then says that it has ended. */
const openEnded = `
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            sender = request.get_response_sender()
            for _ in range(2):
                tensor = pb_utils.Tensor("OUT", request.inputs()[0].as_numpy())
                sender.send(pb_utils.InferenceResponse([tensor]))
            sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
`;
const openEndedConfig = {
  backend: 'python',
  model_transaction_policy: { decoupled: true },
  input: [{ name: 'IN', data_type: 'TYPE_INT32', dims: [1] }],
  output: [{ name: 'OUT', data_type: 'TYPE_INT32', dims: [1] }],
  instance_group: [{ kind: 'KIND_CPU' }],
};

describe('streaming inference', () => {
  const client = (): TritonClient => triton.client('grpc');

  it('each answer says whether it is the last', async () => {
    const answers = await all(
      client().streamInfer(request({ tokens: ['a', 'ü', 'c'] }, { id: 'i' })),
    );
    expect(answers.map(textOf)).toEqual(['a', 'ü', 'c']);
    expect(answers.map(({ id, parameters }) => ({ id, parameters }))).toEqual(
      [false, false, true].map((last) => ({
        id: 'i',
        parameters: { triton_final_response: last },
      })),
    );
  });

  it('an empty last answer comes where it is asked for', async () => {
    const model = 'open-ended';
    const files = { '1/model.py': Buffer.from(openEnded) };
    await client().loadModel({ model, config: openEndedConfig, files });
    const ask = async (parameters = {}): Promise<unknown> => {
      const answers = await all(client().streamInfer({ model, parameters, inputs: { IN: [7] } }));
      return answers.map((answer) => ({
        outputs: Object.keys(answer.outputs),
        last: answer.parameters['triton_final_response'],
      }));
    };
    const answer = { outputs: ['OUT'], last: false };
    expect(await ask()).toEqual([answer, answer]);
    const empty = { outputs: [], last: true };
    const asked = { triton_enable_empty_final_response: true };
    expect(await ask(asked)).toEqual([answer, answer, empty]);
    // Where requests share a stream, it is what tells their ends.
    const stream = client().openStream();
    expect(await all(stream.infer({ model, inputs: { IN: [7] } }))).toHaveLength(2);
    await stream.close();
  });

  it('many requests share a stream, each with its own answers in order', async () => {
    const stream = client().openStream();
    const texts = ['a b c', 'd e', 'f', 'g h i j'];
    const read = texts.map(async (words) => {
      const tokens = words.split(' ');
      const answers = stream.infer(request({ tokens, every_ms: 2 }, { id: 'same' }));
      return (await all(answers)).map((answer) => [answer.id, textOf(answer)]);
    });
    expect(stream.outstanding).toBe(4);
    expect(await Promise.all(read)).toEqual(
      texts.map((words) => words.split(' ').map((token) => ['same', token])),
    );
    expect(stream.outstanding).toBe(0);
    await stream.close();
  });

  it('a model that answers once can be asked over a stream', async () => {
    const [answer, ...more] = await all(
      client().streamInfer({ model: 'slow', inputs: { MS: [1] } }),
    );
    expect(more).toEqual([]);
    expect(answer?.outputs['WAITED']).toMatchObject({ shape: [1, 1] });
  });

  it('cancelling it reaches the model', async () => {
    const controller = new AbortController();
    const inputs = { text_input: 'a', stream: true, sampling_parameters: endlessParameters };
    const stream = client().streamInfer(
      { model: 'text', id: 'aborted stream', inputs },
      { signal: controller.signal },
    );
    expect((await stream.next()).done).toBe(false);
    controller.abort(new Error('enough'));
    const { error } = await untilFailure(stream);
    expect(error).toMatchObject({ code: 'cancelled', progress: 'answered' });
    expect(error.cause).toMatchObject({ message: 'enough' });
    expect(await triton.ended('aborted stream')).toBe('cancelled');
  });

  it('leaving the loop reaches the model', async () => {
    const inputs = { text_input: 'a', stream: true, sampling_parameters: endlessParameters };
    for await (const _ of client().streamInfer({ model: 'text', id: 'left stream', inputs })) break;
    expect(await triton.ended('left stream')).toBe('cancelled');
  });

  it('its deadline reaches the model', async () => {
    const stream = client().streamInfer(request({ hang: 0 }, { id: 'late stream' }), {
      timeoutMs: SOON_MS,
    });
    expect((await untilFailure(stream)).error).toMatchObject({
      code: 'deadline_exceeded',
      reason: undefined,
      progress: 'sent',
    });
    expect(await triton.ended('late stream')).toBe('cancelled');
  });

  it('cancelling a shared stream ends all its requests, at the model too', async () => {
    const stream = client().openStream();
    const inputs = { text_input: 'a', stream: true, sampling_parameters: endlessParameters };
    const answers = stream.infer({ model: 'text', id: 'of a shared stream', inputs });
    expect((await answers.next()).done).toBe(false);
    stream.cancel();
    expect((await untilFailure(answers)).error).toMatchObject({ code: 'cancelled' });
    await stream.close();
    await triton.saw('1', 'cancelled');
  });
});

describe('unary inference over gRPC', () => {
  it.each([
    // First: after a cancelled request, Triton may take a second to begin the next.
    ['a deadline', 'deadline_exceeded'],
    ['cancelling', 'cancelled'],
  ])('%s reaches the model', async (what, code) => {
    const controller = new AbortController();
    const limits = code === 'cancelled' ? { signal: controller.signal } : { timeoutMs: 300 };
    const call = failureOf(
      triton.client('grpc').infer({ model: 'slow', id: what, inputs: { MS: [60_000] } }, limits),
    );
    await triton.saw(what, 'started');
    controller.abort();
    expect(await call).toMatchObject({ code, reason: undefined, progress: 'sent' });
    expect(await triton.ended(what)).toBe('cancelled');
  });
});

// The dropped connection tells Triton nothing.
it('over HTTP, a cancellation ends the call, but not the inference', async () => {
  const id = 'over HTTP';
  const controller = new AbortController();
  const call = failureOf(
    triton
      .client('http')
      .infer({ model: 'slow', id, inputs: { MS: [500] } }, { signal: controller.signal }),
  );
  await triton.saw(id, 'started');
  controller.abort();
  expect(await call).toMatchObject({ code: 'cancelled', reason: undefined, progress: 'sent' });
  expect(await triton.ended(id)).toBe('finished');
});

it('over HTTP, a deadline ends the call', async () => {
  const client = triton.client('http');
  await client.serverReady();
  const asked = { model: 'slow', inputs: { MS: [2 * SOON_MS] } };
  expect(await failureOf(client.infer(asked, { timeoutMs: SOON_MS }))).toMatchObject({
    code: 'deadline_exceeded',
    reason: undefined,
    progress: 'sent',
    operation: 'ModelInfer',
  });
});

describe.each(protocols)('over %s', (protocol) => {
  it('header fields that the server forwards become parameters', async () => {
    const metadata = { 'x-test-own': 'given', 'x-other': 'dropped' };
    const headers = { 'x-test-client': 'always' };
    const client = triton.connect(protocol, { metadata: headers });
    const id = `forwarded, ${protocol}`;
    await client.infer({ model: 'slow', id, inputs: { MS: [1] } }, { metadata });
    const seen = await triton.saw(id, 'finished');
    expect(seen.parameters).toEqual({ 'x-test-own': 'given', 'x-test-client': 'always' });
  });
});
