import type { Message } from '#libs/contracts';
import type { EarlierCall } from '#libs/runs';
import { compileToolset } from '#libs/turn';
import { promptText } from '#libs/hammer';
import { describe, expect, it } from 'vitest';
import { writeConversation } from './write-conversation.js';

const messages: Message[] = [{ role: 'user', content: 'Tell Dana and Zoë.' }];

function call(id: string, turn: number, came: Partial<EarlierCall>): EarlierCall {
  const given = { to: id };
  return {
    id,
    turn,
    name: 'send',
    arguments: given,
    state: 'succeeded',
    result: null,
    error: null,
    ...came,
  };
}

const earlier = [
  call('a', 1, { result: { sent: 1.5, to: 'Dana' } }),
  call('b', 1, { state: 'failed', error: { code: 'tool_failed', message: 'HTTP 500' } }),
  call('c', 2, { state: 'denied', error: { code: 'approval_denied', message: 'Denied by Ann.' } }),
  call('d', 2, {}),
];

describe('writeConversation', () => {
  it('is the request alone at first', () => {
    expect(writeConversation({ messages, earlier: [] })).toEqual(messages);
  });

  it('tells of each turn its calls and then what came of them', () => {
    const asked = (...ids: string[]) => ({
      role: 'assistant',
      content: null,
      tool_calls: ids.map((id) => ({
        id,
        type: 'function',
        function: { name: 'send', arguments: `{"to":"${id}"}` },
      })),
    });
    const came = (id: string, content: string) => ({ role: 'tool', content, tool_call_id: id });
    expect(writeConversation({ messages, earlier })).toEqual([
      ...messages,
      asked('a', 'b'),
      came('a', '{"sent":1.5,"to":"Dana"}'),
      came('b', '{"error":{"code":"tool_failed","message":"HTTP 500"}}'),
      asked('c', 'd'),
      came('c', '{"error":{"code":"approval_denied","message":"Denied by Ann."}}'),
      came('d', 'null'),
    ]);
  });

  it('keeps masked names masked, and lets each prompt begin with all of the one before', () => {
    const parameters = { type: 'object', properties: { to: { type: 'string' } } };
    const toolset = compileToolset([{ name: 'send', description: 'Tell.', parameters }], {
      flavour: 'bfcl-2.1',
      maxCalls: 8,
      mask: { key: 'tenant/toolset' },
    });
    const first = promptText(toolset.prompt(messages));
    const second = promptText(
      toolset.prompt(writeConversation({ messages, earlier: earlier.slice(0, 2) })),
    );
    expect(second.startsWith(first)).toBe(true);
    expect(second.slice(first.length)).toContain(toolset.masking?.tools[0]?.name);
    expect(second).not.toContain('send"');
    const third = promptText(toolset.prompt(writeConversation({ messages, earlier })));
    expect(third.startsWith(second)).toBe(true);
  });
});
