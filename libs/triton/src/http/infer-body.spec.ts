import { describe, expect, it } from 'vitest';
import type { InferAnswer, InferMessage, NamedTensor } from '../protocol.js';
import { readInfer, writeInfer } from './infer-body.js';

const input: NamedTensor = {
  name: 'INPUT0',
  tensor: { datatype: 'FP32', shape: [2], data: new Float32Array([1, 2]) },
};

function json(message: Partial<InferMessage>): string {
  const { body, jsonLength } = writeInfer({ model: 'm', inputs: [input], ...message });
  expect(body[0]).toHaveLength(jsonLength);
  return String(body[0]);
}

function answer(header: string, ...tensors: Uint8Array[]): InferAnswer {
  const length = String(Buffer.byteLength(header));
  const headers = { 'inference-header-content-length': length };
  return readInfer({
    status: 200,
    headers,
    body: Buffer.concat([Buffer.from(header), ...tensors]),
  });
}

const output = (fields: string): string =>
  `{"model_name":"m","model_version":"1","outputs":[${fields}]}`;

describe('writeInfer', () => {
  it('describes the tensors, and appends their own memory', () => {
    const { body } = writeInfer({
      model: 'm',
      id: 'a"b',
      inputs: [{ ...input, parameters: { p: true } }],
      outputs: [{ name: 'OUTPUT0', classification: 3 }],
      parameters: { priority: 2 },
    });
    expect(JSON.parse(String(body[0]))).toEqual({
      id: 'a"b',
      inputs: [
        {
          name: 'INPUT0',
          datatype: 'FP32',
          shape: [2],
          parameters: { binary_data_size: 8, p: true },
        },
      ],
      outputs: [{ name: 'OUTPUT0', parameters: { binary_data: true, classification: 3 } }],
      parameters: { binary_data_output: true, priority: 2 },
    });
    expect(body[1]?.buffer).toBe(input.tensor.datatype === 'FP32' && input.tensor.data.buffer);
  });

  it('writes integers of 64 bits with all their digits', () => {
    const parameters = { low: -(2n ** 63n), high: 2n ** 63n - 1n, sequence_id: 2n ** 64n - 1n };
    expect(json({ parameters })).toContain(
      '"low":-9223372036854775808,"high":9223372036854775807,"sequence_id":18446744073709551615',
    );
  });

  it.each([
    ['parameters.x', { parameters: { x: NaN } }],
    ['parameters.x', { parameters: { x: -Infinity } }],
    ['parameters.x', { parameters: { x: 2n ** 63n } }],
    ['parameters.x', { parameters: { x: 2 ** 53 } }],
    ['parameters.sequence_id', { parameters: { sequence_id: -1n } }],
    ['parameters.x', { parameters: { x: '\ud800' } }],
    ['a name in parameters', { parameters: { '\udc00': 1 } }],
    ['INPUT0.y', { inputs: [{ ...input, parameters: { y: NaN } }] }],
    ['the name of an input', { inputs: [{ ...input, name: '\ud800' }] }],
    ['the name of an output', { outputs: [{ name: '\ud800' }] }],
    ['id', { id: '\ud800' }],
    ['parameters.binary_data_output', { parameters: { binary_data_output: false } }],
  ])('refuses what JSON cannot carry, naming %s', (where, message) => {
    expect(() => json(message)).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        message: expect.stringMatching(new RegExp(`^${where}: `)),
      }),
    );
  });
});

describe('readInfer', () => {
  const header = output(
    '{"name":"A","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}},' +
      '{"name":"B","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}}',
  );
  const tensors = [Buffer.from(new Float32Array([1, 2]).buffer), Buffer.from('\u0002\0\0\0hi')];

  it('reads binary outputs', () => {
    expect(answer(header, ...tensors)).toEqual({
      model: 'm',
      version: '1',
      id: '',
      parameters: {},
      outputs: {
        A: { datatype: 'FP32', shape: [2], data: new Float32Array([1, 2]) },
        B: { datatype: 'BYTES', shape: [1], data: [new Uint8Array(Buffer.from('hi'))] },
      },
    });
  });

  it('reads outputs that came as JSON', () => {
    const { outputs } = answer(
      output(
        '{"name":"A","datatype":"INT64","shape":[2],"data":[9223372036854775807,-1]},' +
          '{"name":"B","datatype":"BOOL","shape":[1,2],"data":[[true,false]]},' +
          '{"name":"C","datatype":"BYTES","shape":[1],"data":["é"]},' +
          '{"name":"D","datatype":"FP64","shape":[1],"data":[1e300]}',
      ),
    );
    expect(outputs.A?.data).toEqual(new BigInt64Array([2n ** 63n - 1n, -1n]));
    expect(outputs.B).toEqual({ datatype: 'BOOL', shape: [1, 2], data: new Uint8Array([1, 0]) });
    expect(outputs.C?.data).toEqual([Buffer.from('é')]);
    expect(outputs.D?.data).toEqual(new Float64Array([1e300]));
  });

  it('gives integers beyond 2^53 as bigint, and other numbers as number', () => {
    const parameters =
      '"parameters":{"a":9007199254740993,"b":9007199254740991,"c":12345678901234567.0,"d":-9223372036854775808}';
    expect(answer(`{${parameters},"outputs":[]}`).parameters).toEqual({
      a: 9_007_199_254_740_993n,
      b: 9_007_199_254_740_991,
      c: 12_345_678_901_234_568,
      d: -(2n ** 63n),
    });
  });

  it.each([
    ['ends within output B', header, [tensors[0]]],
    ['1 bytes too many', header, [...tensors, Buffer.of(0)]],
    ['has no outputs', '{}', []],
    ['an output that is none', output('{"name":"A","datatype":"FP99","shape":[1]}'), []],
    ['an output that is none', output('null'), []],
    [
      'an output that is none',
      output('{"name":"A","datatype":"FP32","shape":[9007199254740993]}'),
      [],
    ],
    [
      'an output that is none',
      output('{"name":"A","datatype":"FP32","shape":[0],"parameters":{"binary_data_size":-1}}'),
      [],
    ],
    ['output A has no data', output('{"name":"A","datatype":"FP32","shape":[1]}'), []],
    ['has 1 elements', output('{"name":"A","datatype":"FP32","shape":[2],"data":[1]}'), []],
    ['output A (INT8)', output('{"name":"A","datatype":"INT8","shape":[1],"data":[300]}'), []],
    ['no JSON', '{', []],
  ])('refuses an answer that %s', (problem, text, pieces) => {
    expect(() => answer(text, ...pieces.filter((piece) => piece !== undefined))).toThrow(
      expect.objectContaining({ reason: 'protocol', message: expect.stringContaining(problem) }),
    );
  });

  it('refuses a text that is not UTF-8', () => {
    const body = Buffer.from('{"id":"\u00ff","outputs":[]}', 'latin1');
    expect(() => readInfer({ status: 200, headers: {}, body })).toThrow(
      expect.objectContaining({ code: 'data_loss', reason: 'malformed_text' }),
    );
  });

  it('refuses a header longer than the answer', () => {
    const headers = { 'inference-header-content-length': '99' };
    expect(() => readInfer({ status: 200, headers, body: Buffer.from('{}') })).toThrow(/99/);
  });
});
