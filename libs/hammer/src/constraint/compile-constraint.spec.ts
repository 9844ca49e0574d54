import { describe, expect, it } from 'vitest';
import { HammerlineError, type ToolDefinition } from '#libs/contracts';
import { GbnfAcceptor } from '../../../../test/support/gbnf-acceptor.js';
import { GbnfSampler } from '../../../../test/support/gbnf-sampler.js';
import { labelledPrompts } from '../../../../test/support/labelled-prompts.js';
import { parseCalls } from '../parse.js';
import { compileConstraint, type ConstraintOptions } from './compile-constraint.js';

describe('the labels that the models were trained on', () => {
  it('are in the grammar exactly if their calls are valid, and all with free arguments', () => {
    const counts = { valid: 0, invalid: 0, unknownTool: 0 };
    for (const { id, label, tools, verdict } of labelledPrompts()) {
      const accepts = (options: ConstraintOptions): boolean =>
        new GbnfAcceptor(compileConstraint(tools, options).grammar).accepts(label);
      const found = [accepts({}), accepts({ arguments: 'json' })];
      expect([id, ...found]).toEqual([id, verdict === 'valid', verdict !== 'unknownTool']);
      counts[verdict]++;
    }
    expect(counts).toEqual({ valid: 118, invalid: 35, unknownTool: 1 });
  });
});

function tool(name: string, value: unknown = { type: 'integer' }): ToolDefinition {
  const parameters = { type: 'object', properties: { x: value }, required: ['x'] };
  return { name, description: '', parameters };
}

function drawn(grammar: string): string[] {
  const sampler = new GbnfSampler(grammar);
  return Array.from({ length: 200 }, (_, seed) => sampler.draw(seed));
}

function countsOf(options: ConstraintOptions): number[] {
  const texts = drawn(compileConstraint([tool('f'), tool('g')], options).grammar);
  const counts = texts.map((text) => {
    const result = parseCalls(text);
    if (!result.ok) throw new Error(`${result.reason}: ${text}`);
    return result.calls.length;
  });
  return [...new Set(counts)].toSorted((a, b) => a - b);
}

