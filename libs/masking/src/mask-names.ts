import { MaskBits } from './mask-bits.js';
import { type MaskStyle, maskStyles, type NameKind } from './mask-styles.js';

/** Texts that mean something already, each with the scope in which it does; '' means everywhere. */
export type TakenNames = Map<string, string>;

/**
 * Gives names masks: the same one for the same key, style, scope and name, whoever else is there (but for a collision,
 * which the later name gives way to).
 */
export class MaskSource {
  readonly #bits: MaskBits;
  readonly #style: MaskStyle;

  constructor(key: string, style: MaskStyle) {
    this.#bits = new MaskBits().with(style).with(key);
    this.#style = style;
  }

  /**
   * @param scope what the names belong to: the same name in another scope gets another mask
   * @param taken what can be no mask; the masks are added to it
   * @returns masks by name, in the order of the names, no two alike
   */
  masks(
    kind: NameKind,
    scope: string,
    names: Iterable<string>,
    taken: TakenNames,
  ): Map<string, string> {
    const draw = maskStyles[this.#style];
    const scopeBits = this.#bits.with(kind).with(scope);
    const masks = new Map<string, string>();
    for (const name of names) {
      const bits = scopeBits.with(name);
      let attempt = 0;
      let mask: string;
      let owner: string | undefined;
      do {
        mask = draw(kind, bits, attempt++);
        owner = taken.get(mask);
      } while (owner === '' || owner === scope);
      taken.set(mask, scope);
      masks.set(name, mask);
    }
    return masks;
  }
}
