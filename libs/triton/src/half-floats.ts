/** A float of 16 bits: one of sign, then the exponent, then the mantissa. */
interface HalfFormat {
  readonly mantissaBits: number;
  /** Of the exponent; the largest exponent of a finite number, too. */
  readonly bias: number;
}

/** IEEE 754 binary16. */
const FP16: HalfFormat = { mantissaBits: 10, bias: 15 };
/** The upper half of IEEE 754 binary32. */
const BF16: HalfFormat = { mantissaBits: 7, bias: 127 };

/** Powers of two from 2^-MIDDLE to 2^MIDDLE: a look-up is several times faster than `**`. */
const MIDDLE = 140;
const powersOfTwo = Float64Array.from(
  { length: 2 * MIDDLE + 1 },
  (_, index) => 2 ** (index - MIDDLE),
);

/** Added and taken away again, it rounds a small number to an integer as IEEE does: ties to even. */
const ROUNDER = 2 ** 52;

const double = new Float64Array(1);
const doubleWords = new Uint32Array(double.buffer);

/**
 * The bits of FP16 nearest to each number, ties to even; beyond 65,504 it is Infinity, as IEEE rounds (from 65,520 on).
 */
export function fp16(numbers: ArrayLike<number>): Uint16Array {
  return encodeAll(numbers, FP16);
}

/** The bits of BF16 nearest to each number, ties to even; from 2^128 - 2^119 on it is Infinity. */
export function bf16(numbers: ArrayLike<number>): Uint16Array {
  return encodeAll(numbers, BF16);
}

/** The numbers that these bits of FP16 are: exact. */
export function fp16ToNumbers(bits: Uint16Array): number[] {
  return decodeAll(bits, FP16);
}

/** The numbers that these bits of BF16 are: exact. */
export function bf16ToNumbers(bits: Uint16Array): number[] {
  return decodeAll(bits, BF16);
}

function encodeAll(numbers: ArrayLike<number>, format: HalfFormat): Uint16Array {
  const bits = new Uint16Array(numbers.length);
  for (let index = 0; index < bits.length; index++) {
    bits[index] = encode(numbers[index] ?? NaN, format);
  }
  return bits;
}

function decodeAll(bits: Uint16Array, format: HalfFormat): number[] {
  const numbers: number[] = [];
  for (const half of bits) numbers.push(decode(half, format));
  return numbers;
}

function encode(value: number, { mantissaBits, bias }: HalfFormat): number {
  double[0] = value;
  const high = doubleWords[1] ?? 0;
  const sign = (high >>> 16) & 0x8000;
  const infinity = (2 * bias + 1) << mantissaBits;
  if (Number.isNaN(value)) return sign | infinity | (1 << (mantissaBits - 1));
  // Subnormal numbers have the least exponent, without the bit that the others leave out.
  const exponent = Math.max(((high >>> 20) & 0x7ff) - 1023, 1 - bias);
  if (exponent > bias) return sign | infinity;
  const scaled = Math.abs(value) * (powersOfTwo[mantissaBits - exponent + MIDDLE] ?? 0);
  const mantissa = scaled + ROUNDER - ROUNDER;
  // That left-out bit, and a mantissa rounded up to the next power of two, add one to the exponent: as it must be.
  return sign | (((exponent + bias - 1) << mantissaBits) + mantissa);
}

function decode(bits: number, { mantissaBits, bias }: HalfFormat): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits & 0x7fff) >>> mantissaBits;
  const mantissa = bits & ((1 << mantissaBits) - 1);
  if (exponent > 2 * bias) return mantissa === 0 ? sign * Infinity : NaN;
  const whole = exponent === 0 ? mantissa : mantissa + (1 << mantissaBits);
  return sign * whole * (powersOfTwo[Math.max(exponent, 1) - bias - mantissaBits + MIDDLE] ?? 0);
}
