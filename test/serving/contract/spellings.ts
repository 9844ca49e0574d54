import { expect } from 'vitest';
import { TritonError } from '#libs/triton';

/** How releases of vLLM's backend call guided decoding; a server may know one of them or both. */
const SPELLINGS = ['structured_outputs', 'guided_decoding'] as const;
export type Spelling = (typeof SPELLINGS)[number];

/**
 * Those that a server knows: it must refuse the other, and not answer as if it knew it.
 *
 * @param ask the text of an answer with these sampling parameters
 * @throws any error that is not the model's own refusal
 */
export async function knownSpellings(
  ask: (sampling: Record<string, unknown>) => Promise<string>,
): Promise<Spelling[]> {
  const known: Spelling[] = [];
  for (const spelling of SPELLINGS) {
    try {
      expect(await ask({ [spelling]: JSON.stringify({ choice: ['zebra'] }) })).toBe('zebra');
      known.push(spelling);
    } catch (error) {
      if (!(error instanceof TritonError && error.reason === 'model_error')) throw error;
    }
  }
  return known;
}
