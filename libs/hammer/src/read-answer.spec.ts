import { readFileSync } from 'node:fs';
import type { ToolDefinition } from '#libs/contracts';
import { repr } from '#libs/pyjson';
import { compileValidators } from '#libs/tools';
import { describe, expect, it } from 'vitest';
import type { ParsedCall } from './parse.js';
import { type Answer, readAnswer } from './read-answer.js';

function tool(name: string, parameters: Record<string, unknown> = {}, required: string[] = []) {
  const schema = { type: 'object', properties: parameters, required, additionalProperties: false };
  return { name, description: '', parameters: schema };
}

const text = { type: 'string' };
const weather = tool('get_weather', { city: text, days: { type: 'integer' } }, ['city']);
const open = ['f', 'g', 'a.b.c', 'get-time'].map((name) => ({
  name,
  description: '',
  parameters: { type: 'object' },
}));

/** Calls in Python's style. */
function writePython(calls: readonly ParsedCall[]): string {
  const texts = calls.map(({ name, arguments: values }) => {
    const members = Object.entries(values).map(([key, value]) => `${key}=${repr(value)}`);
    return `${name}(${members.join(', ')})`;
  });
  return `[${texts.join(', ')}]`;
}

function read(answer: string, tools: readonly ToolDefinition[] = [...open, weather]): Answer {
  const { validate } = compileValidators(tools);
  return readAnswer(answer, { tools, check: validate });
}

const call = (name: string, values: Record<string, unknown> = {}) => ({ name, arguments: values });
const f1 = call('f', { a: 1 });
const g = call('g');

