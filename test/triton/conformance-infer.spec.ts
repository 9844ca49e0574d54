import { describe, expect, it } from 'vitest';
import {
  type DataType,
  type InferAnswer,
  output,
  type Tensor,
  tensor,
  toNumbers,
  toStrings,
  type TritonClient,
} from '#libs/triton';
import { EDGES, TYPES } from './support/edge-values.js';
import { type Protocol, protocols, useTriton } from './support/protocols.js';

const triton = useTriton({ models: ['identity', 'types', 'batched', 'slow', 'text'] });

const infer = (client: TritonClient, inputs: Tensor[]): Promise<InferAnswer> =>
  client.infer({
    model: 'types',
    inputs: Object.fromEntries(inputs.map((input) => [input.datatype, input])),
  });

/** The bits, which tell 0 from -0 and one NaN from another. */
function bitsOf({ data }: Tensor): unknown {
  if (!ArrayBuffer.isView(data)) return data.map((element) => Buffer.from(element));
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

describe.each(protocols)('over %s', (protocol) => {
  it.each(TYPES)('%s comes back bit by bit', async (type) => {
    const { length } = EDGES[type];
    const given = tensor(type, EDGES[type], [1, length]);
    const answer = await infer(triton.client(protocol), [given]);
    expect(Object.keys(answer.outputs)).toEqual([`OUT_${type}`]);
    const back = output(answer, `OUT_${type}`, type);
    expect(back.shape).toEqual([1, length]);
    expect(bitsOf(back)).toEqual(bitsOf(given));
  });

  it.each(TYPES)('an empty tensor of %s comes back', async (type) => {
    const answer = await infer(triton.client(protocol), [tensor(type, [], [0, 3])]);
    expect(output(answer, `OUT_${type}`, type)).toMatchObject({ shape: [0, 3] });
    expect(output(answer, `OUT_${type}`, type).data).toHaveLength(0);
  });

  it('all types in one request', async () => {
    const answer = await infer(
      triton.client(protocol),
      TYPES.map((type) => tensor(type, EDGES[type], [1, EDGES[type].length])),
    );
    expect(answer).toMatchObject({ model: 'types', version: '1', id: '', parameters: {} });
    for (const type of TYPES) {
      const given = tensor(type, EDGES[type], [1, EDGES[type].length]);
      expect(bitsOf(output(answer, `OUT_${type}`, type))).toEqual(bitsOf(given));
    }
  });

  it('plain values become tensors of the types of the model', async () => {
    const answer = await triton.client(protocol).infer({
      model: 'types',
      inputs: {
        BOOL: [[true, false]],
        INT64: [[-1, 2n ** 62n]],
        FP16: [[0.5, Infinity]],
        BF16: [[-2, NaN]],
        BYTES: [['ä', Buffer.from([0xff])]],
      },
    });
    const read = (type: DataType): number[] => toNumbers(output(answer, `OUT_${type}`, type));
    expect(read('BOOL')).toEqual([1, 0]);
    expect(output(answer, 'OUT_INT64', 'INT64').data).toEqual(BigInt64Array.of(-1n, 2n ** 62n));
    expect(read('FP16')).toEqual([0.5, Infinity]);
    expect(read('BF16')).toEqual([-2, NaN]);
    expect(output(answer, 'OUT_BYTES', 'BYTES').data.map((bytes) => Buffer.from(bytes))).toEqual([
      Buffer.from('ä'),
      Buffer.from([0xff]),
    ]);
  });

  it('a text of 8 MiB comes back', async () => {
    const long = 'ü'.repeat(2 ** 22);
    const answer = await infer(triton.client(protocol), [tensor('BYTES', [[long, '']])]);
    const [back, empty] = toStrings(output(answer, 'OUT_BYTES', 'BYTES'));
    expect(back === long).toBe(true);
    expect(empty).toBe('');
  });

  it('a batch has its shape', async () => {
    const client = triton.client(protocol);
    const values = Float32Array.from({ length: 32 }, (_, at) => at);
    for (const rows of [1, 8]) {
      const { outputs } = await client.infer({
        model: 'batched',
        inputs: { INPUT0: values.slice(0, rows * 4) },
      });
      expect(outputs['OUTPUT0']).toEqual({
        datatype: 'FP32',
        shape: [rows, 4],
        data: values.slice(0, rows * 4),
      });
    }
  });

  it('only the outputs that are asked for come', async () => {
    const client = triton.client(protocol);
    const inputs = { INT8: [[1]], UINT8: [[2]], BYTES: [['x']] };
    const outputs = ['OUT_BYTES', 'OUT_INT8'];
    const answer = await client.infer({ model: 'types', inputs, outputs });
    expect(Object.keys(answer.outputs).toSorted()).toEqual(outputs);
    expect(toStrings(output(answer, 'OUT_BYTES', 'BYTES'))).toEqual(['x']);
  });

  it('classifies', async () => {
    const { outputs } = await triton.client(protocol).infer({
      model: 'batched',
      inputs: {
        INPUT0: [
          [1, 4, 2, 3],
          [9, 6, 7, 8],
        ],
      },
      outputs: [{ name: 'OUTPUT0', classification: 2 }],
    });
    const classes = outputs['OUTPUT0'];
    expect(classes).toMatchObject({ datatype: 'BYTES', shape: [2, 2] });
    expect(classes && toStrings(classes)).toEqual([
      '4.000000:1',
      '3.000000:3',
      '9.000000:0',
      '8.000000:3',
    ]);
  });

  it('the id of a request comes back, and reaches the model with its parameters', async () => {
    const id = `${protocol} – ü`;
    const parameters = { text: 'grün', flag: true, whole: -7, great: 2n ** 62n, real: 0.25 };
    const inputs = { MS: [1] };
    const answer = await triton.client(protocol).infer({ model: 'slow', id, parameters, inputs });
    expect(answer).toMatchObject({ model: 'slow', version: '1', id });
    const seen = await triton.saw(id, 'finished');
    expect(seen.parameters).toEqual({ ...parameters, great: 2 ** 62 });
  });

  it('priority and time-out are taken, and are no parameters of the model', async () => {
    const id = `${protocol} with priority`;
    const parameters = { priority: 1, timeout: 5_000_000, own: 'x' };
    await triton.client(protocol).infer({ model: 'slow', id, parameters, inputs: { MS: [1] } });
    const seen = await triton.saw(id, 'finished');
    expect(seen.parameters).toEqual({ own: 'x' });
  });

  it('a version that is asked for answers', async () => {
    const request = { model: 'identity', version: '1', inputs: { INPUT0: [1] } };
    expect((await triton.client(protocol).infer(request)).version).toBe('1');
  });
});

/** What may differ is the order of members. */
it('both protocols give equal answers', async () => {
  const ask = (protocol: Protocol): Promise<InferAnswer> =>
    triton.client(protocol).infer({
      model: 'types',
      id: 'same',
      inputs: Object.fromEntries(
        TYPES.map((type) => [type, tensor(type, EDGES[type], [1, EDGES[type].length])]),
      ),
    });
  const [grpc, http] = await Promise.all([ask('grpc'), ask('http')]);
  const plain = (answer: InferAnswer): unknown => ({
    ...answer,
    outputs: Object.entries(answer.outputs)
      .map(([name, back]) => ({
        name,
        datatype: back.datatype,
        shape: back.shape,
        bits: bitsOf(back),
      }))
      .toSorted((a, b) => a.name.localeCompare(b.name)),
  });
  expect(plain(grpc)).toEqual(plain(http));
});
