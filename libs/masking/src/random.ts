import { createHash } from 'node:crypto';

/**
 * A seeded generator: xoshiro128** (Blackman and Vigna, period 2^128 - 1), its state the SHA-256 of the seed. Equal
 * seeds give equal draws on every machine; other seeds, also neighbouring ones, give unrelated draws. Not for secrets.
 */
export class Random {
  readonly #seed: string;
  readonly #state: Uint32Array;

  /** @param seed a number and its text are different seeds */
  constructor(seed: string | number) {
    this.#seed = JSON.stringify(seed);
    this.#state = stateOf(this.#seed);
  }

  /** A generator of its own for a part of the work: it depends on the seed and label, not on what was drawn so far. */
  fork(label: string | number): Random {
    return new Random(JSON.stringify([this.#seed, label]));
  }

  /** Uniform in [0, 1), 53 bits. */
  float(): number {
    return ((this.#next() >>> 5) * 2 ** 26 + (this.#next() >>> 6)) / 2 ** 53;
  }

  /** Uniform among the integers from `least` to `most`, both included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.float() * (most - least + 1));
  }

  /** Uniform among the items, of which there must be one. */
  pick<T>(items: ArrayLike<T>): T {
    return items[this.integer(0, items.length - 1)] as T;
  }

  /** A copy in uniformly random order (Fisher-Yates). */
  shuffle<T>(items: Iterable<T>): T[] {
    const shuffled = [...items];
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = this.integer(0, last);
      [shuffled[last], shuffled[other]] = [shuffled[other] as T, shuffled[last] as T];
    }
    return shuffled;
  }

  #next(): number {
    const [a, b, c, d] = this.#state as unknown as [number, number, number, number];
    const drawn = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    this.#state.set([a ^ d ^ b, b ^ c ^ a, c ^ a ^ (b << 9), rotate(d ^ b, 11)]);
    return drawn;
  }
}

function stateOf(seed: string): Uint32Array {
  const digest = createHash('sha256').update(seed).digest();
  return Uint32Array.of(...[0, 4, 8, 12].map((at) => digest.readUInt32LE(at)));
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
