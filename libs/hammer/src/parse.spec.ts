import { describe, expect, it } from 'vitest';
import { parseCalls } from './parse.js';

describe('parseCalls', () => {
  it('reads a list of calls', () => {
    const text = '[{"name": "a", "arguments": {"x": 1}}, {"name": "b.c", "arguments": {}}]';
    expect(parseCalls(text)).toEqual({
      ok: true,
      calls: [
        { name: 'a', arguments: { x: 1 } },
        { name: 'b.c', arguments: {} },
      ],
    });
  });

  it('reads the empty list as no call', () => {
    expect(parseCalls('[]')).toEqual({ ok: true, calls: [] });
  });

  it.each(['```\n[]\n```', '```json\n[]\n```', ' ```json\n[]```\n', '```[]```'])(
    'reads a fenced list: %j',
    (text) => {
      expect(parseCalls(text)).toEqual({ ok: true, calls: [] });
    },
  );

  it('keeps long digits that no number loses', () => {
    const values = {
      text: '90071992547409931234',
      integer: 9007199254740992,
      ratio: 0.1234567890123456,
    };
    const text = JSON.stringify([{ name: 'a', arguments: values }]);
    expect(parseCalls(text)).toEqual({ ok: true, calls: [{ name: 'a', arguments: values }] });
  });

  it('takes texts that resemble repeated keys', () => {
    const values = { x: '{"x": 1, "x": 2}', y: 'a": "a":', z: [{ x: 1 }, { x: 2 }] };
    const text = JSON.stringify([{ name: 'a', arguments: values }]);
    expect(parseCalls(text)).toEqual({ ok: true, calls: [{ name: 'a', arguments: values }] });
  });

  it('reads lists of any depth', () => {
    const text = `[${'['.repeat(100_000)}${']'.repeat(100_000)}]`;
    expect(parseCalls(text)).toMatchObject({ ok: false });
  });

  it('keeps fences and backticks inside a string', () => {
    const text = '[{"name": "a", "arguments": {"x": "```js\\n1\\n```"}}]';
    expect(parseCalls(text)).toEqual({
      ok: true,
      calls: [{ name: 'a', arguments: { x: '```js\n1\n```' } }],
    });
  });

  it.each([
    ['', 'not JSON'],
    ['Sure! []', 'not JSON'],
    ['[{"name": "a", "arguments": {"x": "cut of', 'not JSON'],
    ["[{'name': 'a'}]", 'not JSON'],
    ['{"name": "a", "arguments": {}}', 'not a list of calls'],
    ['null', 'not a list of calls'],
    ['[null]', 'call 1 is not an object'],
    ['[[]]', 'call 1 is not an object'],
    ['[{"arguments": {}}]', 'call 1 has no name'],
    ['[{"name": "", "arguments": {}}]', 'call 1 has no name'],
    ['[{"name": "a", "arguments": {}}, {"name": "b"}]', 'call 2 has no arguments object'],
    ['[{"name": "a", "arguments": []}]', 'call 1 has no arguments object'],
    ['[{"name": "a", "arguments": "{}"}]', 'call 1 has no arguments object'],
    ['[{"name": "a", "arguments": {}, "id": 1}]', 'call 1 has an unknown member "id"'],
    ['[{"name": "a", "arguments": {"x": 9007199254740993}}]', 'the number 9007199254740993'],
    ['[{"name": "a", "arguments": {"x": [1e400]}}]', 'the number 1e400'],
    ['[{"name": "a", "arguments": {"x": 1, "x": 2}}]', 'the key "x" given twice'],
    ['[{"name": "a", "arguments": {"x": [{"y" : 1, "\\u0079": 1}]}}]', 'the key "y" given twice'],
    ['[{"name": "a", "arguments": {"__proto__": 1, "__proto__": 2}}]', 'the key "__proto__" given'],
    ['[{"name": "a", "name": "b", "arguments": {}}]', 'the key "name" given twice'],
    ['[{"name": "a", "arguments": {}, "arguments": {}}]', 'the key "arguments" given twice'],
    ['````', 'not JSON'],
    ['```JSON\n[]\n```', 'not JSON'],
  ])('refuses %j', (text, reason) => {
    expect(parseCalls(text)).toEqual({ ok: false, reason: expect.stringContaining(reason) });
  });

  it('keeps prototype names in arguments as own keys', () => {
    const result = parseCalls(
      '[{"name": "a", "arguments": {"__proto__": {"admin": true}, "constructor": 1}}]',
    );
    if (!result.ok) throw new Error(result.reason);
    const values = result.calls[0]?.arguments ?? {};
    expect(Object.keys(values)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(values)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
  });

  it('does not take members of a call from a __proto__ key', () => {
    const text = '[{"__proto__": {"name": "a", "arguments": {}}}]';
    expect(parseCalls(text)).toMatchObject({ ok: false });
  });
});
