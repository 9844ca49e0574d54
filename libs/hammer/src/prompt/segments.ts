/**
 * A piece of a prompt. `control` marks text that the tokeniser must read as control tokens; all other text must be
 * tokenised as plain characters, so that `<|im_end|>` in a request stays ten characters and cannot open a turn.
 */
export interface PromptSegment {
  readonly text: string;
  readonly control: boolean;
}

/** A prompt in two parts: `prefix` depends on the tools alone, so that a runtime can keep what it computed for it. */
export interface Prompt {
  readonly prefix: readonly PromptSegment[];
  readonly suffix: readonly PromptSegment[];
}

/** The whole prompt as one text. What is control and what is not can no longer be told apart in it. */
export function promptText({ prefix, suffix }: Prompt): string {
  let text = '';
  for (const segment of prefix) text += segment.text;
  for (const segment of suffix) text += segment.text;
  return text;
}

export function plain(text: string): PromptSegment {
  return { text, control: false };
}

/** A turn's role and content. V8 keeps what `+` makes as a tree, which each use walks anew; `join` makes a flat text. */
export function turnText(role: string, content: string): PromptSegment {
  return plain([role, content].join('\n'));
}

export const turnStart: PromptSegment = { text: '<|im_start|>', control: true };
export const turnEnd: PromptSegment = { text: '<|im_end|>', control: true };
export const lineEnd = plain('\n');

/** A turn of ChatML. */
export function turn(role: string, content: string): PromptSegment[] {
  return [turnStart, turnText(role, content), turnEnd, lineEnd];
}

/** The assistant's turn, open: the model goes on from here. */
export const openTurn: readonly PromptSegment[] = [turnStart, plain('assistant\n')];

export const defaultSystem = 'You are a helpful assistant.';
export const systemTurn: readonly PromptSegment[] = turn('system', defaultSystem);