describe('compileConstraint', () => {
  it('allows as many calls as are chosen', () => {
    expect(countsOf({ maxCalls: 3 })).toEqual([0, 1, 2, 3]);
    expect(countsOf({ maxCalls: 1 })).toEqual([0, 1]);
    expect(countsOf({ maxCalls: 0 })).toEqual([0]);
    expect(countsOf({ toolChoice: 'none' })).toEqual([0]);
    expect(countsOf({ toolChoice: 'required', maxCalls: 2 })).toEqual([1, 2]);
    expect(countsOf({ toolChoice: { name: 'g' }, maxCalls: 1 })).toEqual([1]);
    expect(countsOf({})).toContain(4);
  });

  it('names only the tool that is chosen', () => {
    const { grammar } = compileConstraint([tool('f'), tool('g')], { toolChoice: { name: 'g' } });
    expect(
      new Set(
        drawn(grammar)
          .join('')
          .match(/"[fg]"/g),
      ),
    ).toEqual(new Set(['"g"']));
  });

  it('writes no rule that is not used', () => {
    const properties = Object.fromEntries(
      ['first', 'second', 'third'].map((name) => [name, { type: 'string', maxLength: 5 }]),
    );
    for (const count of [1, 2, 3]) {
      const some = Object.fromEntries(Object.entries(properties).slice(0, count));
      const parameters = { type: 'object', properties: some };
      const { grammar } = compileConstraint([{ name: 'f', description: '', parameters }]);
      const names = [...grammar.matchAll(/^(r\d+) ::=/gm)].map(([, name]) => name);
      const used = new Set(grammar.match(/\br\d+\b(?! ::=)/g));
      expect(names.filter((name) => name === undefined || !used.has(name))).toEqual([]);
    }
  });

  it('reports 200 keywords, and how many more there are', () => {
    const schemas = Array.from({ length: 130 }, (_, index) => [
      `p${index}`,
      { type: 'string', pattern: '^a', format: 'date' },
    ]);
    const parameters = { type: 'object', properties: Object.fromEntries(schemas) as object };
    const { report } = compileConstraint([{ name: 'f', description: '', parameters }]);
    expect([report.widened.length, report.omitted]).toEqual([200, 60]);
  });

  it('puts the list in the fence of the labels, or not', () => {
    const fenced = new GbnfAcceptor(compileConstraint([tool('f')]).grammar);
    const bare = new GbnfAcceptor(compileConstraint([tool('f')], { fence: false }).grammar);
    const answers = ['[]', '[{"name": "f", "arguments": {"x": 1}}]'];
    for (const text of answers) {
      expect([fenced, bare].map((acceptor) => acceptor.accepts(text))).toEqual([false, true]);
      const inFence = `\`\`\`\n${text}\n\`\`\``;
      expect([fenced, bare].map((acceptor) => acceptor.accepts(inFence))).toEqual([true, false]);
    }
  });

  it('has only the empty list without tools', () => {
    expect(new Set(drawn(compileConstraint([]).grammar))).toEqual(new Set(['```\n[]\n```']));
    expect(compileConstraint([]).jsonSchema).toEqual({ type: 'array', maxItems: 0 });
  });

  it('takes any object for arguments where types are not to be trusted, and says so', () => {
    const { grammar, report } = compileConstraint([tool('f')], { arguments: 'json', fence: false });
    const acceptor = new GbnfAcceptor(grammar);
    expect(acceptor.accepts('[{"name": "f", "arguments": {"y": ["a", {}]}}]')).toBe(true);
    expect(acceptor.accepts('[{"name": "g", "arguments": {}}]')).toBe(false);
    expect(acceptor.accepts('[{"name": "f", "arguments": []}]')).toBe(false);
    expect(report.widened).toEqual([
      { tool: 'f', pointer: '', keyword: 'properties' },
      { tool: 'f', pointer: '', keyword: 'required' },
    ]);
  });

  it.each([
    'quote"d',
    'back\\slash',
    'new\nline',
    'bell\u0007',
    'naïve 名前 😀',
    '__proto__',
    '] | "x',
    'half \ud83d',
  ])('names the tool and the parameter %j', (name) => {
    const properties = Object.fromEntries([[name, { const: name }]]);
    const parameters = { type: 'object', properties, required: [name] };
    const { grammar } = compileConstraint([{ name, description: '', parameters }], { maxCalls: 1 });
    const calls = drawn(grammar).flatMap((text) => {
      const result = parseCalls(text);
      if (!result.ok) throw new Error(`${result.reason}: ${text}`);
      return result.calls;
    });
    expect(calls[0]?.name).toBe(name);
    expect(Object.entries(calls[0]?.arguments ?? {})).toEqual([[name, name]]);
  });

  it.each<[string, ConstraintOptions, string]>([
    [
      'a tool that is not there',
      { toolChoice: { name: 'h' } },
      '/tool_choice: there is no tool "h"',
    ],
    [
      'a call where none is allowed',
      { toolChoice: 'required', maxCalls: 0 },
      '/tool_choice: requires a call, but none is allowed',
    ],
    ['half a call', { maxCalls: 0.5 }, '/max_calls: is no whole number from 0 to 1000'],
    ['too many calls', { maxCalls: 1e9 }, '/max_calls: is no whole number from 0 to 1000'],
  ])('refuses %s', (_, options, message) => {
    const compile = () => compileConstraint([tool('f'), tool('g')], options);
    expect(compile).toThrow(HammerlineError);
    expect(compile).toThrow(message);
  });

  it.each([
    'bogus',
    '',
    null,
    5,
    [],
    {},
    { name: 5 },
    { type: 'function', function: { name: 'f' } },
  ])('refuses %j as a choice', (choice) => {
    const toolChoice = choice as ConstraintOptions['toolChoice'] & object;
    expect(() => compileConstraint([tool('f')], { toolChoice })).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        faults: [expect.objectContaining({ pointer: '/tool_choice' })],
      }),
    );
  });

  it('refuses a tool that nests too deeply or holds itself, and names it', () => {
    const nested = (levels: number) => {
      let schema: object = { type: 'string' };
      for (let level = 0; level < levels; level++) schema = { items: schema };
      return schema;
    };
    const endless: Record<string, unknown> = { type: 'object' };
    endless.items = { anyOf: [endless] };
    for (const value of [nested(20_000), nested(500), endless]) {
      expect(() => compileConstraint([tool('f'), tool('g', value)])).toThrow(
        expect.objectContaining({
          code: 'invalid_request',
          message: expect.stringContaining("tool 1 ('g')") as string,
          faults: [
            expect.objectContaining({
              pointer: '/tools/1/parameters',
              mend: expect.any(String) as string,
            }),
          ],
        }),
      );
    }
    const { grammar, jsonSchema, report } = compileConstraint([tool('f', nested(490))]);
    expect(new GbnfAcceptor(grammar).accepts('```\n[]\n```')).toBe(true);
    expect(JSON.stringify(jsonSchema)).toContain(JSON.stringify(nested(490)));
    expect(report.widened).toHaveLength(1);
  });

  it('refuses to require a call without tools', () => {
    expect(() => compileConstraint([], { toolChoice: 'required' })).toThrow('there are no tools');
  });

  it('makes each form once', () => {
    const constraint = compileConstraint([tool('f')]);
    expect(constraint.report).toBe(constraint.report);
    expect(constraint.jsonSchema).toBe(constraint.jsonSchema);
  });
});
