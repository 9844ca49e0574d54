import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bf16, bf16ToNumbers, fp16, fp16ToNumbers } from './half-floats.js';

const allBits = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);

/** BF16 by way of FP32, which rounds a number of at most 24 significant bits only once. */
function bf16OfFloat(value: number): number {
  const [bits = 0] = new Uint32Array(Float32Array.of(value).buffer);
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

describe('fp16', () => {
  it('reads all 65,536 patterns as the platform does, and gives them back', () => {
    const numbers = fp16ToNumbers(allBits);
    expect(numbers).toStrictEqual([...new Float16Array(allBits.buffer)]);
    const back = fp16(numbers);
    const wrong = allBits.filter(
      (bits, index) => back[index] !== bits && !Number.isNaN(numbers[index]),
    );
    expect(wrong).toStrictEqual(new Uint16Array());
    expect(fp16([NaN])).toStrictEqual(Uint16Array.of(0x7e00));
  });

  it('rounds every number as the platform does', () => {
    const near = fc.tuple(fc.nat(0x7bff), fc.double({ min: 0, max: 1 })).map(([bits, part]) => {
      const [low = 0, high = 0] = new Float16Array(Uint16Array.of(bits, bits + 1).buffer);
      return low + (Math.min(high, 65_536) - low) * part;
    });
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.float(), near), (value) => {
        expect(fp16ToNumbers(fp16([value]))).toStrictEqual([Math.f16round(value)]);
      }),
      { seed: 5, numRuns: 5000 },
    );
  });

  it('takes ties to the even neighbour, in all ranges, and rounds only once', () => {
    const ties = [...allBits.subarray(0, 0x7bff)].map((bits) => {
      const [low = 0, high = 0] = fp16ToNumbers(Uint16Array.of(bits, bits + 1));
      return (low + high) / 2;
    });
    const even = Uint16Array.from(ties, (_, bits) => bits + (bits & 1));
    expect(fp16(ties)).toStrictEqual(even);
    expect(fp16([1 + 2 ** -11 + 2 ** -40])).toStrictEqual(Uint16Array.of(0x3c01));
  });

  it('overflows to infinity from 65,520 on, underflows to zero with its sign', () => {
    expect(fp16([65_519.99, 65_520, -1e300, Infinity, -Infinity])).toStrictEqual(
      Uint16Array.of(0x7bff, 0x7c00, 0xfc00, 0x7c00, 0xfc00),
    );
    expect(fp16([0, -0, 2 ** -25, -(2 ** -25), 2 ** -25 * 1.01, 5e-324])).toStrictEqual(
      Uint16Array.of(0, 0x8000, 0, 0x8000, 1, 0),
    );
  });
});

describe('bf16', () => {
  it('reads all 65,536 patterns as the upper half of FP32, and gives them back', () => {
    const numbers = bf16ToNumbers(allBits);
    const floats = new Float32Array(Uint32Array.from(allBits, (bits) => bits << 16).buffer);
    expect(numbers).toStrictEqual([...floats]);
    const back = bf16(numbers);
    const wrong = allBits.filter(
      (bits, index) => back[index] !== bits && !Number.isNaN(numbers[index]),
    );
    expect(wrong).toStrictEqual(new Uint16Array());
    expect(bf16([NaN])).toStrictEqual(Uint16Array.of(0x7fc0));
  });

  it('rounds every float to the nearest, ties to even', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (value) => {
        expect(bf16([value])).toStrictEqual(Uint16Array.of(bf16OfFloat(value)));
      }),
      { seed: 5, numRuns: 5000 },
    );
    // Between two values of FP32: by way of it, this would be a tie and go to 0x3f80.
    expect(bf16([1 + 2 ** -8 + 2 ** -40])).toStrictEqual(Uint16Array.of(0x3f81));
  });

  it('overflows to infinity, keeps subnormals and the sign of zero', () => {
    const limit = 2 ** 128 - 2 ** 119;
    expect(bf16([limit, limit * (1 - 2 ** -50), -1e300])).toStrictEqual(
      Uint16Array.of(0x7f80, 0x7f7f, 0xff80),
    );
    expect(bf16([-0, 2 ** -133, 2 ** -134, 2 ** -134 * 1.01, 5e-324])).toStrictEqual(
      Uint16Array.of(0x8000, 1, 0, 1, 0),
    );
  });
});
