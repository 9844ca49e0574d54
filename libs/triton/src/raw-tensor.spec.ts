import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATA_TYPES, fixedTypes } from './data-types.js';
import { tensor } from './make-tensor.js';
import { rawByteLength, rawPieces, readRawTensor } from './raw-tensor.js';
import type { DataType, Tensor } from './tensor.js';

const FIXED_TYPES = DATA_TYPES.filter((datatype) => datatype !== 'BYTES');

/** A tensor of 2 × n elements of any bits. */
const someTensor: fc.Arbitrary<Tensor> = fc.constantFrom(...DATA_TYPES).chain((datatype) => {
  if (datatype === 'BYTES') {
    const sizes = fc.oneof(fc.nat(20), fc.integer({ min: 16_380, max: 16_390 }));
    return fc.array(sizes, { maxLength: 6 }).map((lengths) => ({
      datatype,
      shape: [lengths.length, 1],
      data: lengths.map((length, index) => new Uint8Array(length).fill(index + 1)),
    }));
  }
  const { bytes, Array: TypedArray } = fixedTypes[datatype];
  return fc.nat(8).chain((half) =>
    fc.uint8Array({ minLength: 2 * half * bytes, maxLength: 2 * half * bytes }).map(
      (raw) =>
        ({
          datatype,
          shape: [2, half],
          data: new TypedArray(raw.slice().buffer, 0, 2 * half),
        }) as Tensor,
    ),
  );
});

function wireBytes(one: Tensor): Buffer {
  return Buffer.concat(rawPieces(one));
}

/** The same bytes, so many bytes into a larger buffer. */
function shifted(bytes: Uint8Array, by: number): Uint8Array {
  const buffer = new Uint8Array(bytes.length + by + 3).fill(0xee);
  buffer.set(bytes, by);
  return buffer.subarray(by, by + bytes.length);
}

function fault(datatype: string, shape: number[], bytes: Uint8Array | number[]): unknown {
  try {
    return readRawTensor('OUT', datatype as DataType, shape, Uint8Array.from(bytes));
  } catch (error) {
    return error;
  }
}

