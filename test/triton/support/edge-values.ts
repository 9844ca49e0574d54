import type { DataType, TensorData } from '#libs/triton';

// 0, -0, the least, 1, the greatest, Infinity, -Infinity, NaN, a NaN of another sign and payload: as bits, so that no NaN
// is changed on the way.
const FP32_BITS = new Uint32Array([
  0, 0x8000_0000, 1, 0x3f80_0000, 0x7f7f_ffff, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xffc0_0001,
]);
const FP64_BITS = new BigUint64Array([
  0n,
  0x8000_0000_0000_0000n,
  1n,
  0x3ff0_0000_0000_0000n,
  0x7fef_ffff_ffff_ffffn,
  0x7ff0_0000_0000_0000n,
  0xfff0_0000_0000_0000n,
  0x7ff8_0000_0000_0000n,
  0xfff8_0000_0000_0001n,
]);

/** Values at the edges of each type. */
export const EDGES: { readonly [D in DataType]: TensorData[D] } = {
  BOOL: Uint8Array.of(0, 1),
  UINT8: Uint8Array.of(0, 1, 255),
  UINT16: Uint16Array.of(0, 1, 65_535),
  UINT32: Uint32Array.of(0, 1, 2 ** 32 - 1),
  UINT64: BigUint64Array.of(0n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n),
  INT8: Int8Array.of(-128, -1, 0, 127),
  INT16: Int16Array.of(-32_768, -1, 0, 32_767),
  INT32: Int32Array.of(-(2 ** 31), -1, 0, 2 ** 31 - 1),
  INT64: BigInt64Array.of(-(2n ** 63n), -(2n ** 53n) - 1n, 0n, 2n ** 53n + 1n, 2n ** 63n - 1n),
  FP16: Uint16Array.of(0, 0x8000, 1, 0x3c00, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 0xfe01),
  FP32: new Float32Array(FP32_BITS.buffer),
  FP64: new Float64Array(FP64_BITS.buffer),
  BF16: Uint16Array.of(0, 0x8000, 1, 0x3f80, 0x7f7f, 0x7f80, 0xff80, 0x7fc0, 0xffc1),
  BYTES: [
    Buffer.from('plain'),
    Buffer.alloc(0),
    Buffer.from('Grüße, 世界 🌍'),
    Buffer.from([0, 1, 0, 255, 254]),
    Buffer.from('\0'),
  ],
};
export const TYPES = Object.keys(EDGES) as DataType[];
