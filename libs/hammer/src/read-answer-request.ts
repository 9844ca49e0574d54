import type { ToolDefinition } from '#libs/contracts';
import { noTool, plea } from './read-answer-prose.js';

/** Required parameters of a tool that the request says nothing about. */
export interface MissingParameters {
  readonly tool: string;
  readonly parameters: readonly string[];
}

/** Longer prose is more than a request for a value. */
const maxLength = 2_000;

const token = /[\p{L}\p{N}_$]+(?:[.-][\p{L}\p{N}_$]+)*/gu;
/** Longer than three letters, and still no names outside of quotes. */
const commonWords: ReadonlySet<string> = new Set(
  'from into over with than then this that what when where which here there have more'.split(' '),
);
const quote = /[`'"“”]/;
const sentenceEnd = /[.!?](?=\s|$)|\n/;

/** Says that something is lacking, or asks for it. */
const asks = [
  /\b(?:is|are|was|were) (?:also |still )?(?:missing|lacking|needed|required|unspecified)\b/i,
  /\b(?:missing|lacks?|lacking)\b[^.]{0,40}\bparameters?\b|\bparameters?\b[^.]{0,40}\b(?:missing|lacking)\b/i,
  /(?:\bnot|n['’]t) (?:been |be )?(?:given|provided|specified|supplied|mentioned|stated)\b/i,
  plea,
];

/** Says the contrary, or that no tool fits at all, for which the parameters do not matter. */
const denials = [
  /(?:\bnot|\bnever|n['’]t|\bno longer) (?:be |been )?(?:missing|lacking|needed|required|necessary)\b/i,
  /\bno (?:missing|required|parameters?)\b|\bnothing (?:is |else )/i,
  noTool,
];

/**
 * The parameters that prose without a call asks for. A rule for English, small and on the safe side, as a wrong request
 * is worse than an answer shown as it is. It holds if, in a text of up to 2,000 characters,
 * - a sentence says that something is missing, needed or not given, or asks to provide it,
 * - the same sentence names a required parameter as a whole token (common words, `a` or `from`, only in quotes
 *   or backticks),
 * - the tool is certain: the only one that the text names, or else the only one that requires such a parameter,
 * - and nothing says that no tool fits or that nothing is missing.
 */
export function findRequest(
  text: string,
  tools: readonly ToolDefinition[],
): MissingParameters | undefined {
  if (text.length > maxLength || denials.some((denial) => denial.test(text))) return undefined;
  const asked = text
    .split(sentenceEnd)
    .filter((sentence) => asks.some((ask) => ask.test(sentence)));
  if (asked.length === 0) return undefined;
  const named = new Set(asked.flatMap(nameTokens));
  const mentioned = new Set(text.match(token));
  const candidates = tools
    .map(({ name, parameters: { required } }) => ({
      tool: name,
      parameters: Array.isArray(required)
        ? required.filter((parameter): parameter is string => named.has(parameter))
        : [],
    }))
    .filter(({ parameters }) => parameters.length > 0);
  const mentionedTools = tools.filter((tool) => mentioned.has(tool.name));
  const certain =
    mentionedTools.length === 0
      ? candidates
      : candidates.filter(({ tool }) => mentioned.has(tool) && mentionedTools.length === 1);
  return certain.length === 1 ? certain[0] : undefined;
}

/** The tokens of a sentence that may name a parameter. */
function nameTokens(sentence: string): string[] {
  return Array.from(sentence.matchAll(token), ({ 0: word, index }) => {
    const isQuoted =
      quote.test(sentence.charAt(index - 1)) && quote.test(sentence.charAt(index + word.length));
    return isQuoted || (word.length > 3 && !commonWords.has(word)) ? word : '';
  });
}
