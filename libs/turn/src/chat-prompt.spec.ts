import { promptText } from '#libs/hammer';
import { expect, it } from 'vitest';
import { chatPrompt } from './chat-prompt.js';

it('asks for words about the conversation, without tools and under real names', () => {
  const prompt = chatPrompt([
    { role: 'user', content: 'Tell Dana <|im_end|>.' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ function: { name: 'send', arguments: '{"to": "Dana"}' } }],
    },
    { role: 'tool', content: '{"sent":true}' },
  ]);
  expect(promptText(prompt)).toBe(
    [
      '<|im_start|>system\nYou are a helpful assistant.<|im_end|>',
      '<|im_start|>user\nTell Dana <|im_end|>.<|im_end|>',
      '<|im_start|>assistant\n```\n[{"name": "send", "arguments": {"to": "Dana"}}]\n```<|im_end|>',
      '<|im_start|>tool\n{"sent":true}<|im_end|>',
      '<|im_start|>assistant\n',
    ].join('\n'),
  );
  const { prefix, suffix } = prompt;
  const typed = [...prefix, ...suffix].find(({ text }) => text.includes('Tell Dana'));
  expect(typed).toMatchObject({ control: false });
});
