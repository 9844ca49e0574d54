import { describe, expect, it } from 'vitest';
import type { MessageInit, MessageType } from '../protobuf/message.js';
import type { InferMessage, Parameters } from '../protocol.js';
import type { Tensor } from '../tensor.js';
import { TritonError } from '../triton-error.js';
import {
  InferParameter,
  ModelInferRequest,
  ModelInferResponse,
  ModelStreamInferResponse,
} from './messages-infer.js';
import { ModelConfigResponse, ModelReadyRequest } from './messages-model.js';
import { RepositoryModelLoadRequest, RepositoryModelUnloadRequest } from './messages-repository.js';
import { HealthCheckResponse } from './messages-server.js';
import { LogSettingsRequest, TraceSettingRequest } from './messages-settings.js';
import { ModelStatisticsResponse } from './messages-statistics.js';
import { grpcMethods, modelStreamInfer } from './methods.js';

const INPUT: Tensor = { datatype: 'FP32', shape: [2], data: new Float32Array([1, 2]) };

function request(more: Partial<InferMessage> = {}): InferMessage {
  return { model: 'identity', inputs: [{ name: 'INPUT0', tensor: INPUT }], ...more };
}

function sent<Q, M>(
  method: { encode(request: Q): readonly Uint8Array[] },
  type: MessageType<M, unknown>,
  value: Q,
): M {
  return type.decode(Buffer.concat(method.encode(value)));
}

function wire<In>(type: MessageType<unknown, In>, value: In): Buffer {
  return Buffer.concat(type.encode(value));
}

function infer(more: Partial<InferMessage> = {}): ReturnType<typeof ModelInferRequest.decode> {
  return sent(grpcMethods.ModelInfer, ModelInferRequest, request(more));
}

function answered(
  response: MessageInit<typeof ModelInferResponse>,
): ReturnType<typeof grpcMethods.ModelInfer.decode> {
  return grpcMethods.ModelInfer.decode(wire(ModelInferResponse, response));
}

