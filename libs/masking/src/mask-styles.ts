import { letters, maskLengths, symbols } from './alphabet.js';

export type NameKind = 'function' | 'parameter';

/**
 * Draws one mask.
 *
 * @param random 32 uniform bits, as an integer from 0
 * @param attempt how many masks for this name were taken already, from 0
 */
type DrawMask = (kind: NameKind, random: () => number, attempt: number) => string;

const letterCodes = Array.from(letters, (symbol) => symbol.charCodeAt(0));
const symbolCodes = Array.from(symbols, (symbol) => symbol.charCodeAt(0));

/**
 * What masks look like.
 *
 * - `hash`: as in the training of the Hammer models, but that the first symbol is a letter, so that it reads as a name.
 * - `short`: a syllable such as `ko`, one token each for Qwen and SmolLM where real names take one to three and hashes
 *   about six; once it is taken, with digits.
 */
export const maskStyles = {
  hash(kind, random) {
    const [least, most] = maskLengths[kind];
    const length = least + (random() % (most - least + 1));
    const codes = [letterCodes[random() % letterCodes.length] ?? 0];
    // Six bits make one of 64 symbols.
    for (let bits = 0; codes.length < length; bits >>>= 6) {
      if (codes.length % 5 === 1) bits = random();
      codes.push(symbolCodes[bits & 63] ?? 0);
    }
    return String.fromCharCode.apply(null, codes);
  },
  short(_, random, attempt) {
    let mask = syllables[random() % syllables.length] ?? '';
    for (let digits = Math.floor(attempt / 4); digits > 0; digits--) mask += random() % 10;
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