describe('raw tensors', () => {
  it('come back as they were, of all data types and from every alignment', () => {
    fc.assert(
      fc.property(someTensor, fc.nat(9), (one, shift) => {
        const bytes = wireBytes(one);
        expect(rawByteLength(one)).toBe(bytes.length);
        const back = readRawTensor('OUT', one.datatype, one.shape, shifted(bytes, shift));
        expect(back.datatype).toBe(one.datatype);
        expect(back.shape).toBe(one.shape);
        expect(wireBytes(back).equals(bytes)).toBe(true);
        expect(back.data.constructor).toBe(one.data.constructor);
      }),
      { seed: 5, numRuns: 500 },
    );
  });

  it('are little-endian, BYTES with the length of each element before it', () => {
    const bytes = (one: Tensor): number[] => [...wireBytes(one)];
    expect(bytes(tensor('UINT16', [1, 0xfffe]))).toStrictEqual([1, 0, 0xfe, 0xff]);
    expect(bytes(tensor('INT64', [-2]))).toStrictEqual([0xfe, ...Array<number>(7).fill(0xff)]);
    expect(bytes(tensor('FP32', [1]))).toStrictEqual([0, 0, 0x80, 0x3f]);
    expect(bytes(tensor('BF16', [1]))).toStrictEqual([0x80, 0x3f]);
    expect(bytes(tensor('BOOL', [true, false]))).toStrictEqual([1, 0]);
    expect(bytes(tensor('BYTES', ['ü', '']))).toStrictEqual([2, 0, 0, 0, 0xc3, 0xbc, 0, 0, 0, 0]);
    expect(rawPieces(tensor('BYTES', []))).toStrictEqual([]);
  });

  it.each(FIXED_TYPES)('share memory on both ways: %s', (datatype) => {
    const { bytes, Array: TypedArray } = fixedTypes[datatype];
    const data = new TypedArray(new ArrayBuffer(64), 8, 3);
    const [piece] = rawPieces({ datatype, shape: [3], data } as Tensor);
    expect(piece?.buffer).toBe(data.buffer);
    expect(piece?.byteOffset).toBe(8);
    const aligned = new Uint8Array(data.buffer, 8, 3 * bytes);
    expect(readRawTensor('OUT', datatype, [3], aligned).data).toStrictEqual(data);
    expect(readRawTensor('OUT', datatype, [3], aligned).data).toHaveProperty('buffer', data.buffer);
    const odd = new Uint8Array(data.buffer, 9, 3 * bytes);
    const { data: copy } = readRawTensor('OUT', datatype, [3], odd);
    expect('buffer' in copy && copy.buffer === data.buffer).toBe(bytes === 1);
  });

  it('of BYTES are gathered, but for large elements, which stay where they are', () => {
    const large = new Uint8Array(16_384);
    const small = new Uint8Array(16_383);
    const pieces = rawPieces(tensor('BYTES', ['a', small, large, large, 'b']));
    expect(pieces.map((piece) => piece.length)).toStrictEqual([
      5 + 4 + 16_383 + 4,
      16_384,
      4,
      16_384,
      5,
    ]);
    expect(pieces[1]).toBe(large);
    const bytes = Uint8Array.of(1, 0, 0, 0, 7);
    const { data } = readRawTensor('OUT', 'BYTES', [1], bytes);
    expect(data[0]).toHaveProperty('buffer', bytes.buffer);
  });

  it('refuses an element of BYTES whose length has no room in the prefix', () => {
    const huge = new Uint8Array();
    Object.defineProperty(huge, 'byteLength', { value: 2 ** 32 });
    expect(() => rawPieces(tensor('BYTES', ['', huge]))).toThrow(
      'element 1: 4294967296 bytes; BYTES holds up to 4 GiB - 1',
    );
  });

  it.each([
    ['FP32', [2, 3], [1, 2, 3], '3 bytes came, but 6 elements of 4 bytes are 24'],
    ['FP32', [0], [1], '1 bytes came, but 0 elements of 4 bytes are 0'],
    ['INT64', [], [1], '1 bytes came, but 1 elements of 8 bytes are 8'],
    ['UINT8', [-1], [1], 'a shape that is negative or beyond 2^53 elements'],
    ['UINT8', [1.5], [1], 'a shape that is negative or beyond 2^53 elements'],
    ['BYTES', [2 ** 30, 2 ** 30], [], 'a shape that is negative or beyond 2^53 elements'],
    ['FP8', [1], [1], 'an unknown data type'],
    ['constructor', [1], [1], 'an unknown data type'],
    ['BYTES', [2], [1, 0, 0, 0, 9], '5 bytes came, which end before element 1 of 2'],
    ['BYTES', [1], [1, 0, 0], '3 bytes came, which end before element 0 of 1'],
    ['BYTES', [1], [2, 0, 0, 0, 9], 'element 0 of 1 should have 2 bytes, 1 are left'],
    ['BYTES', [1], [255, 255, 255, 255], 'element 0 of 1 should have 4294967295 bytes, 0 are left'],
    ['BYTES', [1], [0, 0, 0, 0, 9], '1 of 5 bytes are left over after 1 elements'],
    ['BYTES', [2 ** 40], [], `0 bytes came, which end before element 0 of ${2 ** 40}`],
  ])('are refused if they do not fit: %s %j of %j', (datatype, shape, bytes, problem) => {
    expect(fault(datatype, shape, bytes)).toMatchObject({
      name: 'TritonError',
      code: 'data_loss',
      reason: 'protocol',
      progress: 'answered',
      message: `output OUT (${datatype} [${shape.join(', ')}]): ${problem}`,
    });
  });
});