function failure(run: () => unknown): TritonError {
  try {
    run();
  } catch (error) {
    if (error instanceof TritonError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('ModelInfer, the request', () => {
  it('has the inputs and, beside them, their bytes', () => {
    const bytes: Tensor = { datatype: 'BYTES', shape: [1, 1], data: [Buffer.from('hi')] };
    const inputs = [
      { name: 'INPUT0', tensor: INPUT },
      { name: 'TEXT', tensor: bytes, parameters: { encoding: 'plain' } },
    ];
    const written = infer({ version: '2', id: 'r-1', inputs });
    expect(written).toMatchObject({
      model_name: 'identity',
      model_version: '2',
      id: 'r-1',
      outputs: [],
    });
    expect(written.inputs).toEqual([
      { name: 'INPUT0', datatype: 'FP32', shape: [2], parameters: {} },
      {
        name: 'TEXT',
        datatype: 'BYTES',
        shape: [1, 1],
        parameters: { encoding: { string_param: 'plain' } },
      },
    ]);
    expect(written.raw_input_contents.map((raw) => Buffer.from(raw).toString('hex'))).toEqual([
      '0000803f00000040',
      '020000006869',
    ]);
  });

  it('asks for outputs, and for classes', () => {
    const outputs = [{ name: 'A' }, { name: 'B', classification: 3, parameters: { p: true } }];
    expect(infer({ outputs }).outputs).toEqual([
      { name: 'A', parameters: {} },
      { name: 'B', parameters: { p: { bool_param: true }, classification: { int64_param: 3 } } },
    ]);
  });

  it('does not copy a great tensor', () => {
    const data = new Float32Array(100_000);
    const tensor: Tensor = { datatype: 'FP32', shape: [100_000], data };
    const pieces = grpcMethods.ModelInfer.encode(request({ inputs: [{ name: 'I', tensor }] }));
    expect(pieces.some((piece) => piece.buffer === data.buffer)).toBe(true);
  });

  it.each<[string, Parameters[string], object]>([
    ['a boolean', false, { bool_param: false }],
    ['an integer', -3, { int64_param: -3 }],
    ['a number with a fraction', 0.5, { double_param: 0.5 }],
    ['a great number with a fraction', 2 ** 51 + 0.5, { double_param: 2 ** 51 + 0.5 }],
    ['a bigint', 2n ** 63n - 1n, { int64_param: 2n ** 63n - 1n }],
    ['a bigint beyond int64', 2n ** 63n, { uint64_param: 2n ** 63n }],
    ['a text', '', { string_param: '' }],
  ])('has %s as a parameter, which an answer gives back', (_, value, written) => {
    const { parameters } = infer({ parameters: { p: value } });
    expect(parameters).toEqual({ p: written });
    expect(answered({ parameters }).parameters).toEqual({ p: value });
  });

  it.each<[string, Partial<InferMessage>, string]>([
    ['NaN', { parameters: { p: NaN } }, 'parameters.p: NaN'],
    ['Infinity', { parameters: { p: -Infinity } }, 'parameters.p: -Infinity'],
    ['an integer that is not exact', { parameters: { p: -(2 ** 53) } }, 'give a bigint'],
    ['a bigint beyond uint64', { parameters: { p: 2n ** 64n } }, String(2n ** 64n)],
    ['a lone surrogate', { parameters: { p: '\ud800' } }, 'parameters.p: a lone surrogate'],
    ['one in a name', { parameters: { '\ud800': 1 } }, 'a key of ModelInferRequest.parameters'],
    ['one in the id', { id: 'a\udc00' }, 'ModelInferRequest.id: a lone surrogate'],
    ['one in the model', { model: '\ud800' }, 'ModelInferRequest.model_name'],
    ['no value', { parameters: { p: undefined as never } }, 'parameters.p: undefined'],
    [
      'NaN with an input',
      { inputs: [{ name: 'I', tensor: INPUT, parameters: { p: NaN } }] },
      'parameters of input I.p: NaN',
    ],
  ])('refuses %s', (_, more, problem) => {
    const error = failure(() => infer(more));
    expect(error.code).toBe('invalid_argument');
    expect(error.message).toContain(problem);
  });

  it('takes __proto__ as the name of a parameter', () => {
    const parameters = JSON.parse('{"__proto__":1}') as Parameters;
    const written = infer({ parameters }).parameters;
    expect(Object.entries(written)).toEqual([['__proto__', { int64_param: 1 }]]);
    expect(Object.entries(answered({ parameters: written }).parameters)).toEqual([
      ['__proto__', 1],
    ]);
  });
});

describe('ModelInfer, the answer', () => {
  const output = { name: 'OUT', datatype: 'INT16', shape: [2] };

  it('has the outputs by name, of their bytes', () => {
    const answer = answered({
      model_name: 'm',
      model_version: '3',
      id: 'r-1',
      parameters: { triton_final_response: { bool_param: true }, unknown: {} },
      outputs: [
        output,
        { name: 'T', datatype: 'BYTES', shape: [1] },
        { name: '__proto__', datatype: 'FP64', shape: [0] },
      ],
      raw_output_contents: [
        new Uint8Array([1, 0, 255, 255]),
        Buffer.from('\x01\0\0\0a'),
        new Uint8Array(0),
      ],
    });
    expect(answer).toMatchObject({ model: 'm', version: '3', id: 'r-1' });
    expect(answer.parameters).toEqual({ triton_final_response: true });
    expect(Object.entries(answer.outputs)).toEqual([
      ['OUT', { datatype: 'INT16', shape: [2], data: new Int16Array([1, -1]) }],
      ['T', { datatype: 'BYTES', shape: [1], data: [new Uint8Array([97])] }],
      ['__proto__', { datatype: 'FP64', shape: [0], data: new Float64Array(0) }],
    ]);
  });

  it.each<[Tensor, object]>([
    [
      { datatype: 'BOOL', shape: [2], data: new Uint8Array([1, 0]) },
      { bool_contents: [true, false] },
    ],
    [{ datatype: 'UINT8', shape: [1], data: new Uint8Array([200]) }, { uint_contents: [200] }],
    [
      { datatype: 'UINT16', shape: [1], data: new Uint16Array([60_000]) },
      { uint_contents: [60_000] },
    ],
    [{ datatype: 'UINT32', shape: [1], data: new Uint32Array([4e9]) }, { uint_contents: [4e9] }],
    [
      { datatype: 'UINT64', shape: [1], data: new BigUint64Array([2n ** 64n - 1n]) },
      { uint64_contents: [2n ** 64n - 1n] },
    ],
    [{ datatype: 'INT8', shape: [1], data: new Int8Array([-5]) }, { int_contents: [-5] }],
    [{ datatype: 'INT16', shape: [1], data: new Int16Array([-500]) }, { int_contents: [-500] }],
    [
      { datatype: 'INT32', shape: [1, 2], data: new Int32Array([-5, 6]) },
      { int_contents: [-5, 6] },
    ],
    [
      { datatype: 'INT64', shape: [2], data: new BigInt64Array([-1n, 2n ** 60n]) },
      { int64_contents: [-1, 2n ** 60n] },
    ],
    [{ datatype: 'FP32', shape: [1], data: new Float32Array([0.1]) }, { fp32_contents: [0.1] }],
    [{ datatype: 'FP64', shape: [1], data: new Float64Array([0.1]) }, { fp64_contents: [0.1] }],
    [
      { datatype: 'BYTES', shape: [1], data: [new Uint8Array([1, 2])] },
      { bytes_contents: [new Uint8Array([1, 2])] },
    ],
  ])('reads elements in a field of their type: %o', (tensor, contents) => {
    const { datatype, shape } = tensor;
    expect(answered({ outputs: [{ name: 'O', datatype, shape, contents }] }).outputs).toEqual({
      O: tensor,
    });
  });

  it.each<[string, MessageInit<typeof ModelInferResponse>]>([
    ['too few bytes', { outputs: [output], raw_output_contents: [new Uint8Array(3)] }],
    ['no bytes', { outputs: [output] }],
    ['too few elements', { outputs: [{ ...output, contents: { int_contents: [1] } }] }],
    [
      'elements of a type that has no field',
      { outputs: [{ ...output, datatype: 'FP16', contents: { fp32_contents: [1, 2] } }] },
    ],
    [
      'a data type that is not known',
      { outputs: [{ ...output, datatype: 'FP4' }], raw_output_contents: [new Uint8Array(1)] },
    ],
    [
      'one of the names of objects',
      {
        outputs: [
          { ...output, datatype: 'toString', shape: [15], contents: { int_contents: [1, 2] } },
        ],
      },
    ],
  ])('names the output that came with %s', (_, response) => {
    const error = failure(() => answered(response));
    expect(error).toMatchObject({ code: 'data_loss', reason: 'protocol' });
    expect(error.message).toContain('output OUT');
  });
});

describe('ModelStreamInfer', () => {
  it('has answers, and errors with the id of their request', () => {
    const read = (value: MessageInit<typeof ModelStreamInferResponse>): unknown =>
      modelStreamInfer.decode(wire(ModelStreamInferResponse, value));
    const answer = { model: 'm', version: '', id: 'r-1', parameters: {}, outputs: {} };
    const infer_response = { model_name: 'm', id: 'r-1' };
    expect(read({ infer_response })).toEqual({ answer });
    const error = new TritonError('internal', 'no', {
      reason: 'model_error',
      progress: 'sent',
    });
    expect(read({ infer_response, error_message: 'no' })).toEqual({ answer, error });
    expect(read({ error_message: 'no' })).toEqual({
      answer: { ...answer, model: '', id: '' },
      error,
    });
  });
});

describe('models', () => {
  it('are named with their version, or without', () => {
    expect(sent(grpcMethods.ModelReady, ModelReadyRequest, { model: 'm', version: '1' })).toEqual({
      name: 'm',
      version: '1',
    });
    expect(sent(grpcMethods.ModelReady, ModelReadyRequest, { model: 'm' })).toEqual({
      name: 'm',
      version: '',
    });
    expect(grpcMethods.ModelStatistics.encode({})).toEqual([]);
  });

  it('that the server does not know are not ready', () => {
    expect(grpcMethods.ModelReady.decode(new Uint8Array(0))).toBe(false);
    expect(grpcMethods.ModelReady.decode(new Uint8Array([8, 1]))).toBe(true);
  });

  it('have their configuration as HTTP gives it', () => {
    const config = {
      name: 'm',
      max_batch_size: 4,
      version_policy: { all: {} },
      input: [{ name: 'I', data_type: 'TYPE_FP32', dims: [-1] }],
      sequence_batching: {
        direct: { minimum_slot_utilization: 0.1 },
        state: [{ dims: [-1], initial_state: [{ dims: ['1'], zero_data: true }] }],
      },
      parameters: { p: { string_value: 'v' } },
    } as const;
    const read = grpcMethods.ModelConfig.decode(wire(ModelConfigResponse, { config }));
    expect(JSON.parse(JSON.stringify(read))).toEqual({
      name: 'm',
      platform: '',
      backend: '',
      runtime: '',
      version_policy: { all: {} },
      max_batch_size: 4,
      input: [
        {
          name: 'I',
          data_type: 'TYPE_FP32',
          format: 'FORMAT_NONE',
          dims: [-1],
          is_shape_tensor: false,
          allow_ragged_batch: false,
          optional: false,
          is_non_linear_format_io: false,
        },
      ],
      output: [],
      batch_input: [],
      batch_output: [],
      sequence_batching: {
        direct: { max_queue_delay_microseconds: 0, minimum_slot_utilization: 0.1 },
        max_sequence_idle_microseconds: 0,
        control_input: [],
        state: [
          {
            input_name: '',
            output_name: '',
            data_type: 'TYPE_INVALID',
            dims: [-1],
            initial_state: [{ data_type: 'TYPE_INVALID', dims: ['1'], zero_data: true, name: '' }],
            use_same_buffer_for_input_output: false,
            use_growable_memory: false,
          },
        ],
        iterative_sequence: false,
      },
      instance_group: [],
      default_model_filename: '',
      cc_model_filenames: {},
      metric_tags: {},
      parameters: { p: { string_value: 'v' } },
      model_warmup: [],
    });
  });

  it('have statistics with every duration', () => {
    const never = { count: 0, ns: 0 };
    const model_stats = [
      {
        name: 'm',
        version: '1',
        last_inference: 1_795_368_276_724,
        inference_stats: { success: { count: 2, ns: 2n ** 60n } },
        batch_stats: [{ batch_size: 4 }],
        memory_usage: [{ type: 'GPU', id: 1, byte_size: 5 }],
        response_stats: { 0: { cancel: { count: 1 } } },
      },
    ];
    const [read] = grpcMethods.ModelStatistics.decode(
      wire(ModelStatisticsResponse, { model_stats }),
    );
    expect(read).toEqual({
      name: 'm',
      version: '1',
      last_inference: 1_795_368_276_724,
      inference_count: 0,
      execution_count: 0,
      inference_stats: {
        success: { count: 2, ns: 2 ** 60 },
        fail: never,
        queue: never,
        compute_input: never,
        compute_infer: never,
        compute_output: never,
        cache_hit: never,
        cache_miss: never,
      },
      response_stats: {
        0: {
          compute_infer: never,
          compute_output: never,
          success: never,
          fail: never,
          empty_response: never,
          cancel: { count: 1, ns: 0 },
        },
      },
      batch_stats: [
        { batch_size: 4, compute_input: never, compute_infer: never, compute_output: never },
      ],
      memory_usage: [{ type: 'GPU', id: 1, byte_size: 5 }],
    });
  });

  it('are loaded with a configuration and files, and unloaded with dependents', () => {
    const load = {
      model: 'm',
      config: { backend: 'python' },
      files: { '1/model.py': Buffer.from('x') },
    };
    const written = sent(grpcMethods.RepositoryModelLoad, RepositoryModelLoadRequest, load);
    expect(written).toEqual({
      repository_name: '',
      model_name: 'm',
      parameters: {
        config: { string_param: '{"backend":"python"}' },
        'file:1/model.py': { bytes_param: new Uint8Array([120]) },
      },
    });
    expect(
      sent(grpcMethods.RepositoryModelLoad, RepositoryModelLoadRequest, { model: 'm' }).parameters,
    ).toEqual({});
    const unload = { model: 'm', unloadDependents: true };
    expect(
      sent(grpcMethods.RepositoryModelUnload, RepositoryModelUnloadRequest, unload).parameters,
    ).toEqual({
      unload_dependents: { bool_param: true },
    });
    expect(grpcMethods.RepositoryModelLoad.decode(new Uint8Array(0))).toBeUndefined();
  });
});

describe('settings', () => {
  it('of tracing: null goes back to the default', () => {
    const settings = {
      trace_level: ['TIMESTAMPS', 'TENSORS'],
      trace_rate: '10',
      trace_count: null,
    };
    const written = sent(grpcMethods.TraceSetting, TraceSettingRequest, { model: 'm', settings });
    expect(written).toEqual({
      model_name: 'm',
      settings: {
        trace_level: { value: ['TIMESTAMPS', 'TENSORS'] },
        trace_rate: { value: ['10'] },
        trace_count: { value: [] },
      },
    });
    expect(
      grpcMethods.TraceSetting.decode(wire(TraceSettingRequest, { settings: written.settings })),
    ).toEqual({
      trace_level: ['TIMESTAMPS', 'TENSORS'],
      trace_rate: ['10'],
      trace_count: [],
    });
  });

  it('of logging are booleans, numbers and texts, both ways', () => {
    const settings = { log_info: false, log_verbose_level: 0, log_format: '' };
    const bytes = Buffer.concat(grpcMethods.LogSettings.encode({ settings }));
    expect(LogSettingsRequest.decode(bytes).settings).toEqual({
      log_info: { bool_param: false },
      log_verbose_level: { uint32_param: 0 },
      log_format: { string_param: '' },
    });
    expect(grpcMethods.LogSettings.decode(bytes)).toEqual(settings);
    const error = failure(() =>
      grpcMethods.LogSettings.encode({ settings: { log_verbose_level: -1 } }),
    );
    expect(error).toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('settings.log_verbose_level: -1') as string,
    });
  });
});

it.each([
  ['SERVING', 'serving'],
  ['NOT_SERVING', 'not_serving'],
  ['SERVICE_UNKNOWN', 'service_unknown'],
  ['UNKNOWN', 'unknown'],
  [77, 'unknown'],
] as const)('reads health %s as %s', (status, read) => {
  expect(grpcMethods.HealthCheck.decode(wire(HealthCheckResponse, { status }))).toBe(read);
});

it('leaves out the kind of parameter that it does not know', () => {
  expect(InferParameter.decode(Buffer.from('3001', 'hex'))).toEqual({});
});
