import type { Message } from '#libs/contracts';
import { ATTR } from '#libs/telemetry';
import { chatPrompt } from '#libs/turn';
import { askModel, tokensOf } from './ask-model.js';
import type { Model } from './models/model.js';

/** As many as a list of calls may take, whose prompt is the longer one: where that fits the context, this does. */
const MAX_TOKENS = 512;

/** What is said where the first turn makes no call. */
export const NO_TOOL_FITS = 'None of the tools can do what is asked.';
const NO_MORE_CALLS =
  'The model makes no further call: what the request came to are the results of its calls.';

/**
 * What is said in words to a conversation for which the model has no call (any more). A model that talks is asked for
 * it, without tools, as Hammer's client asks; of any other it is a fixed sentence.
 */
export async function closingWords(
  model: Model,
  {
    messages,
    hasCalled,
    signal,
  }: { messages: readonly Message[]; hasCalled: boolean; signal: AbortSignal },
): Promise<{ text: string; tokens: number }> {
  const fixed = hasCalled ? NO_MORE_CALLS : NO_TOOL_FITS;
  if (!model.card.chat) return { text: fixed, tokens: 0 };
  const request = { prompt: chatPrompt(messages), maxTokens: MAX_TOKENS, signal };
  return askModel(model, request, { [ATTR.outcome]: 'answer' }, (generation) => {
    const said = generation.text.trim();
    const isCut = generation.finishReason === 'length';
    return { text: said === '' ? fixed : said + (isCut ? ' …' : ''), tokens: tokensOf(generation) };
  });
}
