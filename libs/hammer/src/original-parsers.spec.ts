import { HammerlineError } from '#libs/contracts';
import { repr } from '#libs/pyjson';
import { describe, expect, it } from 'vitest';
import {
  completeAsClient,
  decodeAst,
  decodeExecute,
  parseAsClient,
  parseForMetrics,
} from './original-parsers.js';

const call = '{"name": "f", "arguments": {"a": 1}}';

describe('parseAsClient', () => {
  it('deletes triple backticks wherever they are', () => {
    expect(repr(parseAsClient('```\n[{"a": "x```y"}]\n```'))).toBe("[{'a': 'xy'}]");
    expect(parseAsClient('5```0')).toBe(50);
  });

  it('keeps ints and floats apart, and the order of keys', () => {
    expect(repr(parseAsClient('{"b": 5, "10": 5.0, "2": 1e999, "b": 9007199254740993}'))).toBe(
      "{'b': 9007199254740993, '10': 5.0, '2': inf}",
    );
  });

  it.each([
    '```json\n[]\n```',
    '````[]````',
    'I call [].',
    "[{'name': 'f'}]",
    '[1,]',
    '',
    '\u00a0[1]',
  ])('takes what is no JSON for no call: %j', (text) => {
    expect(parseAsClient(text)).toEqual([]);
  });
});

describe('completeAsClient', () => {
  it('gives what was called, without asking for content', () => {
    const { toolCalls, content } = completeAsClient(call, () => {
      throw new Error('asked');
    });
    expect(repr(toolCalls)).toBe("{'name': 'f', 'arguments': {'a': 1}}");
    expect(content).toBe('');
  });

  it.each([
    ['[]', '[]'],
    ['{}', '{}'],
    ['""', "''"],
    ['none fits', '[]'],
  ])('asks once for content where %j calls nothing, and keeps its value %s', (text, value) => {
    let asked = 0;
    const { toolCalls, content } = completeAsClient(text, () => `reply ${++asked}`);
    expect(repr(toolCalls)).toBe(value);
    expect(content).toBe('reply 1');
  });

  it('hands on the promise of content', async () => {
    const { content } = completeAsClient('[]', () => Promise.resolve('later'));
    expect(await content).toBe('later');
  });

  it.each(['5', '0', 'true', 'null', '1.5'])('refuses %s, which has no length', (text) => {
    expect(() => completeAsClient(text, () => '')).toThrow(HammerlineError);
  });
});

describe('parseForMetrics', () => {
  it('knows the fence of JSON, in lower case', () => {
    expect(parseForMetrics('```json\n[]\n```')).toEqual([]);
    expect(() => parseForMetrics('```JSON\n[]\n```')).toThrow(HammerlineError);
  });

  it.each([
    ['{"tool_calls": [1]}', '[1]'],
    ['{"tool_calls": null}', '[]'],
    ['{"tool_calls": false}', 'False'],
    ['{"other": null}', "{'other': None}"],
    ['[["tool_calls"]]', "[['tool_calls']]"],
    ['"text"', "'text'"],
  ])('reads %s as %s', (text, value) => {
    expect(repr(parseForMetrics(text))).toBe(value);
  });

  it.each(['5', 'true', 'null', '["tool_calls"]', '"my tool_calls"', 'none fits', ''])(
    'refuses %j',
    (text) => {
      expect(() => parseForMetrics(text)).toThrow(HammerlineError);
    },
  );
});

describe('decodeAst', () => {
  it('gives dicts of one entry, in order, without other members', () => {
    const text = `[${call}, {"arguments": 5, "id": 1, "name": "f"}]`;
    expect(repr(decodeAst(text))).toBe("[{'f': {'a': 1}}, {'f': 5}]");
  });

  it.each([
    ['null', 'None'],
    ['1', '1'],
    ['1.0', '1.0'],
    ['true', 'True'],
    ['"__proto__"', "'__proto__'"],
  ])('takes %s for a name', (name, key) => {
    expect(repr(decodeAst(`[{"name": ${name}, "arguments": {}}]`))).toBe(`[{${key}: {}}]`);
  });

  it.each(['[]', '{}', '""', 'none fits', '```json\n[]\n```'])('reads %j as no call', (text) => {
    expect(decodeAst(text)).toEqual([]);
  });

  it.each([
    '5',
    'null',
    '"f"',
    call,
    '[1]',
    '["name"]',
    '[{}]',
    '[{"name": "f"}]',
    '[{"arguments": {}}]',
    '[{"name": ["f"], "arguments": {}}]',
    '[{"name": {}, "arguments": {}}]',
    `[${call}, null]`,
  ])('refuses %s', (text) => {
    expect(() => decodeAst(text)).toThrow(HammerlineError);
  });
});

describe('decodeExecute', () => {
  it('writes calls as Python', () => {
    const text = `[{"name": "a.b", "arguments": {"x": [1, 2.0, true, null], "y": "it's"}}]`;
    expect(decodeExecute(text)).toEqual([`a.b(x=[1, 2.0, True, None], y="it's")`]);
  });

  it.each([
    ['{"tool_calls": [{"name": "f"}, 5]}', ['f()']],
    ['{"tool_calls": {"name": "f"}}', ['f()']],
    ['{"tool_calls": null}', []],
    ['[{}]', ['()']],
    ['[{"name": null}, {"name": 1.0}, {"name": ["x"]}]', ['None()', '1.0()', "['x']()"]],
    ['["f", 5, null, []]', []],
    ['{"name": "f", "arguments": {}}', []],
    ['5', []],
    ['none fits', []],
  ])('reads %s as %j', (text, calls) => {
    expect(decodeExecute(text)).toEqual(calls);
  });

  it.each(['null', '[]', '"{}"', '5'])('refuses %s as arguments', (values) => {
    expect(() => decodeExecute(`[{"name": "f", "arguments": ${values}}]`)).toThrow(HammerlineError);
  });
});
