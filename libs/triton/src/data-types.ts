import { endianness } from 'node:os';
import type { DataType, TensorData } from './tensor.js';

// Triton's raw tensors are little-endian and typed arrays have the byte order of the host: here they are taken as the same.
if (endianness() !== 'LE') throw new Error('The Triton client needs a little-endian machine');

/** The types whose elements all have one size. */
export type FixedDataType = Exclude<DataType, 'BYTES'>;
export type FloatDataType = 'FP16' | 'FP32' | 'FP64' | 'BF16';
export type BigDataType = 'INT64' | 'UINT64';
/** Integers that a number holds exactly. */
export type SmallDataType = Exclude<FixedDataType, FloatDataType | BigDataType>;

interface FixedFacts<D extends FixedDataType> {
  /** Of one element. */
  readonly bytes: number;
  readonly Array: {
    new (length: number): TensorData[D];
    new (buffer: ArrayBufferLike, byteOffset: number, length: number): TensorData[D];
  };
}

interface IntegerFacts<D extends FixedDataType, N> extends FixedFacts<D> {
  readonly least: N;
  readonly greatest: N;
}

type Facts = { readonly [D in FloatDataType]: FixedFacts<D> } & {
  readonly [D in SmallDataType]: IntegerFacts<D, number>;
} & { readonly [D in BigDataType]: IntegerFacts<D, bigint> };

/**
 * What is known of each data type of fixed size, under Triton's names.
 * https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_configuration.md#datatypes
 */
export const fixedTypes: Facts = {
  BOOL: { bytes: 1, Array: Uint8Array, least: 0, greatest: 1 },
  UINT8: { bytes: 1, Array: Uint8Array, least: 0, greatest: 0xff },
  UINT16: { bytes: 2, Array: Uint16Array, least: 0, greatest: 0xffff },
  UINT32: { bytes: 4, Array: Uint32Array, least: 0, greatest: 0xffff_ffff },
  UINT64: { bytes: 8, Array: BigUint64Array, least: 0n, greatest: 2n ** 64n - 1n },
  INT8: { bytes: 1, Array: Int8Array, least: -0x80, greatest: 0x7f },
  INT16: { bytes: 2, Array: Int16Array, least: -0x8000, greatest: 0x7fff },
  INT32: { bytes: 4, Array: Int32Array, least: -0x8000_0000, greatest: 0x7fff_ffff },
  INT64: { bytes: 8, Array: BigInt64Array, least: -(2n ** 63n), greatest: 2n ** 63n - 1n },
  FP16: { bytes: 2, Array: Uint16Array },
  FP32: { bytes: 4, Array: Float32Array },
  FP64: { bytes: 8, Array: Float64Array },
  BF16: { bytes: 2, Array: Uint16Array },
};

export const DATA_TYPES = [...Object.keys(fixedTypes), 'BYTES'] as readonly DataType[];

/** Newer servers may know types that this library does not. */
export function isDataType(name: string): name is DataType {
  return name === 'BYTES' || Object.hasOwn(fixedTypes, name);
}
