import { HammerlineError } from '#libs/contracts';
import { CallStream, type Prompt, promptText, type ScoredToken } from '#libs/hammer';
import type { Generation } from './model.js';
import type { Piece } from './model-server.js';
import { mendControlWords } from './text-prompt.js';

/** No token is longer; a server that goes on beyond that does not keep to its limit. */
const LONGEST_TOKEN = 256;
const CHARACTERS_PER_TOKEN = 4;
/** A server may keep a few tokens of the context back. */
const CONTEXT_SLACK = 8;

export interface CollectOptions {
  readonly maxTokens: number;
  /** What prompt and answer may take together. */
  readonly contextTokens: number;
  /** Reading ends where a list of calls is complete: nothing else ends it that is wanted and not guided. */
  readonly isUnguidedList: boolean;
  /** Its tokens are estimated where the server does not tell them. */
  readonly prompt: Prompt;
  /** Of the server, for messages. */
  readonly server: string;
}

/**
 * Puts an answer together.
 *
 * Throws `model_failed` for one that ends without its end, and `context_overflow` where the model's context was full
 * before the answer had the tokens that it may have.
 */
export async function collectAnswer(
  pieces: AsyncIterable<Piece>,
  { maxTokens, contextTokens, isUnguidedList, prompt, server }: CollectOptions,
): Promise<Generation> {
  const asked = performance.now();
  const list = new CallStream();
  const tokens: ScoredToken[] = [];
  let text = '';
  let firstTokenMs: number | undefined;
  let finishReason: Generation['finishReason'] | undefined;
  let input: number | undefined;
  let output: number | undefined;
  for await (const piece of pieces) {
    if (piece.text !== '' || piece.tokens.length > 0) firstTokenMs ??= performance.now() - asked;
    const taken = isUnguidedList ? untilComplete(list, piece.text) : piece.text;
    text += taken;
    tokens.push(...piece.tokens);
    input = piece.inputTokens ?? input;
    output = piece.outputTokens ?? output;
    finishReason = piece.finishReason ?? finishReason;
    if (isUnguidedList && list.isComplete) {
      finishReason = 'stop';
      break;
    }
    if (finishReason !== undefined) continue;
    if ((output ?? 0) > maxTokens || text.length > maxTokens * LONGEST_TOKEN) {
      finishReason = 'length';
      break;
    }
  }
  if (finishReason === undefined) {
    const message = `${server} broke off: its answer has no end`;
    throw new HammerlineError('model_failed', message);
  }
  if (
    finishReason === 'length' &&
    input !== undefined &&
    output !== undefined &&
    output < maxTokens &&
    input + output >= contextTokens - CONTEXT_SLACK
  ) {
    throw new HammerlineError(
      'context_overflow',
      `the model's context at ${server} was full: the prompt takes ${input} tokens, and of the ${maxTokens} that the ` +
        `answer may take only ${output} were left`,
    );
  }
  return {
    text: mendControlWords(text),
    tokens: covers(tokens, text) ? tokens : [],
    finishReason,
    usage: {
      inputTokens: input ?? Math.ceil(promptText(prompt).length / CHARACTERS_PER_TOKEN),
      outputTokens: output ?? tokens.length,
    },
    firstTokenMs: firstTokenMs ?? performance.now() - asked,
  };
}

/**
 * Whether there is a probability for all of the text: one that lacks a part, such as a call's name, would tell too much
 * confidence. The tokens may go on, as the one that ends the answer. Characters that decide nothing are not compared, as
 * one of several tokens shows as U+FFFD in them.
 */
function covers(tokens: readonly ScoredToken[], text: string): boolean {
  const scored = tokens.map((token) => token.text).join('');
  return visibleAscii(scored).startsWith(visibleAscii(text));
}

function visibleAscii(text: string): string {
  return text.replaceAll(/[^!-~]/g, '');
}

/** The text up to where the list is complete: the same place, however the answer is cut into pieces. */
function untilComplete(list: CallStream, text: string): string {
  let at = 0;
  while (at < text.length && !list.isComplete) list.push(text.charAt(at++));
  return text.slice(0, at);
}
