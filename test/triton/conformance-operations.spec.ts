import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/root.mjs';
import { failureOf, protocols, useTriton } from './support/protocols.js';

const MODELS = ['batched', 'broken', 'identity', 'slow', 'text', 'types'];

// Without a file there is nothing to change of a trace.
const triton = useTriton({ args: ['--trace-config=triton,file=/dev/null'] });

it('knows all test models', () => {
  const folders = readdirSync(path.join(ROOT, 'test/triton/model_repository')).toSorted();
  expect(folders.filter((name) => name !== 'late')).toEqual(MODELS);
});

describe.each(protocols)('over %s', (protocol) => {
  it('says that the server lives, is ready and serves', async () => {
    const client = triton.client(protocol);
    expect(await client.serverLive()).toBe(true);
    expect(await client.serverReady()).toBe(true);
    expect(await client.health()).toBe('serving');
  });

  it('tells what the server is', async () => {
    expect(await triton.client(protocol).serverMetadata()).toEqual({
      name: 'triton',
      version: '2.51.0',
      extensions: expect.arrayContaining([
        'classification',
        'sequence',
        'model_repository',
        'schedule_policy',
        'model_configuration',
        'binary_tensor_data',
        'parameters',
        'statistics',
        'trace',
        'logging',
      ]) as string[],
    });
  });

  it('says which models are ready, unknown ones included', async () => {
    const client = triton.client(protocol);
    const asked = ['identity', 'identiti', { model: 'identity', version: '1' }] as const;
    expect(await Promise.all(asked.map((model) => client.modelReady(model)))).toEqual([
      true,
      false,
      true,
    ]);
    expect(await client.modelReady({ model: 'identity', version: '7' })).toBe(false);
  });

  it('tells the inputs and outputs of a model', async () => {
    expect(await triton.client(protocol).modelMetadata('batched')).toEqual({
      name: 'batched',
      versions: ['1'],
      platform: 'python',
      inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [-1, 4] }],
      outputs: [{ name: 'OUTPUT0', datatype: 'FP32', shape: [-1, 4] }],
    });
  });

  it('lists the models', async () => {
    const index = await triton.client(protocol).repositoryIndex({ ready: true });
    expect(index.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual(
      MODELS.map((name) => ({ name, version: '1', state: 'READY', reason: '' })),
    );
  });

  it.each(['modelMetadata', 'modelConfig', 'statistics'] as const)(
    'refuses %s of a model or a version that it does not have',
    async (operation) => {
      const client = triton.client(protocol);
      for (const ref of [{ model: 'identiti' }, { model: 'identity', version: '7' }]) {
        expect(await failureOf(client[operation](ref))).toMatchObject({
          code: 'not_found',
          reason: 'not_ready',
          progress: 'sent',
          message: expect.stringContaining(ref.model) as string,
        });
      }
    },
  );

  it('counts inferences', async () => {
    const client = triton.client(protocol);
    const [before] = await client.statistics('batched');
    await client.infer({
      model: 'batched',
      inputs: { INPUT0: Array.from({ length: 12 }, () => 1) },
    });
    // Triton counts after it has answered.
    await expect
      .poll(async () => (await client.statistics('batched'))[0]?.inference_count)
      .toBe((before?.inference_count ?? 0) + 3);
    const [after] = await client.statistics({ model: 'batched', version: '1' });
    expect(after?.execution_count).toBe((before?.execution_count ?? 0) + 1);
    expect(after?.batch_stats.map(({ batch_size: size }) => size)).toEqual([3]);
    expect(after?.last_inference).toBeGreaterThan(before?.last_inference ?? Infinity);
    expect((await client.statistics()).map(({ name }) => name).toSorted()).toEqual(MODELS);
  });

  it('reads and changes the trace settings, of the server and of a model', async () => {
    const client = triton.client(protocol);
    const byDefault = await client.traceSettings();
    expect(byDefault).toEqual({
      trace_level: ['OFF'],
      trace_rate: ['1000'],
      trace_count: ['-1'],
      log_frequency: ['0'],
      trace_file: ['/dev/null'],
      trace_mode: ['triton'],
    });
    const rate = { ...byDefault, trace_rate: ['500'] };
    expect(await client.traceSettings({ settings: { trace_rate: '500' } })).toEqual(rate);
    expect(await client.traceSettings({ model: 'identity' })).toEqual(rate);
    const ofModel = { trace_level: ['TIMESTAMPS', 'TENSORS'], trace_count: ['7'] };
    expect(await client.traceSettings({ model: 'identity', settings: ofModel })).toEqual({
      ...rate,
      trace_level: expect.arrayContaining(ofModel.trace_level) as string[],
      trace_count: ['7'],
    });
    expect(await client.traceSettings()).toEqual(rate);
    expect(await client.traceSettings({ settings: { trace_rate: null } })).toEqual(byDefault);
    const cleared = { trace_level: null, trace_count: null };
    expect(await client.traceSettings({ model: 'identity', settings: cleared })).toEqual(byDefault);
  });

  it('refuses trace settings that there are not', async () => {
    const client = triton.client(protocol);
    const unknown = client.traceSettings({ model: 'identiti', settings: { trace_rate: '1' } });
    expect(await failureOf(unknown)).toMatchObject({ code: 'not_found', progress: 'sent' });
    const wrong = client.traceSettings({ settings: { trace_rate: 'often' } });
    expect(await failureOf(wrong)).toMatchObject({ code: 'invalid_argument', progress: 'sent' });
  });

  it('reads and changes the log settings', async () => {
    const client = triton.client(protocol);
    const byDefault = await client.logSettings();
    expect(byDefault).toEqual({
      log_file: '',
      log_info: true,
      log_warning: true,
      log_error: true,
      log_verbose_level: 0,
      log_format: 'default',
    });
    const changed = { log_info: false, log_verbose_level: 1, log_format: 'ISO8601' };
    expect(await client.logSettings(changed)).toEqual({ ...byDefault, ...changed });
    expect(await client.logSettings()).toEqual({ ...byDefault, ...changed });
    const { log_file: _, ...back } = byDefault;
    expect(await client.logSettings(back)).toEqual(byDefault);
  });

  it.each([
    ['log_file', 'x', 'unimplemented'],
    ['log_info', 'x', 'invalid_argument'],
    ['log_verbose_level', -1, 'invalid_argument'],
    ['log_format', 'x', 'invalid_argument'],
  ])('refuses to set %s to %s', async (name, value, code) => {
    const refused = triton.client(protocol).logSettings({ [name]: value });
    expect(await failureOf(refused)).toMatchObject({ code, reason: undefined });
  });

  it('refuses to load and unload where models are not loaded by request', async () => {
    const client = triton.client(protocol);
    const calls = [client.loadModel('identity'), client.unloadModel('identity')];
    for (const error of await Promise.all(calls.map(failureOf))) {
      expect(error).toMatchObject({
        code: 'failed_precondition',
        reason: undefined,
        progress: 'sent',
      });
    }
  });
});

it.each(protocols)('tells the health of a model, over %s', async (protocol) => {
  expect(await triton.client(protocol).health('identity')).toBe('serving');
  expect(await triton.client(protocol).health('identiti')).toBe('not_serving');
});

describe.each(MODELS)('of model %s', (model) => {
  it.each(['modelMetadata', 'modelConfig', 'statistics'] as const)(
    'both protocols tell the same %s',
    async (operation) => {
      const grpc = await triton.client('grpc')[operation](model);
      expect(grpc).toEqual(await triton.client('http')[operation](model));
      expect(JSON.stringify(grpc)).toContain(`"name":"${model}"`);
    },
  );
});