describe('readAnswer, calls', () => {
  it.each([
    ['[{"name": "f", "arguments": {"a": 1}}]', 'strict', [f1]],
    ['```json\n[{"name": "f", "arguments": {"a": 1}}]\n```', 'strict', [f1]],
    // Fences, tags and prose.
    ['```JSON\n[{"name": "f", "arguments": {"a": 1}}]\n```', 'tolerant', [f1]],
    ['````\n[{"name": "f", "arguments": {"a": 1}}]\n````', 'tolerant', [f1]],
    ['Sure!\n```\n[{"name": "f", "arguments": {"a": 1}}]\n```\nDone.', 'tolerant', [f1]],
    ['As [1] says, {x} is [0, 1): [{"name": "f", "arguments": {"a": 1}}]', 'tolerant', [f1]],
    ['[{"name": "f", "arguments": {"a": 1}}]<|im_end|>', 'tolerant', [f1]],
    ['<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>', 'tolerant', [f1]],
    // One object, several in a row.
    ['{"name": "f", "arguments": {"a": 1}}', 'tolerant', [f1]],
    ['{"name": "f", "arguments": {"a": 1}}\n{"name": "g", "arguments": {}}', 'tolerant', [f1, g]],
    [
      '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call> <tool_call>{"name": "g", "arguments": {}}</tool_call>',
      'tolerant',
      [f1, g],
    ],
    [
      '```\n[{"name": "f", "arguments": {"a": 1}}]\n```\n```json\n[{"name": "g", "arguments": {}}]\n```',
      'tolerant',
      [f1, g],
    ],
    // Other shapes.
    ['[{"name": "f", "parameters": {"a": 1}}]', 'tolerant', [f1]],
    [String.raw`[{"name": "f", "arguments": "{\"a\": 1}"}]`, 'tolerant', [f1]],
    [
      String.raw`[{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]`,
      'tolerant',
      [f1],
    ],
    ['{"type": "function", "name": "f", "parameters": {"a": 1}}', 'tolerant', [f1]],
    ['{"function": {"name": "f", "arguments": {"a": 1}}}', 'tolerant', [f1]],
    ['{"tool_calls": [{"name": "f", "arguments": {"a": 1}}]}', 'tolerant', [f1]],
    [
      '{"role": "assistant", "content": null, "tool_calls": {"name": "f", "arguments": {"a": 1}}}',
      'tolerant',
      [f1],
    ],
    // Python and JavaScript literals.
    ["[{'name': 'f', 'arguments': {'a': 1}}]", 'tolerant', [f1]],
    ['[{name: "f", arguments: {a: 1,},},]', 'tolerant', [f1]],
    ['[{“name”: “f”, “arguments”: {“a”: 1}}]', 'tolerant', [f1]],
    ['[{"name": "f", /* one */ "arguments": {"a": 1}}] // two', 'tolerant', [f1]],
    ['# three\n[{"name": "f", # four\n"arguments": {"a": 1}}]', 'tolerant', [f1]],
    [
      String.raw`[f(a=[True, False, None, (1, 2), (1,), (1), ()], b='it\'s "x" \u00e9\x41', c="""say "hi" now""", d=+.5)]`,
      'tolerant',
      [
        call('f', {
          a: [true, false, null, [1, 2], [1], 1, []],
          b: 'it\'s "x" éA',
          c: 'say "hi" now',
          d: 0.5,
        }),
      ],
    ],
    [
      '[{"name": "f", "arguments": {"a": "line\nbreak"}}]',
      'tolerant',
      [call('f', { a: 'line\nbreak' })],
    ],
    // Python calls.
    ['[f(a=1), g()]', 'tolerant', [f1, g]],
    ['I will do [a.b.c(a = 1)] now', 'tolerant', [call('a.b.c', { a: 1 })]],
    ['f(a=1)', 'tolerant', [f1]],
    ['I call\n```python\nf(a=1)\ng()\n```', 'tolerant', [f1, g]],
    ['<tool_call>f(a=1)</tool_call>', 'tolerant', [f1]],
    ['f(a=1), get-time()', 'tolerant', [f1, call('get-time')]],
    ['print(f(a=1))', 'tolerant', [f1]],
    ['```tool_code\nprint(f(a=1))\nprint( g() )\n```', 'tolerant', [f1, g]],
    ['[print(f(a=1)), g()]', 'tolerant', [f1, g]],
    // Reasoning.
    ['<think>[g()]</think>\n[{"name": "f", "arguments": {"a": 1}}]', 'tolerant', [f1]],
    ['<think>Not g, for example. What is a?</think>f(a=1)', 'tolerant', [f1]],
    ['<THINKING>[g()</THINKING> Sure: <scratchpad>{</scratchpad>[f(a=1)]', 'tolerant', [f1]],
    ['<draft>[g()]</draft><final>[f(a=1)]</final>', 'tolerant', [f1]],
    ['[f(a=1)]<reasoning>g()</reasoning>\n[g()]', 'tolerant', [f1, g]],
    ['I could call [g()].</think>f(a=1)', 'tolerant', [f1]],
    ['[]\n</think>\n</think>[f(a=1)]', 'tolerant', [f1]],
    [
      '{"name": "f", "arguments": {"a": "<think>1</think>"}}',
      'tolerant',
      [call('f', { a: '<think>1</think>' })],
    ],
    ['[f(a="</think>")]', 'tolerant', [call('f', { a: '</think>' })]],
    // Prose that takes nothing back.
    ['Sure, here is the call: [f(a=1)]', 'tolerant', [f1]],
    ["I'll use f for this: [f(a=1)]", 'tolerant', [f1]],
    ['To do this, we need to call the function f in JSON format: [f(a=1)]', 'tolerant', [f1]],
    ['I do not know the weather, so I ask: [f(a=1)]', 'tolerant', [f1]],
    [
      'From example.com/?q=1, nothing is missing. No other tools are needed: [f(a=1)]',
      'tolerant',
      [f1],
    ],
    ['[f(a=1)]\nIs there anything else you need? Let me know if you want more.', 'tolerant', [f1]],
    // The same tool, and the same call in one list.
    [
      '{"name": "f", "arguments": {"a": 1}}\n{"name": "f", "arguments": {}}',
      'tolerant',
      [f1, call('f')],
    ],
    [
      '[{"name": "f", "arguments": {"a": 1}}, {"name": "f", "arguments": {"a": 1}}]',
      'strict',
      [f1, f1],
    ],
    ['[f(a=1), f(a=1)]', 'tolerant', [f1, f1]],
    ['The list arr[] holds more: [f(a=1)]', 'tolerant', [f1]],
    // Brackets too few at the end, outside of arguments; and too many.
    ['[{"name": "f", "arguments": {"a": 1}}', 'tolerant', [f1]],
    ['```\n[{"name": "f", "arguments": {"a": 1}\n```', 'tolerant', [f1]],
    ['{"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}', 'tolerant', [f1]],
    ['[f(a=1)', 'tolerant', [f1]],
    ['[{"name": "f", "arguments": {"a": 1}}]]', 'tolerant', [f1]],
  ])('reads %j', (answer, parser, calls) => {
    expect(read(answer)).toEqual({ outcome: 'calls', parser, calls });
  });

  it('keeps prototype names as own keys', () => {
    const tools = ['__proto__', 'constructor'].map((name) => ({
      name,
      description: '',
      parameters: { type: 'object' },
    }));
    const answer = read(
      "[__proto__(__proto__={'__proto__': 1}, toString=2), constructor()]",
      tools,
    );
    if (answer.outcome !== 'calls') throw new Error(answer.outcome);
    const [first, second] = answer.calls;
    expect([first?.name, second?.name]).toEqual(['__proto__', 'constructor']);
    const values = first?.arguments ?? {};
    expect(Object.keys(values)).toEqual(['__proto__', 'toString']);
    expect(Object.getPrototypeOf(values)).toBe(Object.prototype);
    expect(JSON.stringify(values)).toBe('{"__proto__":{"__proto__":1},"toString":2}');
  });

  it('converts no value to what the schema wants', () => {
    expect(read('[get_weather(city=5)]').outcome).toBe('invalid');
    expect(read('[get_weather(city="Oslo", days="5")]').outcome).toBe('invalid');
  });
});

