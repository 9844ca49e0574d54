import { type HammerlineError, invalidRequest } from '#libs/contracts';
import { str } from '#libs/pyjson';
import { isObject } from '../json.js';

/** A message of a conversation, as chat clients write it. Roles beyond OpenAI's keep their name. */
export interface ChatMessage {
  readonly role: string;
  /** Anything but a text is shown as Python's `str` shows it. */
  readonly content?: unknown;
  /** Earlier calls of an assistant; only `client-2.1` shows them. */
  readonly tool_calls?: unknown;
}

/** @throws HammerlineError `invalid_request` if there is none, also where the message is no object: the originals raise there too */
export function roleOf(message: ChatMessage, index: number): string {
  const { role }: { role?: unknown } = isObject(message) ? message : {};
  if (typeof role === 'string') return role;
  throw messageFault(index, 'has no role');
}

/** @throws HammerlineError `invalid_request` if there is none, or none that ends */
export function contentOf({ content }: ChatMessage, index: number): string {
  if (content !== undefined) return writeMember(index, content, str);
  throw messageFault(index, 'has no content');
}

/** @throws HammerlineError `invalid_request` if the content is no text */
export function textOf({ content }: ChatMessage, index: number): string {
  if (typeof content === 'string') return content;
  throw messageFault(index, 'has no text as content');
}

/** @throws HammerlineError `invalid_request` where the stack is too small to write a member of a message */
export function writeMember(
  index: number,
  member: unknown,
  write: (value: unknown) => string,
): string {
  try {
    return write(member);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw messageFault(index, 'nests too deeply, or holds itself');
  }
}

export function messageFault(index: number, detail: string): HammerlineError {
  return invalidRequest({
    pointer: `/messages/${index}`,
    detail: `message ${index} ${detail}`,
    mend: 'give {role, content}, both texts',
  });
}

export function tooFewMessages(): HammerlineError {
  return invalidRequest({
    pointer: '/messages',
    detail: 'there is no message to answer',
    mend: 'give at least one message of the user',
  });
}
