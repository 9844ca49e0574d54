import { describe, expect, it } from 'vitest';
import { JsonError, type PyDict, PyFloat } from '#libs/pyjson';
import { readBfcl } from './read-bfcl.js';

const turn = '[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]';
const line = (id: string) =>
  `{"id": "${id}", "question": [${turn}], "function": [{"name": "f", "__proto__": [1, 1.0]}]}\n`;
const answer = (id: string) => `{"id": "${id}", "ground_truth": [{"f": {"x": [1.0]}}]}\n`;

describe('readBfcl', () => {
  it('reads questions with their answers', () => {
    const entries = readBfcl(line('a_0') + line('a_1'), answer('a_0') + answer('a_1'));
    expect(entries.map((entry) => entry.id)).toEqual(['a_0', 'a_1']);
    expect(entries[1]?.question).toEqual([
      { role: 'system', content: 's' },
      { role: 'user', content: 'u' },
    ]);
    expect(entries[1]?.functions[0]?.get('__proto__')).toEqual([1, new PyFloat(1)]);
    const accepted = entries[1]?.groundTruth?.[0]?.get('f') as PyDict;
    expect(accepted.get('x')).toEqual([new PyFloat(1)]);
  });

  it('reads questions alone', () => {
    expect(readBfcl(line('a_0')).map((entry) => entry.groundTruth)).toEqual([undefined]);
    expect(readBfcl('')).toEqual([]);
  });

  it.each([
    ['a line that is no object', '[]', '/question/0'],
    ['an entry without id', '{"question": [[]], "function": []}', '/question/0/id'],
    ['several turns', '{"id": "a", "question": [[], []], "function": []}', '/question/0/question'],
    [
      'a message that is none',
      '{"id": "a", "question": [[7]], "function": []}',
      '/question/0/question',
    ],
    ['no functions', '{"id": "a", "question": [[]]}', '/question/0/function'],
  ])('refuses %s', (_, text, pointer) => {
    expect(() => readBfcl(text)).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        message: expect.stringContaining(pointer),
      }),
    );
  });

  it('refuses answers of other questions, too few answers, and text that is no JSON', () => {
    expect(() => readBfcl(line('a_0'), answer('a_1'))).toThrow('/answer/0/id');
    expect(() => readBfcl(line('a_0') + line('a_1'), answer('a_0'))).toThrow('/answer/1/id');
    expect(() => readBfcl(line('a_0'), '{"id"')).toThrow(JsonError);
  });
});
