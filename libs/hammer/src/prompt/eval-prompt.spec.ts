import { describe, expect, it } from 'vitest';
import { evalPrompt } from './eval-prompt.js';

const tool = {
  name: 'f',
  description: 'é',
  parameters: {
    a: { description: 'A', required: true },
    b: { required: false, description: '' },
  },
  required: ['b', 'c'],
};

function toolsIn(dataset: string): unknown {
  const text = evalPrompt('eval-v1', { dataset, tools: [tool], query: 'q' });
  return /TOOLS\]\n(.*)\n\[END OF AVAILABLE/.exec(text)?.[1];
}

describe('evalPrompt, eval-v1', () => {
  it('converts the tools as the data sets do', () => {
    expect(toolsIn('apibank_l1')).toBe(
      '[{"name": "f", "description": "é", "parameters": {"a": {"description": "A", "required": true}, "b": {"required": false, "description": ""}}, "required": ["b", "c"]}]',
    );
    expect(toolsIn('sealtool')).toBe(
      '[{"name": "f", "description": "é", "parameters": {"a": {"description": "A.Required is false."}, "b": {"description": ".Required is true."}}}]',
    );
    expect(toolsIn('toolalpaca')).toBe(
      '[{"name": "f", "description": "é", "parameters": {"a": {"description": "A Required is true.", "required": true}, "b": {"required": false, "description": ""}}, "required": ["b", "c"]}]',
    );
  });

  it('names what it does not know', () => {
    expect(() => toolsIn('nexus')).toThrow("/dataset: there is no data set 'nexus'");
    const query = [{ role: 'system', content: 's' }];
    expect(() => evalPrompt('eval-v1', { dataset: 'apibank_l1', tools: [], query })).toThrow(
      "/messages/0: message 0 has the unknown role 'system'",
    );
    const tools = [{ ...tool, parameters: { a: { type: 'str' } } }];
    expect(() => evalPrompt('eval-v1', { dataset: 'sealtool', tools, query: '' })).toThrow(
      '/tools/0/parameters/a',
    );
  });
});

it.each(['eval-v1', 'eval-2.1'] as const)('evalPrompt names a tool without end, %s', (flavour) => {
  const endless: Record<string, unknown> = { ...tool };
  endless.parameters = { a: endless };
  const record = { dataset: 'apibank_l1', tools: [tool, endless], query: 'q' };
  expect(() => evalPrompt(flavour, record)).toThrow("/tools/1/parameters: tool 1 ('f') nests");
});

describe('evalPrompt, eval-2.1', () => {
  it('takes the request for a call off the end of each message only', () => {
    const query = [
      { role: 'agent', content: 'a\nGenerate API Request:\nb' },
      { role: 'user', content: 'c\nGenerate API Request:' },
    ];
    const text = evalPrompt('eval-2.1', { dataset: 'apibank_l2', tools: [tool], query });
    expect(text.slice(text.indexOf('<|im_start|>agent'))).toBe(
      '<|im_start|>agent\na\nGenerate API Request:\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n',
    );
    expect(text).toContain('"description": "\\u00e9"');
  });
});
