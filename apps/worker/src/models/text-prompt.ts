import type { Prompt, PromptSegment } from '#libs/hammer';

/** Breaks a control word, and is no text that anybody types: ZERO WIDTH SPACE. */
const MARK = '\u200B';

/** A turn of a conversation, as servers of chats take it. */
export interface ChatTurn {
  readonly role: string;
  readonly content: string;
}

/**
 * A prompt as one text, for servers that tokenise it themselves and read every `<|im_end|>` in it as a control token.
 * Where that is no control segment it is broken by a mark, so that a request or a tool's description cannot open a turn;
 * `mendControlWords` takes the marks out of an answer that repeats them.
 */
export function textOfPrompt({ prefix, suffix }: Prompt): string {
  return [...runs([...prefix, ...suffix])]
    .map(({ text, control }) => (control ? text : breakControlWords(text)))
    .join('');
}

/**
 * A prompt as the turns of a chat, without the open one of the assistant, which the server adds. Control words in them
 * are broken as in `textOfPrompt`. What tools said comes as the user's: servers take a tool's turn only behind calls in
 * their own form.
 */
export function turnsOfPrompt({ prefix, suffix }: Prompt): ChatTurn[] {
  const turns: ChatTurn[] = [];
  let open: string | undefined;
  for (const { text, control } of runs([...prefix, ...suffix])) {
    if (!control) {
      if (open !== undefined) open += breakControlWords(text);
    } else if (text === '<|im_start|>') {
      open = '';
    } else if (text === '<|im_end|>' && open !== undefined) {
      const [role = '', ...lines] = open.split('\n');
      turns.push({ role: role === 'tool' ? 'user' : role, content: lines.join('\n') });
      open = undefined;
    } else {
      throw new Error(`no chat has the control word ${text} there`);
    }
  }
  return turns;
}

/** Puts a mark behind each `<|`, also where marks follow it already. */
export function breakControlWords(text: string): string {
  return text.replaceAll('<|', `<|${MARK}`);
}

/** Takes one mark away from behind each `<|`, written as it is or as JSON escapes it: undoes `breakControlWords`. */
export function mendControlWords(text: string): string {
  return text.replaceAll(/<\|(?:\u200B|\\u200[bB])/g, '<|');
}

/** Neighbours that are no control words as one: a control word may be cut between them. */
function* runs(segments: readonly PromptSegment[]): Generator<PromptSegment> {
  let text = '';
  for (const segment of segments) {
    if (!segment.control) {
      text += segment.text;
      continue;
    }
    if (text !== '') yield { text, control: false };
    text = '';
    yield segment;
  }
  if (text !== '') yield { text, control: false };
}
