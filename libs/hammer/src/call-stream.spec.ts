import type { CallDelta } from '#libs/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzzRuns } from '../../../test/support/fuzz.js';
import { CallStream } from './call-stream.js';

interface Read {
  /** Name, joined text of the arguments, and whether the end was given, per call. */
  calls: { name: string; text: string; ended: boolean }[];
  isComplete: boolean;
  failure: string | undefined;
}

/** Feeds the chunks, and holds every delta to the order that CallDelta promises. */
function read(chunks: Iterable<string>): Read {
  const stream = new CallStream();
  const calls: Read['calls'] = [];
  for (const chunk of chunks) {
    for (const delta of stream.push(chunk)) {
      const last = calls.at(-1);
      const isNext = last?.ended ?? true;
      if (isNext !== (delta.type === 'name')) throw new Error(`${delta.type} out of order`);
      if (delta.index !== calls.length - (isNext ? 0 : 1)) throw new Error('wrong index');
      if (delta.type === 'name') calls.push({ name: delta.name, text: '', ended: false });
      else if (last !== undefined && delta.type === 'arguments') last.text += delta.text;
      else if (last !== undefined) last.ended = true;
    }
  }
  return { calls, isComplete: stream.isComplete, failure: stream.failure };
}

/** Cut at these points, or without any between each two units. */
function cut(text: string, cuts: readonly number[]): string[] {
  if (cuts.length === 0) return text.split('');
  const points = cuts.map((at) => at % (text.length + 1)).toSorted((a, b) => a - b);
  return [0, ...points].map((start, index) => text.slice(start, points[index]));
}

const cuts = fc.array(fc.nat(), { maxLength: 40 });
/** Any UTF-16 units, mostly ASCII. */
const garbage = fc
  .array(fc.oneof(fc.nat({ max: 0x7f }), fc.nat({ max: 0xffff })), { maxLength: 4 })
  .map((units) => String.fromCharCode(...units));
const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\t', '\r'), maxLength: 3 });
const text = fc.string({
  unit: fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
    fc.constantFrom('"', '\\', '`', '```', '{', '}', '\n', '\u0000', '\ud83d', '\ude00', '😀'),
  ),
});
const argumentsOfCall = fc.dictionary(text, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 3 });
const layout = fc.record({
  fence: fc.constantFrom('', '```', '```json'),
  isIndented: fc.boolean(),
  isEscaped: fc.boolean(),
  spaces: fc.tuple(space, space, space, space, space),
  alone: fc.boolean(),
});
const callList = fc.array(
  fc.record({
    name: text.filter((name) => name !== ''),
    arguments: argumentsOfCall,
    isReversed: fc.boolean(),
  }),
  { maxLength: 4 },
);

