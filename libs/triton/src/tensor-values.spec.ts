import { describe, expect, expectTypeOf, it } from 'vitest';
import { tensor } from './make-tensor.js';
import type { InferAnswer } from './protocol.js';
import type { Tensor } from './tensor.js';
import { output, toNumbers, toStrings } from './tensor-values.js';

describe('toNumbers', () => {
  it.each([
    ['BOOL', [1, 0]],
    ['INT8', [-128, 127]],
    ['UINT32', [2 ** 32 - 1]],
    ['INT64', [-(2 ** 53 - 1), 2 ** 53 - 1]],
    ['UINT64', [0, 2 ** 53 - 1]],
    ['FP16', [0.5, -65_504, 2 ** -24, Infinity]],
    ['BF16', [0.5, 2 ** -133, NaN]],
    ['FP32', [0.25, -0]],
    ['FP64', [0.1]],
  ] as const)('reads %s', (datatype, numbers) => {
    expect(toNumbers(tensor(datatype, numbers))).toStrictEqual([...numbers]);
  });

  it('refuses what is no number, or none that is exact', () => {
    expect(() => toNumbers(tensor('BYTES', 'a'), 'output OUT')).toThrow(
      'output OUT: BYTES are no numbers; read them with toStrings',
    );
    expect(() => toNumbers(tensor('INT64', [1, 2n ** 53n]), 'output OUT')).toThrow(
      expect.objectContaining({
        code: 'out_of_range',
        message: expect.stringContaining('output OUT, element 1: 9007199254740992 is beyond 2^53'),
      }),
    );
  });
});

describe('toStrings', () => {
  it('reads UTF-8 as it is', () => {
    const texts = ['', 'ü🙂', 'a\0b', '\uFEFFmarked'];
    expect(toStrings(tensor('BYTES', texts))).toStrictEqual(texts);
  });

  it.each([
    ['a lone continuation byte', [0x80]],
    ['a character cut off', [0x61, 0xf0, 0x9f, 0x99]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['more bytes than needed', [0xc0, 0xaf]],
  ])('refuses %s', (_, bytes) => {
    const made = tensor('BYTES', ['fine', Uint8Array.from(bytes)]);
    expect(() => toStrings(made, 'output OUT')).toThrow(
      expect.objectContaining({
        code: 'data_loss',
        reason: 'malformed_text',
        progress: 'answered',
        message: 'output OUT, element 1 of 2: not UTF-8',
      }),
    );
  });

  it('refuses what is no text', () => {
    expect(() => toStrings(tensor('UINT8', [65]))).toThrow('tensor: UINT8 is no text');
  });
});

describe('output', () => {
  const answer: InferAnswer = {
    model: 'm',
    version: '1',
    id: '',
    parameters: {},
    outputs: { A: tensor('FP32', [[1, 2]]), B: tensor('BYTES', 'x') },
  };

  it('gives the output of that name and type', () => {
    const found = output(answer, 'A', 'FP32');
    expectTypeOf(found).toEqualTypeOf<Tensor<'FP32'>>();
    expect(found).toBe(answer.outputs['A']);
  });

  it('says what there is if it is not there', () => {
    const have = 'it has A (FP32 [1, 2]), B (BYTES [1])';
    expect(() => output(answer, 'toString', 'FP32')).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        progress: 'answered',
        message: `model m, output toString: not in the answer; ${have}`,
      }),
    );
    expect(() => output(answer, 'A', 'INT8')).toThrow(
      `model m, output A: FP32 [1, 2], but INT8 is asked for; ${have}`,
    );
    expect(() => output({ ...answer, outputs: {} }, 'A', 'INT8')).toThrow('it has no outputs');
  });
});
