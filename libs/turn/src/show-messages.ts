import type { Message, ResolvedCall } from '#libs/contracts';
import { type ChatMessage, fence, parseCalls } from '#libs/hammer';
import type { Masking } from '#libs/masking';
import { dumps, parseJson } from '#libs/pyjson';

/**
 * A conversation as the model sees it: calls of earlier turns are answers like those that it gives itself, under the
 * names that it sees. What people and tools said is not changed.
 */
export function showMessages(
  messages: readonly Message[],
  { masking, isFenced }: { masking: Masking | undefined; isFenced: boolean },
): ChatMessage[] {
  return messages.map(({ role, content, tool_calls: made }) => {
    const calls = role === 'assistant' ? (made?.map(readCall) ?? realCalls(content, masking)) : [];
    if (calls.length === 0) return { role, content: content ?? '' };
    const list = dumps(calls.map((call) => masking?.mask(call) ?? call));
    return { role, content: isFenced ? fence(list) : list };
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
