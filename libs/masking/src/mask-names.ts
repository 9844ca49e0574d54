import { hash } from 'node:crypto';
import { type MaskStyle, maskStyles, type NameKind } from './mask-styles.js';

/** After each text that goes into a state, so that "a" and "bc" differ from "ab" and "c": no UTF-16 unit. */
const separator = 0x10000;

/** 64 bits that stand for a key, or for a key and texts. */
interface State {
  readonly a: number;
  readonly b: number;
}

/**
 * Gives names masks: the same one for the same key, style, scope and name, whoever else is there (but for a collision,
 * which the later name gives way to).
 *
 * SHA-256 makes the key into a state; what goes on from there takes a tenth of the time of a digest for each name. It
 * does not hide the key from who sees many masks, and need not: masks keep a model from judging by names, they are no
 * secret.
 */
export class MaskSource {
  readonly #state: State;
  readonly #style: MaskStyle;

  constructor(key: string, style: MaskStyle) {
    const digest = hash('sha256', JSON.stringify([style, key]), 'buffer');
    this.#state = { a: digest.readInt32LE(0), b: digest.readInt32LE(4) };
    this.#style = style;
  }

  /**
   * @param scope what the names belong to: the same name in another scope gets another mask
   * @param taken texts that can be no mask, as they mean something already
   * @returns masks by name, in the order of the names, no two alike
   */
  masks(
    kind: NameKind,
    scope: string,
    names: Iterable<string>,
    taken: ReadonlySet<string>,
  ): Map<string, string> {
    const draw = maskStyles[this.#style];
    const scopeState = absorb(absorb(this.#state, kind), scope);
    const used = new Set<string>();
    const masks = new Map<string, string>();
    for (const name of names) {
      const random = generator(absorb(scopeState, name));
      let attempt = 0;
      let mask: string;
      do mask = draw(kind, random, attempt++);
      while (used.has(mask) || taken.has(mask));
      used.add(mask);
      masks.set(name, mask);
    }
    return masks;
  }
}

function absorb(state: State, text: string): State {
  let { a, b } = state;
  for (let at = 0; at <= text.length; at++) {
    const unit = at < text.length ? text.charCodeAt(at) : separator;
    a = Math.imul(((a << 5) | (a >>> 27)) ^ unit, 0x9e3779b1);
    b = Math.imul(((b << 13) | (b >>> 19)) ^ unit, 0x85ebca6b);
  }
  return { a, b };
}

/** 32 uniform bits at a time: a counter, mixed with the state as the 32-bit hashes of the Murmur family end. */
function generator({ a, b }: State): () => number {
  let counter = 0;
  return () => {
    let mixed = (a + Math.imul(++counter, 0x9e3779b1)) | 0;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13) ^ b, 0xc2b2ae35);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
}
