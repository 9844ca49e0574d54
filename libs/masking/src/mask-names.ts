import { createHmac } from 'node:crypto';
import { type MaskStyle, maskStyles, type NameKind } from './mask-styles.js';

/** After each text that goes into a state, so that "a" and "bc" differ from "ab" and "c": no UTF-16 unit. */
const separator = 0x10000;

type State = [number, number, number, number];

/**
 * Gives names masks: the same one for the same key, style, scope and name, whoever else is there (but for a collision,
 * which the later name gives way to).
 *
 * One HMAC makes the key into a state of 128 bits; from there a generator for each name (sfc32 by Chris Doty-Humphrey)
 * takes a tenth of the time of an HMAC. That hides nothing from who sees many masks, and need not: masks keep the model
 * from judging by names, they are no secret.
 */
export class MaskSource {
  readonly #state: State;
  readonly #style: MaskStyle;

  constructor(key: string, style: MaskStyle) {
    const digest = createHmac('sha256', key).update(`hammerline masks ${style}`).digest();
    this.#state = [0, 4, 8, 12].map((at) => digest.readInt32LE(at)) as unknown as State;
    this.#style = style;
  }

  /**
   * @param scope what the names belong to: the same name in another scope gets another mask
   * @param isTaken whether a text can be no mask, as it already means something
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
    const generator = new Generator();
    const random = (): number => generator.next();
    const scopeState = absorb(absorb(this.#state, kind), scope);
    const used = new Set<string>();
    const masks = new Map<string, string>();
    for (const name of names) {
      generator.start(absorb(scopeState, name));
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

function absorb([first, second, c, d]: State, text: string): State {
  let a = first;
  let b = second;
  for (let at = 0; at <= text.length; at++) {
    const unit = at < text.length ? text.charCodeAt(at) : separator;
    a = Math.imul(rotate(a, 5) ^ unit, 0x9e3779b1);
    b = Math.imul(rotate(b, 13) ^ unit, 0x85ebca6b);
  }
  return [a, b, c, d];
}

/** A generator that starts anew for each name. Its state is a typed array, so that no step allocates. */
class Generator {
  readonly #state = new Int32Array(4);

  /** The first twelve steps only mix the state. */
  start(state: State): void {
    this.#state.set(state);
    for (let step = 0; step < 12; step++) this.next();
  }

  /** Uniform in [0, 1), 32 bits. */
  next(): number {
    const state = this.#state as unknown as State & Int32Array;
    const b = state[1];
    const c = state[2];
    const sum = (((state[0] + b) | 0) + state[3]) | 0;
    state[0] = b ^ (b >>> 9);
    state[1] = (c + (c << 3)) | 0;
    state[2] = (rotate(c, 21) + sum) | 0;
    state[3] = (state[3] + 1) | 0;
    return (sum >>> 0) / 2 ** 32;
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
