import { letters, maskLengths, symbols } from './alphabet.js';

export type NameKind = 'function' | 'parameter';

/**
 * Draws one mask.
 *
 * @param random uniform in [0, 1)
 * @param attempt how many masks for this name were taken already, from 0
 */
type DrawMask = (kind: NameKind, random: () => number, attempt: number) => string;

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
    const length = least + below(most - least + 1, random);
    const codes = [letters.charCodeAt(below(letters.length, random))];
    while (codes.length < length) codes.push(symbols.charCodeAt(below(symbols.length, random)));
    return String.fromCharCode(...codes);
  },
  short(_, random, attempt) {
    let mask = syllables[below(syllables.length, random)] ?? '';
    for (let digits = Math.floor(attempt / 4); digits > 0; digits--) mask += below(10, random);
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

/** An integer from 0 to `count` - 1. */
function below(count: number, random: () => number): number {
  return Math.floor(random() * count);
}
