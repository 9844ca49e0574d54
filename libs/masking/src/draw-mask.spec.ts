import { describe, expect, it } from 'vitest';
import { drawMasks } from './draw-mask.js';
import { Random } from './random.js';

/** Draws the shortest masks, symbol by symbol as they stand in a text. */
class Scripted extends Random {
  readonly #symbols: string[];

  constructor(text: string) {
    super(0);
    this.#symbols = [...text];
  }

  override integer(least: number): number {
    return least;
  }

  override pick<T>(_items: ArrayLike<T>): T {
    return this.#symbols.shift() as T;
  }
}

describe('drawMasks', () => {
  it('draws again what is a name, a mask or taken', () => {
    const random = new Scripted('aaaabbbbccccaaaadddd');
    const masks = drawMasks('parameter', ['x', 'bbbb', 'x'], ['cccc'], random);
    expect([...masks]).toEqual([
      ['x', 'aaaa'],
      ['bbbb', 'dddd'],
    ]);
  });
});
