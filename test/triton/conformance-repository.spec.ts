import { describe, expect, it } from 'vitest';
import { type ModelConfig, output, toStrings, type TritonClient } from '#libs/triton';
import { failureOf, protocols, useTriton } from './support/protocols.js';

const triton = useTriton({
  models: ['identity', 'batched'],
  explicit: ['identity'],
  args: [
    '--grpc-restricted-protocol=model-config,logging:admin-key=s3cret',
    '--http-restricted-api=model-config,logging:admin-key=s3cret',
  ],
});

const stateOf = async (client: TritonClient, model: string): Promise<unknown> =>
  (await client.repositoryIndex()).find(({ name }) => name === model);

const inline: ModelConfig = {
  backend: 'python',
  input: [{ name: 'IN', data_type: 'TYPE_STRING', dims: [-1] }],
  output: [{ name: 'OUT', data_type: 'TYPE_STRING', dims: [-1] }],
  instance_group: [{ kind: 'KIND_CPU' }],
};
const program = `
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        tensors = [request.inputs()[0].as_numpy() for request in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("OUT", t[::-1])]) for t in tensors]
`;

describe.each(protocols)('over %s', (protocol) => {
  it('loads a model, and unloads it', async () => {
    const client = triton.client(protocol);
    await client.loadModel('batched');
    const ready = { name: 'batched', version: '1', state: 'READY', reason: '' };
    expect(await stateOf(client, 'batched')).toEqual(ready);
    expect(await client.repositoryIndex({ ready: true })).toContainEqual(ready);
    await client.unloadModel({ model: 'batched', unloadDependents: true });
    await expect
      .poll(() => stateOf(client, 'batched'), { timeout: 20_000 })
      .toEqual({ ...ready, state: 'UNAVAILABLE', reason: 'unloaded' });
    expect(await client.modelReady('batched')).toBe(false);
    const others = await client.repositoryIndex({ ready: true });
    expect(others).toContainEqual({ ...ready, name: 'identity' });
    expect(others.map(({ name }) => name)).not.toContain('batched');
  });

  it('loads a model with another configuration, and checks inputs against that one', async () => {
    const client = triton.client(protocol);
    const tensorOf = (name: string): ModelConfig => ({ name, data_type: 'TYPE_FP32', dims: [2] });
    const config = {
      backend: 'python',
      max_batch_size: 3,
      input: [tensorOf('INPUT0')],
      output: [tensorOf('OUTPUT0')],
    };
    await client.loadModel('batched');
    const infer = (values: number[][]): Promise<unknown> =>
      client.infer({ model: 'batched', inputs: { INPUT0: values } });
    await infer([[1, 2, 3, 4]]);
    await client.loadModel({ model: 'batched', config });
    expect(await client.modelMetadata('batched')).toMatchObject({
      inputs: [{ name: 'INPUT0', shape: [-1, 2] }],
    });
    expect(await infer([[1, 2]])).toMatchObject({ outputs: { OUTPUT0: { shape: [1, 2] } } });
    expect(await failureOf(infer([[1, 2, 3, 4]]))).toMatchObject({
      code: 'invalid_argument',
      progress: 'unsent',
      message: expect.stringContaining('but the model takes FP32 [-1, 2]') as string,
    });
  });

  it('loads a model that is nowhere but in the request', async () => {
    const client = triton.client(protocol);
    const model = `inline-${protocol}`;
    const files = { '1/model.py': Buffer.from(program) };
    await client.loadModel({ model, config: inline, files });
    const answer = await client.infer({ model, inputs: { IN: ['a', 'ü'] } });
    expect(toStrings(output(answer, 'OUT', 'BYTES'))).toEqual(['ü', 'a']);
  });

  it('says why a model does not load', async () => {
    const client = triton.client(protocol);
    const files = { '1/model.py': Buffer.from('raise ValueError("no weights: é")') };
    const model = `broken-${protocol}`;
    expect(await failureOf(client.loadModel({ model, config: inline, files }))).toMatchObject({
      progress: 'sent',
      operation: 'RepositoryModelLoad',
      message: expect.stringContaining('ValueError: no weights: é') as string,
    });
    expect(await failureOf(client.loadModel('nowhere'))).toMatchObject({
      progress: 'sent',
      message: expect.stringContaining("failed to load 'nowhere'") as string,
    });
  });

  it('waits until a model is loaded that takes its time, and no longer than it may', async () => {
    const client = triton.client(protocol);
    const model = `late-${protocol}`;
    const late = `${program}\n    def initialize(self, args):\n        import time\n        time.sleep(0.7)\n`;
    const request = { model, config: inline, files: { '1/model.py': Buffer.from(late) } };
    expect(await failureOf(client.loadModel(request, { timeoutMs: 200 }))).toMatchObject({
      code: 'deadline_exceeded',
      operation: 'RepositoryModelLoad',
    });
    expect(await triton.client('grpc').modelReady(model)).toBe(false);
    await client.loadModel(request);
    const answer = await client.infer({ model, inputs: { IN: ['a', 'b'] } });
    expect(toStrings(output(answer, 'OUT', 'BYTES'))).toEqual(['b', 'a']);
  });

  describe('a restricted API', () => {
    const header = protocol === 'grpc' ? 'triton-grpc-protocol-admin-key' : 'admin-key';

    it.each([undefined, 'wrong'])('is closed to the key %s', async (key) => {
      const client = triton.connect(protocol, { metadata: key ? { [header]: key } : {} });
      const calls = [client.modelConfig('identity'), client.logSettings()];
      for (const error of await Promise.all(calls.map(failureOf))) {
        expect(error).toMatchObject({
          code: 'permission_denied',
          reason: undefined,
          progress: 'sent',
          message: expect.stringContaining('is restricted, expecting header') as string,
        });
      }
      expect(await client.modelReady('identity')).toBe(true);
    });

    it('is open to its key, of the client or of the call', async () => {
      const metadata = { [header]: 's3cret' };
      const client = triton.connect(protocol, { metadata });
      expect(await client.modelConfig('identity')).toMatchObject({ name: 'identity' });
      expect(await triton.client(protocol).logSettings(undefined, { metadata })).toMatchObject({
        log_info: true,
      });
    });
  });
});
