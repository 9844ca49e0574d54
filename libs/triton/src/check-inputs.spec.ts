import { describe, expect, it } from 'vitest';
import { checkOutputs, prepareInputs, type TensorInput } from './check-inputs.js';
import { tensor } from './make-tensor.js';
import type { ModelMetadata, TensorMetadata } from './protocol.js';
import type { DataType, Tensor } from './tensor.js';

function model(...inputs: [name: string, datatype: DataType, shape: number[]][]): ModelMetadata {
  const named = inputs.map(([name, datatype, shape]): TensorMetadata => ({
    name,
    datatype,
    shape,
  }));
  return { name: 'm', versions: ['1'], platform: 'python', inputs: named, outputs: named };
}

/** Of a model with one input, X. */
function prepare(datatype: DataType, shape: number[], given: unknown): Tensor | undefined {
  return prepareInputs(model(['X', datatype, shape]), { X: given as TensorInput })[0]?.tensor;
}

describe('prepareInputs', () => {
  it('makes tensors of the types that the model has, and keeps what is one', () => {
    const made = tensor('BYTES', ['hi'], [1, 1]);
    const data = Float32Array.of(1, 2);
    const metadata = model(['A', 'FP32', [-1]], ['B', 'BYTES', [-1, 1]], ['C', 'INT8', [-1]]);
    expect(prepareInputs(metadata, { B: made, A: data })).toStrictEqual([
      { name: 'B', tensor: made },
      { name: 'A', tensor: { datatype: 'FP32', shape: [2], data } },
    ]);
    expect(prepare('FP32', [-1], data)?.data).toBe(data);
  });

  it.each([
    [[-1], 7, [1]],
    [[], 7, []],
    [[1, 1], 7, [1, 1]],
    [[-1, -1], 7, [1, 1]],
    [[-1], [1, 2, 3], [3]],
    [[-1], [], [0]],
    [
      [-1, 4],
      [1, 2, 3, 4],
      [1, 4],
    ],
    [
      [-1, 4],
      [1, 2, 3, 4, 5, 6, 7, 8],
      [2, 4],
    ],
    [
      [2, -1, 2],
      [1, 2, 3, 4],
      [2, 1, 2],
    ],
    [[2, 2], Float32Array.of(1, 2, 3, 4), [2, 2]],
    [[-1, 4], [], [0, 4]],
    [[-1, 2], [[1, 2]], [1, 2]],
    [
      [-1, -1],
      [[1], [2]],
      [2, 1],
    ],
    [
      [-1, -1],
      [[], []],
      [2, 0],
    ],
  ])('fits values to the shape %j: %j', (expected, values, shape) => {
    expect(prepare('FP32', expected, values)?.shape).toStrictEqual(shape);
  });

  it.each([
    [[-1, -1], [1, 2], '[2]'],
    [[-1, -1], [], '[0]'],
    [[-1, 4], [1, 2, 3], '[3]'],
    [[4], [1, 2, 3], '[3]'],
    [[2, 2], [1, 2], '[2]'],
    [[-1, 2, 2], [[1, 2, 3, 4]], '[1, 4]'],
    [[-1, 2], [[1], [2]], '[2, 1]'],
    [[-1], [[1]], '[1, 1]'],
    [[-1, 4], [[], []], '[2, 0]'],
  ])('refuses values that no shape, or more than one, fits to %j: %j', (expected, values, own) => {
    const free = expected.includes(-1) ? ', -1 being any size' : '';
    expect(() => prepare('FP32', expected, values)).toThrow(
      `model m, input X: values of shape ${own}, but the model takes FP32 [${expected.join(', ')}]; ` +
        `give a tensor like that${free}`,
    );
  });

  it.each([
    [tensor('INT32', [1]), 'INT32 [1], but the model takes FP32 [-1, 2]; give a tensor like that'],
    [tensor('FP32', [1, 2]), 'FP32 [2], but the model takes FP32 [-1, 2]; give a tensor like that'],
    [
      tensor('FP32', [[1]]),
      'FP32 [1, 1], but the model takes FP32 [-1, 2]; give a tensor like that',
    ],
    [
      { datatype: 'FP32', shape: [1, 2], data: Float32Array.of(1) },
      'shape: [1, 2] holds 2 elements, but 1 are given',
    ],
    [{ datatype: 'FP32', shape: [-1, 2], data: new Float32Array(2) }, 'shape: [-1, 2] is none'],
    [{ datatype: 'FP32', shape: [1, 2], data: new Uint8Array(8) }, 'Uint8Array is not what holds'],
    [{ datatype: 'FP32' }, 'FP32 without shape'],
    [Float64Array.of(1, 2), 'Float64Array is not what holds FP32; give Float32Array'],
    [['1', '2'], 'a string is no FP32; give a number'],
    [undefined, 'undefined is no FP32; give a number'],
  ])('refuses what is not of the type and shape of the model: %j', (given, problem) => {
    expect(() => prepare('FP32', [-1, 2], given)).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        progress: 'unsent',
        message: expect.stringMatching(/^model m, input X/),
      }),
    );
    expect(() => prepare('FP32', [-1, 2], given)).toThrow(problem);
  });

  it('leaves an absent input to the server, which alone knows whether it is optional', () => {
    expect(prepareInputs(model(['X', 'FP32', [1]]), {})).toStrictEqual([]);
  });

  it('says which inputs there are instead of an unknown one, and which was meant', () => {
    const metadata = model(['text_input', 'BYTES', [1]], ['stream', 'BOOL', [1]]);
    expect(() => prepareInputs(metadata, { text_inptu: 'a' })).toThrow(
      'model m, input text_inptu: unknown; the inputs are text_input (BYTES [1]), stream (BOOL [1]); ' +
        'did you mean text_input?',
    );
    expect(() => prepareInputs(metadata, { Stream: true })).toThrow('did you mean stream?');
    expect(() => prepareInputs(metadata, { toString: 1 })).toThrow(/stream \(BOOL \[1\]\)$/);
    expect(() => prepareInputs(model(), { X: 1 })).toThrow('unknown; the model has no inputs');
  });
});

describe('checkOutputs', () => {
  it('refuses an output that the model does not have', () => {
    const metadata = model(['OUTPUT0', 'FP32', [1]], ['OUTPUT1', 'FP32', [1]]);
    expect(() => checkOutputs(metadata, [{ name: 'OUTPUT1' }])).not.toThrow();
    expect(() => checkOutputs(metadata, [{ name: 'OUTPUT1' }, { name: 'OUT1' }])).toThrow(
      'model m, output OUT1: unknown; the outputs are OUTPUT0 (FP32 [1]), OUTPUT1 (FP32 [1]); ' +
        'did you mean OUTPUT1?',
    );
  });
});
