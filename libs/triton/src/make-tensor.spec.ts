import { describe, expect, expectTypeOf, it } from 'vitest';
import { tensor } from './make-tensor.js';
import type { DataType, Tensor } from './tensor.js';

/** As JavaScript callers can, without types. */
const untyped = tensor as (datatype: unknown, values: unknown, shape?: unknown) => Tensor;

function refusal(make: () => unknown): unknown {
  try {
    make();
  } catch (error) {
    return error;
  }
  return 'no error';
}

describe('tensor', () => {
  it('keeps a typed array and its type', () => {
    const data = Float32Array.of(1, 2, 3, 4);
    const made = tensor('FP32', data, [2, 2]);
    expectTypeOf(made).toEqualTypeOf<Tensor<'FP32'>>();
    expect(made).toStrictEqual({ datatype: 'FP32', shape: [2, 2], data });
    expect(made.data).toBe(data);
    expect(tensor('UINT8', Buffer.from([1, 2]))).toMatchObject({ shape: [2] });
  });

  it.each([
    ['BOOL', [true, false, 1, 0], Uint8Array.of(1, 0, 1, 0)],
    ['UINT8', [0, 255, 7n], Uint8Array.of(0, 255, 7)],
    ['UINT16', [0, 65_535], Uint16Array.of(0, 65_535)],
    ['UINT32', [0, 2 ** 32 - 1], Uint32Array.of(0, 2 ** 32 - 1)],
    ['UINT64', [0, 2n ** 64n - 1n], BigUint64Array.of(0n, 2n ** 64n - 1n)],
    ['INT8', [-128, 127], Int8Array.of(-128, 127)],
    ['INT16', [-32_768, 32_767], Int16Array.of(-32_768, 32_767)],
    ['INT32', [-(2 ** 31), 2 ** 31 - 1], Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
    ['INT64', [-(2n ** 63n), 5], BigInt64Array.of(-(2n ** 63n), 5n)],
    ['FP16', [1, NaN, 1e9], Uint16Array.of(0x3c00, 0x7e00, 0x7c00)],
    ['FP32', [0.1, -Infinity, 1e300], Float32Array.of(0.1, -Infinity, Infinity)],
    ['FP64', [0.1, NaN], Float64Array.of(0.1, NaN)],
    ['BF16', [1, -2], Uint16Array.of(0x3f80, 0xc000)],
    ['BYTES', ['ü', '\uFEFF'], [Buffer.from('ü'), Buffer.from('\uFEFF')]],
  ] as const)('takes what %s can hold', (datatype, values, data) => {
    expect(untyped(datatype, values)).toStrictEqual({ datatype, shape: [values.length], data });
  });

  it('takes the shape from the nesting, the one that is given, or [1] of a single element', () => {
    const nested = [
      [[1], [2], [3]],
      [[4], [5], [6]],
    ];
    const data = Int32Array.of(1, 2, 3, 4, 5, 6);
    expect(tensor('INT32', nested)).toStrictEqual({ datatype: 'INT32', shape: [2, 3, 1], data });
    expect(tensor('INT32', nested, [3, 2]).shape).toStrictEqual([3, 2]);
    expect(tensor('FP32', []).shape).toStrictEqual([0]);
    expect(tensor('FP32', [[], []]).shape).toStrictEqual([2, 0]);
    expect(tensor('FP64', 5)).toStrictEqual({
      datatype: 'FP64',
      shape: [1],
      data: Float64Array.of(5),
    });
    expect(tensor('BYTES', 'text').shape).toStrictEqual([1]);
    expect(tensor('BOOL', true, []).shape).toStrictEqual([]);
  });

  it('keeps blobs of BYTES as they are, single or in lists', () => {
    const blob = Uint8Array.of(0, 255);
    expect(tensor('BYTES', blob).data[0]).toBe(blob);
    expect(tensor('BYTES', [[blob, 'a']]).data[0]).toBe(blob);
  });

  const tooDeep: unknown[] = [];
  tooDeep.push(tooDeep);

  it.each([
    ['UINT8', [1, 2, 3, 300], /^values\[3\]: 300 is no UINT8; give an integer from 0 to 255$/],
    ['INT8', -129n, /^values: -129 is no INT8; give an integer from -128 to 127$/],
    ['INT32', [NaN], /^values\[0\]: NaN is no INT32; give an integer from -2147483648 to/],
    ['INT32', [1.5], /^values\[0\]: 1.5 is no INT32/],
    ['UINT32', [2n ** 70n], /^values\[0\]: 1180591620717411303424 is no UINT32/],
    ['INT64', [Infinity], /^values\[0\]: Infinity is no INT64; give an integer from -92233720/],
    ['INT64', [2 ** 53], /no INT64: beyond 2\^53 a number is not exact; give a bigint$/],
    ['UINT64', [-1n], /^values\[0\]: -1 is no UINT64/],
    ['INT64', [2n ** 63n], /^values\[0\]: 9223372036854775808 is no INT64/],
    ['INT8', [true], /^values\[0\]: true is no INT8/],
    ['BOOL', [2], /^values\[0\]: 2 is no BOOL; give true, false, 1 or 0$/],
    ['FP32', [[1], ['1']], /^values\[1\]\[0\]: a string is no FP32; give a number$/],
    ['FP32', [1n], /^values\[0\]: 1 is no FP32; give a number$/],
    ['FP32', [1, [2]], /^values\[1\]: a list is no FP32; give a number$/],
    ['FP32', [[1], [[2]]], /^values\[1\]\[0\]: a list is no FP32; give a number$/],
    ['FP32', Array(1), /^values\[0\]: undefined is no FP32; give a number$/],
    ['FP32', null, /^values: null is no FP32; give a number$/],
    ['FP32', { a: 1 }, /^values: an object is no FP32; give a number$/],
    ['BYTES', [7], /^values\[0\]: 7 is no BYTES; give a string or a Uint8Array$/],
    ['BYTES', Float32Array.of(1), /^values: a Float32Array is no BYTES/],
    ['BYTES', ['a', '🙂\udc00'], /^values\[1\]: a lone surrogate at index 2 of the string/],
    [
      'FP32',
      Float64Array.of(1),
      /^values: Float64Array is not what holds FP32; give Float32Array$/,
    ],
    ['FP16', Float32Array.of(1), /give Uint16Array of bits, as fp16\(numbers\) makes it$/],
    ['INT64', new DataView(new ArrayBuffer(8)), /^values: DataView is not what holds INT64/],
    ['FP32', [[1, 2], [3]], /^values\[1\]: a list of 1, but the first one has 2; give lists/],
    ['FP32', [[1], 2], /^values\[1\]: no list, but the first one is; give lists/],
    ['FP32', [[[1]], [[1, 2]]], /^values\[1\]\[0\]: a list of 2, but the first one has 1/],
    ['FP32', tooDeep, /^values: lists more than 64 deep; nest them less$/],
    ['FP8', [1], /^datatype: FP8 is none; give one of BOOL, UINT8, .*, BYTES$/],
    [undefined, [1], /^datatype: undefined is none/],
  ])('refuses for %s what is not fit for it: case %#', (datatype, values, message) => {
    expect(refusal(() => untyped(datatype as DataType, values))).toMatchObject({
      name: 'TritonError',
      code: 'invalid_argument',
      progress: 'unsent',
      message: expect.stringMatching(message),
    });
  });

  it.each([
    [[3], 'shape: [3] holds 3 elements, but 4 are given; give a shape that holds them all'],
    [[], 'shape: [] holds 1 elements, but 4 are given; give a shape that holds them all'],
    [[-1, 4], 'shape: [-1, 4] is none; give integers from 0 on'],
    [[-2, -2], 'shape: [-2, -2] is none; give integers from 0 on'],
    [[2 ** 40, 2 ** 40], /is none/],
  ])('refuses a shape that does not hold exactly the elements: %j', (shape, message) => {
    expect(() => tensor('FP32', [1, 2, 3, 4], shape)).toThrow(message);
  });
});
