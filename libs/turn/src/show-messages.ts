import type { Message, ResolvedCall } from '#libs/contracts';
import { type ChatMessage, fence, parseCalls } from '#libs/hammer';
import type { Masking } from '#libs/masking';
import { dumps, parseJson } from '#libs/pyjson';

export interface ShowOptions {
  masking: Masking | undefined;
  isFenced: boolean;
  /** The prompt has a place for users' words alone: the others' stand among them, and say whose they are. */
  isUsersAlone?: boolean;
}

/**
 * A conversation as the model sees it: calls of earlier turns are answers like those that it gives itself, under the
 * names that it sees. What people and tools said is not changed.
 */
export function showMessages(
  messages: readonly Message[],
  { masking, isFenced, isUsersAlone = false }: ShowOptions,
): ChatMessage[] {
  const show = ({ role, content, tool_calls: made }: Message): string => {
    const calls = role === 'assistant' ? (made?.map(readCall) ?? realCalls(content, masking)) : [];
    if (calls.length === 0) return content ?? '';
    const list = dumps(calls.map((call) => masking?.mask(call) ?? call));
    return isFenced ? fence(list) : list;
  };
  return messages.map((message) => {
    const { role } = message;
    const content = show(message);
    if (!isUsersAlone || role === 'user' || role === 'system') return { role, content };
    return { role: 'user', content: `${role}: ${content}` };
  });
}

function readCall({ function: called }: NonNullable<Message['tool_calls']>[number]): ResolvedCall {
  const { name, arguments: text } = called;
  return { name, arguments: parseJson(text) as ResolvedCall['arguments'] };
}

/** The calls of an answer in words that names tools as they are called, though the model knows them by masks. */
function realCalls(content: Message['content'], masking: Masking | undefined): ResolvedCall[] {
  if (masking === undefined || typeof content !== 'string') return [];
  const parsed = parseCalls(content);
  if (!parsed.ok) return [];
  const names = new Set(Object.values(masking.names.functions));
  return parsed.calls.some((call) => names.has(call.name)) ? [...parsed.calls] : [];
}