describe('readAnswer, other outcomes', () => {
  it.each([
    ['[]', 'strict'],
    ['```json\n[]\n```', 'strict'],
    ['No function fits. []', 'tolerant'],
    ['```python\n[]\n```', 'tolerant'],
    ['{"tool_calls": []}', 'tolerant'],
    ['{"tool_calls": null}', 'tolerant'],
    ['<think>[f(a=1)]</think>\n[]', 'tolerant'],
    ['No function can be used.\n[]\nSorry for that.', 'tolerant'],
    ['Answer: [], as no function can be used.', 'tolerant'],
    ['[] is what I say.', 'tolerant'],
    ['Sorry ```json []``` it is.', 'tolerant'],
    ['Nothing fits: <tool_call>[]</tool_call>', 'tolerant'],
    ['I answer `[]`.<|im_end|>', 'tolerant'],
  ])('takes %j for irrelevant', (answer, parser) => {
    expect(read(answer)).toEqual({ outcome: 'irrelevant', parser });
  });

  it.each([
    "I'm sorry, none of the functions can be used.",
    'It is 5 °C in Oslo [1].',
    'The record is {"name": "Bob", "age": 5}, in the interval [0, 1).',
    'get_weather() tells the weather.',
    'See [the docs](https://example.com/a(b)).',
    'arr[] = 5',
    'It returns [] or a list.',
    'Write int arr[]',
    'Write f([])',
    'get_weather(city) tells the weather.',
    'print(len(x))\nprints it.',
    'foo(city=Oslo)\nis none of the tools.',
  ])('takes %j for an answer', (answer) => {
    expect(read(answer)).toEqual({ outcome: 'answer', text: answer });
  });

  it('gives an answer without its reasoning', () => {
    expect(read('<think>[f(a=1)], or g()?</think>It is cold.')).toEqual({
      outcome: 'answer',
      text: 'It is cold.',
    });
    expect(read('Hm.</think>It <think></think>is cold.')).toEqual({
      outcome: 'answer',
      text: 'It is cold.',
    });
  });

  it.each([
    // Reasoning.
    ['<think>[f(a=1)]', 'reasoning does not end'],
    ['[f(a=1)]\n<think>[g()]', 'reasoning does not end'],
    ['<think>[f(a=1)]</reasoning>[g()]', 'reasoning does not end'],
    ['<think>[f(a=1)]</think>', 'says nothing'],
    // Prose that takes calls back.
    ['No tool fits this; the format would be [f(a=1)]', 'says "No tool"'],
    ['Do not call [f(a=1)] please', 'says "not call"'],
    ['Do not call\nf(a=1)', 'says "not call"'],
    ['Example: [f(a=1)]. What is your amount?', 'says "Example"'],
    ['[f(a=1)] Which city do you mean?', 'says "Which city do you mean?"'],
    ['[f(a=1)] 何ですか？', '？"'],
    ['[f(a=1)] Please provide the city.', 'says "Please provide"'],
    ['The city is missing. [f(a=1)]', 'says "is missing"'],
    ["I can't use that tool: [f(a=1)]", "n't use"],
    ['A call looks like this: [f(a=1)]', 'says "looks like this"'],
    ['Format: [f(a=1)]', 'says "Format:"'],
    ['You could call [f(a=1)]', 'says "You could call"'],
    ['If you confirm: [f(a=1)]', 'says "If you confirm"'],
    ['[f(a=1)] Scratch that.', 'says "Scratch that"'],
    // Calls that stand twice, or beside a refusal.
    ['[f(a=1)]\n[f(a=1)]', 'the same call stands twice'],
    ['[f(a=1, b=2)]\n[g(), f(b=2, a=1)]', 'the same call stands twice'],
    ['f(a=1)\nf(a=1)', 'the same call stands twice'],
    [
      '{"name": "f", "arguments": {"a": {"b": 1, "c": 2}}}\n{"arguments": {"a": {"c": 2, "b": 1}}, "name": "f"}',
      'the same call stands twice',
    ],
    ['[f(a=1)][]', 'an empty list'],
    ['[f(a=1)]\n\n[]', 'an empty list'],
    ['[]\n[f(a=1)]', 'an empty list'],
    ['{"tool_calls": []} [f(a=1)]', 'an empty list'],
    ['[f(a=1)] or rather []', 'an empty list'],
    // Bare calls that cannot be read.
    ['get_weather(city=Oslo)', 'the word Oslo without quotes'],
    ['I call it:\n```\nget_weather(\n  city=Oslo,\n)\n```', 'the word Oslo without quotes'],
    ['<tool_call>get_weather(city=Oslo (NO))</tool_call>', 'the word Oslo without quotes'],
    ['```tool_code\nprint(get_weather(city=Oslo))\n```', 'the word Oslo without quotes'],
    ["print(get_weather('Oslo'))", 'an argument without its name'],
    ['print(f(a=1), g())', 'more than a call in print()'],
    [`Well:\nprint(f"It is {get_weather(city='Oslo')}")`, 'the word f without quotes'],
    // Keys given twice.
    ['[{"name": "f", "arguments": {"a": 1, "a": 2}}]', 'the key "a" given twice'],
    ["{'name': 'f', 'name': 'g', 'arguments': {}}", 'the key "name" given twice'],
    ['[{"name": "f", "arguments": {}, "arguments": {"a": 1}}]', 'the key "arguments" given twice'],
    // Cut: within a value, within arguments, behind a comma.
    ['[{"name": "f", "arguments": {"a": 1}}, {"na', 'does not end'],
    ['[{"name": "f", "arguments": {"a": 1}},', 'no value, at the end'],
    ['[{"name": "f", "arguments": {"a": "x"', 'no "," or "}", at the end'],
    ['[{"name": "f", "arguments": {"a": [1, 2', 'no "," or "]", at the end'],
    ['[{"name": "f", "arguments": {"a": 1', 'no "," or "}", at the end'],
    ['[{"name": "f", "arguments": {}}, {"name": "g"', 'call 2 has no arguments object'],
    [String.raw`[{"name": "f", "arguments": "{\"a\": 1"}]`, 'no arguments object'],
    ['[f(a=1), g(b=', 'at the end'],
    ['f(a=1', 'at the end'],
    ['[', 'at the end'],
    // Calls that would be lost.
    ['Either [f(a=1)] or [g()].', 'two places'],
    ['[f(a=1)] / [g()]', 'two places'],
    ['~~[f(a=1)]~~ [g()]', 'two places'],
    ['<first>[f(a=1)]</first><last>[g()]</last>', 'two places'],
    ['<tool_response>[f(a=1)]</tool_response>', 'it says nothing'],
    ['[f(a=1)]\nthen f(a=2)', 'within the prose'],
    ['[{"name": "f", "arguments": {}}, 5]', 'call 2 is not an object'],
    ['f(a=1), g(b=x)', 'the word x without quotes'],
    ['f(a=1), g() and more', 'behind a call'],
    // Values that would be guessed.
    ['[{"name": "f", "arguments": {"a": 9007199254740993}}]', 'the number 9007199254740993'],
    ['[f(a=9007199254740993)]', 'the number 9007199254740993'],
    ['[{"name": "f", "arguments": {"a": 1e999}}]', 'the number 1e999'],
    ['[{"name": "f", "arguments": {"a": NaN}}]', 'the word NaN without quotes'],
    ['[{"name": "f", "arguments": {"a": 1_000}}]', 'at "_000'],
    ['[{"name": "f", "arguments": {"a": 007}}]', 'at "07'],
    [String.raw`[{"name": "f", "arguments": {"a": "\d"}}]`, 'an unknown escape'],
    ['[f(a=1+2)]', 'at "+2)]"'],
    ['[f(a=g(b=1))]', 'the word g without quotes'],
    ['[f(a=1, a=2)]', 'the argument "a" given twice'],
    ['f(1, 2)', 'an argument without its name'],
    ["[{'name': 'f', 'arguments': {'a': 'it's'}}]", `at "s'}}]"`],
    // Shapes that are no call.
    ['', 'it says nothing'],
    [' \n```json\n```', 'it says nothing'],
    ['null', 'it says nothing'],
    ['[{}]', 'call 1 has no name'],
    ['[1, 2]', 'call 1 is not an object'],
    ['[f g(a=1)]', 'the word f without quotes'],
    ['{"name": "f", "arguments": {}, "unit": "F"}', 'unknown member "unit"'],
    ['{"name": "f", "arguments": {}, "id": 5}', 'unknown member "id"'],
    ['{"name": "f", "arguments": {}, "parameters": {}}', 'unknown member "parameters"'],
    ['{"tool_calls": [], "name": "f"}', '"name" stands beside'],
    ['Well: {"name": "f", "args": {"a": 1}}', 'unknown member "args"'],
    [`[{"name": "f", "arguments": {"a": ${'['.repeat(70)}1${']'.repeat(70)},}}]`, 'levels'],
  ])('refuses %j', (answer, reason) => {
    expect(read(answer)).toEqual({
      outcome: 'invalid',
      reason: expect.stringContaining(reason),
      faults: [],
    });
  });

  it('tells the faults of calls that the check refuses', () => {
    const answer = read('[f(), get_weather(city=5, x=1), nothing()]');
    expect(answer).toEqual({
      outcome: 'invalid',
      reason: expect.stringMatching(/^Call 2, of "get_weather": .*\. Call 3, of "nothing": .*\.$/),
      faults: [
        expect.objectContaining({ pointer: '/1/arguments/x' }),
        expect.objectContaining({ pointer: '/1/arguments/city' }),
        expect.objectContaining({ pointer: '/2/name' }),
      ],
    });
  });

  it('bounds what goes back to the model', () => {
    const name = 'x'.repeat(1_000);
    const answer = read(JSON.stringify(Array.from({ length: 1_000 }, () => call(name))));
    if (answer.outcome !== 'invalid') throw new Error(answer.outcome);
    expect(answer.faults).toHaveLength(20);
    expect(answer.reason.length).toBeLessThanOrEqual(2_000);
  });
});

