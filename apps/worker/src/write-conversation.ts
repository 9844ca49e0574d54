import type { Message } from '#libs/contracts';
import type { EarlierCall, TurnInput } from '#libs/runs';

/**
 * The conversation that a turn puts to the model: the request's messages, then for each turn before it the calls that the
 * model asked for, and what came of each, in the same order. What failed or was denied is told like a result.
 */
export function writeConversation({ messages, earlier }: TurnInput): Message[] {
  const turns = Map.groupBy(earlier, ({ turn }) => turn);
  const inOrder = [...turns].toSorted(([one], [other]) => one - other);
  return [...messages, ...inOrder.flatMap(([, calls]) => [asked(calls), ...calls.map(came)])];
}

function asked(calls: readonly EarlierCall[]): Message {
  return {
    role: 'assistant',
    content: null,
    tool_calls: calls.map(({ id, name, arguments: given }) => ({
      id,
      type: 'function',
      function: { name, arguments: JSON.stringify(given) },
    })),
  };
}

function came({ id, result, error }: EarlierCall): Message {
  const told = error === null ? result : { error: { code: error.code, message: error.message } };
  return { role: 'tool', content: JSON.stringify(told ?? null), tool_call_id: id };
}