/** A call list as a model could write it, and the text of the arguments as it stands in it. */
const answer = fc.tuple(callList, layout).map(([list, style]) => {
  const [a, b, c, d, e] = style.spaces;
  const write = (value: unknown): string => {
    const json = JSON.stringify(value, null, style.isIndented ? 2 : 0);
    if (!style.isEscaped) return json;
    return json.replace(
      /[\u007f-\uffff]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  };
  const calls = list.map(({ name, arguments: values, isReversed }) => {
    const members = [`"name"${a}:${b}${write(name)}`, `"argum\\u0065nts"${c}:${write(values)}`];
    if (isReversed) members.reverse();
    return { name, text: write(values), json: `{${d}${members.join(`${e},${a}`)}${b}}` };
  });
  const isAlone = style.alone && calls.length === 1;
  const json = calls.map((call) => call.json).join(`${c},${d}`);
  const body = isAlone ? json : `[${e}${json}${a}]`;
  const closing = style.fence === '' ? '' : '```';
  return { calls, text: `${b}${style.fence}${c}${body}${d}${closing}${e}` };
});

describe('CallStream', () => {
  it('gives a name when it is whole, and arguments as they come', () => {
    const stream = new CallStream();
    const steps: [string, CallDelta[]][] = [
      ['```json\n[{"na', []],
      ['me": "get', []],
      ['_x"', [{ type: 'name', index: 0, name: 'get_x' }]],
      [', "arguments": {"a', [{ type: 'arguments', index: 0, text: '{"a' }]],
      ['": 1', [{ type: 'arguments', index: 0, text: '": 1' }]],
      ['}', [{ type: 'arguments', index: 0, text: '}' }]],
      ['}, {"arguments": {"b": [', [{ type: 'end', index: 0 }]],
      [']}, "name": "y', []],
      [
        '"}]\n```',
        [
          { type: 'name', index: 1, name: 'y' },
          { type: 'arguments', index: 1, text: '{"b": []}' },
          { type: 'end', index: 1 },
        ],
      ],
    ];
    for (const [chunk, deltas] of steps) {
      expect(stream.isComplete).toBe(false);
      expect(stream.push(chunk)).toEqual(deltas);
    }
    expect(stream.isComplete).toBe(true);
    expect(stream.failure).toBeUndefined();
  });

  it('cuts no surrogate pair', () => {
    const stream = new CallStream();
    stream.push('[{"name": "f", "arguments": {"a": "');
    expect(stream.push('x\ud83d')).toEqual([{ type: 'arguments', index: 0, text: 'x' }]);
    expect(stream.push('\ude00')).toEqual([{ type: 'arguments', index: 0, text: '😀' }]);
    expect(stream.push('\ud83d')).toEqual([]);
    expect(stream.push('\n')).toEqual([{ type: 'arguments', index: 0, text: '\ud83d' }]);
  });

  it.each(['[]', ' [ ] ', '```\n[]\n```', '```json[]```'])('reads %j as no call', (whole) => {
    expect(read([whole])).toEqual({ calls: [], isComplete: true, failure: undefined });
  });

  it('keeps what it gave when the form breaks, and stops for good', () => {
    const { calls, isComplete, failure } = read([
      '[{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {"b": 0',
      '1}}]',
      '[{"name": "h", "arguments": {}}]',
    ]);
    expect(calls).toEqual([
      { name: 'f', text: '{"a": 1}', ended: true },
      { name: 'g', text: '{"b": 0', ended: false },
    ]);
    expect(isComplete).toBe(false);
    expect(failure).toBe('expected JSON to go on at character 73');
  });

  it.each([
    ['Sure: []', 0],
    ['\ufeff[]', 0],
    ['5', 0],
    ['[5]', 1],
    ['[{}]', 2],
    ['[{"name": 5}]', 10],
    ['[{"name": "", "arguments": {}}]', 12],
    ['[{"name": "f"}]', 13],
    ['[{"name": "f", "name": "g"}]', 21],
    ['[{"name": "f", "id": 1}]', 19],
    ['[{"name": "f", "arguments": []}]', 28],
    ['[{"name": "f", "arguments": "{}"}]', 28],
    ['[{"name": "f", "arguments": {"a": NaN}}]', 34],
    ['[{"name": "f", "arguments": {"a": 1,}}]', 36],
    ['[{"name": "f", "arguments": {"a": [1,]}}]', 37],
    ['[{"name": "f", "arguments": {"a": [1}}}]', 36],
    ['[{"name": "f", "arguments": {}, "id": 1}]', 30],
    ['[{"name": "f", "arguments": {}},]', 32],
    ['[]]', 2],
    ['[]```', 2],
    ['```JSON\n[]', 3],
    ['```python', 3],
    ['````', 3],
    ['```[]\n`` `', 8],
  ])('fails on %j at character %i', (broken, at) => {
    const { failure, isComplete } = read([broken]);
    expect(failure).toMatch(new RegExp(` at character ${at}$`));
    expect(isComplete).toBe(false);
    expect(read(broken)).toEqual(read([broken]));
  });

  it('does not take a beginning for the whole', () => {
    const whole = '```json\n[{"name": "f", "arguments": {"a": "\\u00e9"}}]\n```';
    for (let end = 0; end < whole.length; end++) {
      expect(read([whole.slice(0, end)])).toMatchObject({ isComplete: false, failure: undefined });
    }
    expect(read([whole]).isComplete).toBe(true);
  });

  it('reads every list of calls, however it is written and cut', () => {
    fc.assert(
      fc.property(answer, cuts, (sample, points) => {
        // The text of the arguments is the one written, so that it also parses to them.
        expect(read(cut(sample.text, points))).toEqual({
          calls: sample.calls.map((call) => ({ name: call.name, text: call.text, ended: true })),
          isComplete: true,
          failure: undefined,
        });
      }),
      { seed: 4, numRuns: fuzzRuns() },
    );
  });

  it('reads damaged answers alike, however they are cut', () => {
    const damaged = fc
      .tuple(answer, fc.nat(), fc.nat({ max: 3 }), garbage)
      .map(([sample, at, length, patch]) => {
        const start = at % (sample.text.length + 1);
        return sample.text.slice(0, start) + patch + sample.text.slice(start + length);
      });
    fc.assert(
      fc.property(damaged, cuts, (broken, points) => {
        const result = read([broken]);
        expect(read(cut(broken, points))).toEqual(result);
        expect(result.isComplete).toBe(formOf(broken));
        for (const call of result.calls.filter(({ ended }) => ended)) JSON.parse(call.text);
      }),
      { seed: 4, numRuns: fuzzRuns() },
    );
  });

  it('takes any text', () => {
    const soup = fc.string({
      unit: fc.constantFrom(
        '```',
        'json',
        '[',
        ']',
        '{',
        '}',
        '"',
        ':',
        ',',
        '\\',
        'u',
        '0',
        '-',
        '1',
        '.',
        'e',
        'true',
        '"name"',
        '"arguments"',
        ' ',
        '\ud83d',
      ),
      maxLength: 30,
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(soup, garbage)), (chunks) => {
        const whole = chunks.join('');
        expect(read(chunks).isComplete).toBe(formOf(whole));
      }),
      { seed: 4, numRuns: fuzzRuns() },
    );
  });

  it('follows JSON exactly as far as JSON.parse would', () => {
    const anyOf = (tokens: string, maxLength: number) =>
      fc.array(fc.constantFrom(...tokens.split('|')), { maxLength });
    const value = fc.oneof(
      anyOf('{|}|[|]|:|,|"a"|"|true|nul|l| |\n|\u00a0|-1|0.5', 8),
      anyOf('0|1|9|.|e|E|+|-', 6),
      anyOf("\\|n|u|00e9|x|'|\t|\u001f|\u007f", 4).map((tokens) => ['"', ...tokens, '"']),
    );
    fc.assert(
      fc.property(value, (tokens) => {
        const values = `{"a":${tokens.join('')}}`;
        const { isComplete } = read([`{"name":"f","arguments":${values}}`]);
        expect(isComplete).toBe(formOf(`{"name":"f","arguments":${values}}`));
      }),
      { seed: 4, numRuns: fuzzRuns() * 3 },
    );
  });

  it('needs time linear in the text', () => {
    const megabyte = 1 << 20;
    const answers = [
      `[{"name": "f", "arguments": {"a": "${'x'.repeat(megabyte)}"}}]`,
      `[{"arguments": {"a": "${'\\"'.repeat(megabyte / 2)}"}, "name": "f"}]`,
      `[{"name": "f", "arguments": {"a": ${'['.repeat(megabyte / 2)}${']'.repeat(megabyte / 2)}}}]`,
      `[{"name": "${'n'.repeat(megabyte)}", "arguments": {"a": ${'1'.repeat(megabyte)}}}]`,
      `[${' '.repeat(megabyte)}]`,
    ];
    const start = performance.now();
    for (const whole of answers) {
      const stream = new CallStream();
      for (let at = 0; at < whole.length; at += 16) stream.push(whole.slice(at, at + 16));
      expect(stream.isComplete).toBe(true);
    }
    // Quadratic, each would take minutes.
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

/** Whether a text is of the form, found out another way: from the whole, by JSON.parse. */
function formOf(whole: string): boolean {
  const body = /^[ \n\r\t]*```(?:json)?([^]*)```[ \n\r\t]*$/.exec(whole)?.[1] ?? whole;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return false;
  }
  const list = Array.isArray(value) ? (value as unknown[]) : [value];
  return list.every(isCall) && memberCount(body, Array.isArray(value) ? 2 : 1) === list.length * 2;
}

function isCall(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { name, arguments: values } = value as { name?: unknown; arguments?: unknown };
  const isNamed = typeof name === 'string' && name !== '';
  return isNamed && typeof values === 'object' && values !== null && !Array.isArray(values);
}

/** Members at a depth of a JSON text, as written: JSON.parse says nothing of repeated ones. */
function memberCount(json: string, depth: number): number {
  let level = 0;
  let count = 0;
  for (const char of json.replaceAll(/"(?:[^"\\]|\\.)*"/g, '')) {
    if (char === '{' || char === '[') level++;
    if (char === '}' || char === ']') level--;
    if (char === ':' && level === depth) count++;
  }
  return count;
}