describe('readAnswer, needs_input', () => {
  const flight = tool('book_flight', { from: text, to: text, date: text, 'a/b': text }, [
    'from',
    'to',
    'date',
  ]);
  const odd = tool('odd', { 'a/~b': text, maybe: text, any: {} }, ['a/~b', 'any']);
  const tools = [weather, flight, odd, tool('now')];

  it.each([
    ['[{"name": "get_weather", "arguments": {}}]', 'strict', 'get_weather', ['city']],
    ['[{"name": "get_weather", "arguments": {"city": null}}]', 'strict', 'get_weather', ['city']],
    ['[now(), get_weather(days=2)]', 'tolerant', 'get_weather', ['city']],
    ['[book_flight(to="Rome"), get_weather()]', 'tolerant', 'book_flight', ['from', 'date']],
    ['[{"name": "odd", "arguments": {"any": null}}]', 'strict', 'odd', ['a/~b']],
    // In words.
    ['Please provide the city.', 'tolerant', 'get_weather', ['city']],
    ['The parameter `city` is missing. []', 'tolerant', 'get_weather', ['city']],
    ['Where to? I need you to tell me "to" and "from".', 'tolerant', 'book_flight', ['from', 'to']],
    [
      'To use book_flight, could you please specify the date? Today is fine.',
      'tolerant',
      'book_flight',
      ['date'],
    ],
    ['The city was not given, so I cannot look.', 'tolerant', 'get_weather', ['city']],
    ['<think>No tool fits?</think>Please provide the city.', 'tolerant', 'get_weather', ['city']],
  ])('reads %j', (answer, parser, name, parameters) => {
    expect(read(answer, tools)).toEqual({ outcome: 'needs_input', parser, tool: name, parameters });
  });

  it.each([
    // More is wrong than what is missing.
    ['[get_weather(days="2")]', 'invalid'],
    ['[get_weather(), now(x=1)]', 'invalid'],
    ['[get_weather(city="Oslo", days=None)]', 'invalid'],
    ['[odd(any=1, maybe=None)]', 'invalid'],
    // Words that only resemble a request.
    ['The city is large.', 'answer'],
    ['<think>Please provide the city.</think>It is large.', 'answer'],
    ['Please provide the velocity.', 'answer'],
    ['The city is not needed.', 'answer'],
    ['None of the functions can be used, and the city is missing. []', 'irrelevant'],
    ['Nothing is missing from this. The city is Oslo.', 'answer'],
    ['More is needed to go from here to there.', 'answer'],
    ['For book_flight and get_weather, please provide the city.', 'answer'],
    ['For now, please provide the city.', 'answer'],
    [`Please provide the city.${' x'.repeat(1_000)}`, 'answer'],
  ])('takes %j for no request', (answer, outcome) => {
    expect(read(answer, tools).outcome).toBe(outcome);
  });

  it('asks nothing if two tools could be meant', () => {
    const two = [weather, tool('get_time', { city: text }, ['city'])];
    expect(read('Please provide the city.', two).outcome).toBe('answer');
    expect(read('Please provide the city for get_time.', two)).toMatchObject({ tool: 'get_time' });
  });
});

