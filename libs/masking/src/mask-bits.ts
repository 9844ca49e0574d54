/**
 * Random bits that texts determine. They hide none of the texts, and need not: masks keep a model from judging by names,
 * they are no secret.
 */
export class MaskBits {
  // 64 bits that stand for the texts; from the start, the first of pi.
  readonly #a: number;
  readonly #b: number;
  #drawn = 0;

  constructor(a = 0x243f6a88, b = 0x85a308d3) {
    this.#a = a;
    this.#b = b;
  }

  /** The bits of the texts so far and one more. */
  with(text: string): MaskBits {
    let a = this.#a;
    let b = this.#b;
    // Two UTF-16 units at a time. The length at the end lets "a" and "bc" differ from "ab" and "c".
    for (let at = 0; at < text.length; at += 2) {
      const next = at + 1 < text.length ? text.charCodeAt(at + 1) : 0;
      const units = text.charCodeAt(at) | (next << 16);
      a = Math.imul(((a << 5) | (a >>> 27)) ^ units, 0x9e3779b1);
      b = Math.imul(((b << 13) | (b >>> 19)) ^ units, 0x85ebca6b);
    }
    a = Math.imul(((a << 5) | (a >>> 27)) ^ text.length, 0x9e3779b1);
    b = Math.imul(((b << 13) | (b >>> 19)) ^ text.length, 0x85ebca6b);
    return new MaskBits(a, b);
  }

  /** The next 32 bits: a counter, mixed with the state as the 32-bit hashes of the Murmur family end. */
  next(): number {
    let mixed = (this.#a + Math.imul(++this.#drawn, 0x9e3779b1)) | 0;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13) ^ this.#b, 0xc2b2ae35);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
    return mixed ^ (mixed >>> 16);
  }

  /** The next integer from 0 to below `count`, at most 256: even but for one part in 256. */
  below(count: number): number {
    return ((this.next() >>> 16) * count) >>> 16;
  }
}
