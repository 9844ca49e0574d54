import type { Message } from '#libs/contracts';
import { compilePrompt, type Prompt } from '#libs/hammer';
import { showMessages } from './show-messages.js';

/** Without tools this flavour is plain ChatML: the system's turn, the conversation, and the assistant's turn left open. */
const { render } = compilePrompt('hf-template-2.1', null);

/**
 * The prompt for words about a conversation instead of calls: what Hammer's client asks the chat endpoint when the model
 * has said `[]`. Calls are shown under their real names, as people read the answer.
 */
export function chatPrompt(messages: readonly Message[]): Prompt {
  return render(showMessages(messages, { masking: undefined, isFenced: true }));
}