describe('readAnswer, golden vectors', () => {
  type Value = Record<string, ParsedCall['arguments']>[];
  interface Vector {
    kind: string;
    text: string;
    expect: { bfcl_python_ast?: { value?: Value } };
  }
  const file = new URL('../../../test/vectors/parse.jsonl', import.meta.url);
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const vectors = lines.map((line) => JSON.parse(line) as Vector);
  const ofKind = (kind: RegExp) => vectors.filter((vector) => kind.test(vector.kind));

  /** Tools that take just these calls. */
  function toolsFor(calls: readonly ParsedCall[]): ToolDefinition[] {
    return calls.map(({ name, arguments: values }) => {
      const properties = Object.fromEntries(Object.keys(values).map((key) => [key, {}]));
      return tool(name, properties, Object.keys(values));
    });
  }

  function expectCalls(answer: string, calls: readonly ParsedCall[]) {
    const outcome = calls.length === 0 ? { outcome: 'irrelevant' } : { outcome: 'calls', calls };
    expect({ answer, ...read(answer, toolsFor(calls)) }).toMatchObject({ answer, ...outcome });
  }

  it('of JSON, in any fence and prose', () => {
    const cases = ofKind(/^(?:valid.*|hammer-label|prose|fences)$/);
    for (const { text: answer } of cases) {
      const isTwo = answer.includes('```\n```');
      const lists = isTwo ? answer.split('```\n```') : [answer];
      const calls = lists.flatMap(
        (list) =>
          JSON.parse(list.slice(list.indexOf('['), list.lastIndexOf(']') + 1)) as ParsedCall[],
      );
      expectCalls(answer, calls);
    }
    expect(cases.length).toBeGreaterThan(50);
  });

  it('in single quotes', () => {
    const cases = ofKind(/^single-quoted$/);
    for (const { text: answer } of cases) {
      const list = answer.slice(answer.indexOf('['), answer.lastIndexOf(']') + 1);
      expectCalls(answer, JSON.parse(list.replaceAll("'", '"')) as ParsedCall[]);
    }
    expect(cases.length).toBeGreaterThan(5);
  });

  it('in the style of Python, as the original reads them', () => {
    // There the original computes (1+2, -5 for +5), drops (f(1, 2)) or turns code into text; we refuse or say 5.
    const rewritten = /\d\+\d|[+~]5|not |g\(|\w\[|f\(1,|2:|00\)/;
    const cases = ofKind(/^python-call$/).filter(({ text: answer }) => !rewritten.test(answer));
    let count = 0;
    for (const {
      text: answer,
      expect: { bfcl_python_ast: original },
    } of cases) {
      if (original?.value === undefined) continue;
      const json = JSON.stringify(original.value);
      const value = JSON.parse(json.replaceAll(/\{"__tuple__":(\[.*?\])\}/g, '$1')) as Value;
      expectCalls(
        answer,
        value.flatMap((element) =>
          Object.entries(element).map(([name, values]) => call(name, values)),
        ),
      );
      count++;
    }
    expect(count).toBeGreaterThan(20);
  });

  it('in the style of Python, where fences, quotes or tags stop the original', () => {
    const cases = ofKind(/^python-call$/).filter(({ text: answer }) =>
      /^(?:'|`{3}python\n|<TOOLCALL>)\[/.test(answer),
    );
    for (const { text: answer } of cases) {
      const list = answer.slice(answer.indexOf('['), answer.lastIndexOf(']') + 1);
      const found = readAnswer(answer, { tools: [], check: () => [] });
      if (found.outcome !== 'calls') throw new Error(answer);
      expect(writePython(found.calls)).toBe(list.replaceAll(/(?<=\d)\.0\b/g, ''));
    }
    expect(cases.length).toBeGreaterThan(5);
  });

  it('that are cut short, never as calls', () => {
    const cases = ofKind(/^truncated$/);
    for (const { text: answer } of cases) {
      const { outcome } = readAnswer(answer, { tools: [], check: () => [] });
      expect({ answer, outcome }).toEqual({ answer, outcome: 'invalid' });
    }
    expect(cases.length).toBeGreaterThan(5);
  });
});
