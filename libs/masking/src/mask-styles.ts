import { letters, maskLengths, symbols } from './alphabet.js';
import type { MaskBits } from './mask-bits.js';

export type NameKind = 'function' | 'parameter';

/**
 * Draws one mask.
 *
 * @param attempt how many masks for this name were taken already, from 0
 */
type DrawMask = (kind: NameKind, bits: MaskBits, attempt: number) => string;

/** Each symbol with each: 12 bits make one. */
const pairs = Array.from(symbols, (one) => Array.from(symbols, (two) => one + two)).flat();

/**
 * What masks look like.
 *
 * - `hash`: as in the training of the Hammer models, but that the first symbol is a letter, so that it reads as a name.
 * - `short`: a syllable such as `ko`, one token each for Qwen and SmolLM where real names take one to three and hashes
 *   about six; once it is taken, with digits.
 */
export const maskStyles = {
  hash(kind, bits) {
    const [least, most] = maskLengths[kind];
    const length = least + bits.below(most - least + 1);
    let mask = letters.charAt(bits.below(letters.length));
    let drawn = bits.next();
    if (length % 2 === 0) mask += symbols.charAt(drawn >>> 26);
    while (mask.length < length) {
      mask += pairs[drawn & 0xfff] ?? '';
      if (mask.length < length) mask += pairs[(drawn >>> 12) & 0xfff] ?? '';
      if (mask.length < length) drawn = bits.next();
    }
    return mask;
  },
  short(_, bits, attempt) {
    let mask = syllables[bits.below(syllables.length)] ?? '';
    for (let digits = Math.floor(attempt / 4); digits > 0; digits--) mask += bits.below(10);
    return mask;
  },
} as const satisfies Record<string, DrawMask>;

export type MaskStyle = keyof typeof maskStyles;
export const MASK_STYLES = Object.keys(maskStyles) as readonly MaskStyle[];

/** Those that mean something to a reader of English, or to a program, are left out. */
const meaningful = new Set(
  'be da de di do fa go id la lo ma me mi no pa pi re so to vu'.split(' '),
);
const syllables = [...'bdfgklmnprstvz']
  .flatMap((consonant) => [...'aeiou'].map((vowel) => consonant + vowel))
  .filter((syllable) => !meaningful.has(syllable));
