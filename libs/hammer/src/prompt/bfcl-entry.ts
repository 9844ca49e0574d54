import { compilePrompt } from './compile-prompt.js';
import { addLanguageHint, type Language } from './language-hint.js';
import { type ChatMessage, roleOf } from './message.js';
import type { Prompt } from './segments.js';

/** The language of a BFCL category, such as `simple_java`. */
export function languageOf(category: string): Language {
  if (category.includes('javascript')) return 'JavaScript';
  return category.includes('java') ? 'Java' : 'Python';
}

export interface BfclEntry {
  readonly category: string;
  readonly functions: readonly unknown[];
  /** The first turn. */
  readonly messages: readonly ChatMessage[];
}

/**
 * An entry of BFCL as the benchmark asks Hammer 2.1: the functions say their language, `system` messages become the
 * user's, the rest is the flavour `bfcl-2.1`.
 *
 * @throws HammerlineError `invalid_request` where the original raises
 */
export function bfclEntryPrompt({ category, functions, messages }: BfclEntry): Prompt {
  const hinted = addLanguageHint(functions, languageOf(category));
  const asked = messages.map((message, index) =>
    roleOf(message, index) === 'system' ? { ...message, role: 'user' } : message,
  );
  return compilePrompt('bfcl-2.1', hinted).render(asked);
}
