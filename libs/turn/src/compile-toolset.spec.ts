import { describe, expect, it } from 'vitest';
import { type PromptSegment, promptText, SERVING_FLAVOURS } from '#libs/hammer';
import { compileToolset } from './compile-toolset.js';

const send = {
  name: 'send_message',
  description: 'Send a message.',
  parameters: {
    type: 'object',
    properties: {
      recipient: { type: 'string', description: 'First name.' },
      count: { type: 'integer', maximum: 3 },
      when: { type: 'string', pattern: '^[0-9:]+$' },
    },
    required: ['recipient'],
    additionalProperties: false,
  },
  effect: 'once',
  executor: { kind: 'http', url: 'https://secret.example' },
};
const mask = { key: 'tenant/toolset' };
const messages = [{ role: 'user' as const, content: 'Tell Dana.' }];
const model = { flavour: 'bfcl-2.1' as const, maxCalls: 8 };

function text({
  prefix,
  suffix,
}: {
  prefix: readonly PromptSegment[];
  suffix: readonly PromptSegment[];
}) {
  return promptText({ prefix, suffix });
}

describe('compileToolset', () => {
  it.each(SERVING_FLAVOURS)('shows a model what it may know of the tools: %s', (flavour) => {
    const plain = text(compileToolset([send], { ...model, flavour }).prompt(messages));
    expect(plain).toContain('send_message');
    expect(plain).toContain('Tell Dana.');
    expect(plain).not.toContain('secret');
    const masked = text(compileToolset([send], { ...model, flavour, mask }).prompt(messages));
    expect(masked).toContain('First name.');
    expect(masked).not.toMatch(/send_message|recipient|secret/);
  });

  it.each(SERVING_FLAVOURS)('shows a model what references lead to: %s', (flavour) => {
    const parameters = {
      type: 'object',
      properties: { unit: { $ref: '#/$defs/Unit', description: 'Scale.' } },
      $defs: { Unit: { type: 'string', enum: ['kelvin', 'celsius'], default: 'kelvin' } },
    };
    const tool = { name: 'weather', description: 'Weather.', parameters };
    for (const options of [{}, { mask }]) {
      const shown = text(
        compileToolset([tool], { ...model, flavour, ...options }).prompt(messages),
      );
      expect(shown).toContain('kelvin');
      expect(shown).toContain('celsius');
      expect(shown.includes('$ref')).toBe(/^(?:client|hf)/.test(flavour));
    }
  });

  it('tells toolsets apart whose prompts begin differently, and no others', () => {
    const { affinity } = compileToolset([send], { ...model, mask });
    expect(compileToolset([structuredClone(send)], { ...model, mask }).affinity).toBe(affinity);
    const others = [
      compileToolset([send], model),
      compileToolset([send], { ...model, flavour: 'compact' }),
      compileToolset([send], { ...model, mask: { key: 'another' } }),
      compileToolset([{ ...send, name: 'tell' }], model),
    ];
    expect(new Set([affinity, ...others.map((other) => other.affinity)]).size).toBe(5);
  });

  it('gives one constraint for what the model sees', () => {
    const { masking, constraint } = compileToolset([send], { ...model, mask });
    expect(constraint.grammar).toContain(masking?.tools[0]?.name);
    expect(constraint.grammar).not.toContain('send_message');
    expect(constraint.grammar).toContain('```');
    const compact = compileToolset([send], { ...model, flavour: 'compact' });
    expect(compact.constraint.grammar).not.toContain('```');
  });

  it.each([
    [{ flavour: 'bfcl-2.1' as const, maxCalls: 8 }, '```\n', '\n```'],
    [{ flavour: 'compact' as const, maxCalls: 1 }, '', ''],
  ])('shows calls of earlier turns as the model writes them: %o', (options, open, close) => {
    const call = { name: 'send_message', arguments: { recipient: 'Zoë', count: 1 } };
    const conversation = (assistant: object) => [
      ...messages,
      { role: 'assistant' as const, ...assistant },
      { role: 'tool' as const, content: 'send_message: done', tool_call_id: 'c1' },
    ];
    const { name, arguments: values } = call;
    const made = { function: { name, arguments: JSON.stringify(values) } };
    const asked = conversation({ content: null, tool_calls: [{ id: 'c1', ...made }] });
    const written =
      '[{"name": "send_message", "arguments": {"recipient": "Zo\\u00eb", "count": 1}}]';
    const plain = text(compileToolset([send], options).prompt(asked));
    expect(plain).toContain(`assistant\n${open}${written}${close}<|im_end|>`);

    const masked = compileToolset([send], { ...options, mask });
    const shown = text(masked.prompt(asked));
    expect(shown).toContain(`"name": "${masked.masking?.tools[0]?.name}", "arguments": {`);
    expect(shown.match(/send_message/g)).toEqual(['send_message']); // what the tool said
    expect(text(masked.prompt(conversation({ content: written })))).toBe(shown);
    const own = `${open}${JSON.stringify([masked.masking?.mask(call)])}${close}`;
    expect(text(masked.prompt(conversation({ content: own })))).toContain(own);
  });

  it.each(SERVING_FLAVOURS)('shows what calls of earlier turns came to: %s', (flavour) => {
    const made = { function: { name: 'send_message', arguments: '{"recipient": "Zoe"}' } };
    const shown = text(
      compileToolset([send], { ...model, flavour, mask }).prompt([
        ...messages,
        { role: 'assistant', content: null, tool_calls: [made] },
        { role: 'tool', content: '{"sent":true}' },
      ]),
    );
    expect(shown).toMatch(/Tell Dana\.[^]*assistant[^]*Zoe[^]*tool[^]*\{"sent":true\}/);
    expect(shown).not.toContain('send_message');
  });

  it('reads calls under masks as calls of the tools', () => {
    const { masking, read } = compileToolset([send], { ...model, mask });
    const call = { name: 'send_message', arguments: { recipient: 'Dana', count: 2 } };
    const written = masking?.mask(call);
    expect(written?.name).not.toBe('send_message');
    expect(read(`\`\`\`\n${JSON.stringify([written])}\n\`\`\``)).toEqual({
      outcome: 'calls',
      parser: 'strict',
      calls: [call],
      written: [written],
    });
    expect(read('[]')).toEqual({ outcome: 'irrelevant', parser: 'strict' });
  });

  it('tells people the real names of what the model got wrong, and the model its own', () => {
    const { masking, read } = compileToolset([send], { ...model, mask });
    const call = { name: 'send_message', arguments: { recipient: 'Dana', count: 9 } };
    const answer = read(JSON.stringify([masking?.mask(call)]));
    if (answer.outcome !== 'invalid') throw new Error(answer.outcome);
    expect(answer.reason).not.toMatch(/send_message|count/);
    expect(answer.reason).toContain(masking?.tools[0]?.name);
    expect(answer.message).toMatch(/is send_message, .+ is count/);
  });

  it('names what the request lacks by its real name', () => {
    const { masking, read } = compileToolset([send], { ...model, mask });
    const call = { name: 'send_message', arguments: { count: 1 } };
    expect(read(JSON.stringify([masking?.mask(call)]))).toEqual({
      outcome: 'needs_input',
      parser: 'strict',
      tool: 'send_message',
      parameters: ['recipient'],
    });
  });

  it('reads and refuses plain names the same way', () => {
    const { read } = compileToolset([send], model);
    const call = { name: 'send_message', arguments: { recipient: 'Dana', when: '9:30' } };
    expect(read(JSON.stringify([call]))).toMatchObject({ outcome: 'calls', calls: [call] });
    expect(read('[send_message(recipient="Dana", when="soon")]')).toMatchObject({
      outcome: 'invalid',
      message: expect.stringContaining('/arguments/when') as string,
    });
    expect(read('Which recipient?').outcome).toMatch(/answer|needs_input/);
  });
});
