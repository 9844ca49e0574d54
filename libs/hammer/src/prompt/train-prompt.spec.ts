import { describe, expect, it } from 'vitest';
import { loads } from '#libs/pyjson';
import { fence } from './instructions.js';
import { trainPrompt } from './train-prompt.js';

const toolsIn = (tools: unknown) =>
  /TOOLS\]\n(.*)\n\[END OF AVAILABLE/s.exec(trainPrompt({ tools, query: 'q' }))?.[1];

describe('trainPrompt', () => {
  it('takes a text of tools as it is, JSON or not', () => {
    expect(toolsIn('[{"é":5.0}]\n x')).toBe('[{"é":5.0}]\n x');
  });

  it('prints a list of tools as Python does, without wrappers', () => {
    const tools = loads(
      '[{"x": 1, "name": "it\'s", "parameters": {"type": "dict", "properties": {"10": {"default": 5.0}, "2": null}}, "description": null}]',
    );
    expect(toolsIn(tools)).toBe(
      `[{'name': "it's", 'description': None, 'parameters': {'10': {'default': 5.0}, '2': None}}]`,
    );
    expect(() => toolsIn([{ name: 'f', parameters: {} }])).toThrow('/tools/0/description');
  });

  it('names a tool without end', () => {
    const endless: Record<string, unknown> = { name: 'f', description: '' };
    endless.parameters = { properties: { a: endless } };
    expect(() => toolsIn([endless])).toThrow("/tools/0/parameters: tool 0 ('f') nests");
  });

  it('ends with the query', () => {
    expect(trainPrompt({ tools: '', query: 'a\nb' })).toMatch(
      /\[BEGIN OF QUERY\]\na\nb\n\[END OF QUERY\]\n\n$/,
    );
  });
});

describe('fence', () => {
  it('makes a label', () => {
    expect(fence('[]')).toBe('```\n[]\n```');
  });
});
