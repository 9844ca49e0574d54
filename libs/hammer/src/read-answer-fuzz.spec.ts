import type { Fault, ToolDefinition } from '#libs/contracts';
import { dumps, repr } from '#libs/pyjson';
import { compileValidators } from '#libs/tools';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzzRuns } from '../../../test/support/fuzz.js';
import { type ParsedCall, parseCalls } from './parse.js';
import { parseTolerant } from './parse-tolerant.js';
import { type Answer, readAnswer } from './read-answer.js';

const numRuns = fuzzRuns();
const seed = 241004587;

/** Pieces that could lead a reader of answers astray, as values and as mutations. */
const pieces = [
  ...'[ ] { } ( ) , : = " \' \\ ` “ ” # / * < | . [{ }] [] {} () [[ // /* */ """ \'\'\' ```'.split(
    ' ',
  ),
  ...'<tool_call> </tool_call> <|im_end|> name "name" "arguments": {\'name\': "f" f( [f( a= f(a=1)'.split(
    ' ',
  ),
  ...'null None True 0 -5 1e999 99999999999999999999 \\u00 \\u0041 \\x é 名 😀 {"tool_calls":['.split(
    ' ',
  ),
  '```json\n',
  '\n',
  ' ',
  '\u00a0',
  ' and then ',
  '<think>',
  '</think>',
  'print(',
];
const harmful = [...pieces, '\ud800', '\u0000'];

const names = 'f get_weather math.add get-time __proto__ constructor 名前 naïve_1'.split(' ');
const keys = 'a city from name arguments __proto__ toString größe $x'.split(' ');

const anyText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.array(fc.constantFrom(...pieces), { maxLength: 4 }).map((parts) => parts.join('')),
);
/** Longer integers are written rounded, and refused. */
const isWritable = (value: number) =>
  !Object.is(value, -0) && (Number.isSafeInteger(value) || value % 1 !== 0);
const anyJson = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  .filter((value) => !/\d{17}/.test(JSON.stringify(value)));

interface Parameter {
  readonly schema: Record<string, unknown>;
  readonly value: fc.Arbitrary<unknown>;
}
const leaf = fc.constantFrom<Parameter>(
  { schema: { type: 'string' }, value: anyText },
  { schema: { type: 'integer' }, value: fc.maxSafeInteger().filter(isWritable) },
  {
    schema: { type: 'number' },
    value: fc.double({ noNaN: true, noDefaultInfinity: true }).filter(isWritable),
  },
  { schema: { type: 'boolean' }, value: fc.boolean() },
  { schema: { type: ['string', 'null'] }, value: fc.option(anyText) },
  { schema: { enum: ['a"b', "it's", '[]', 3] }, value: fc.constantFrom('a"b', "it's", '[]', 3) },
  { schema: {}, value: anyJson },
);
const list = leaf.map(({ schema, value }): Parameter => ({
  schema: { type: 'array', items: schema },
  value: fc.array(value, { maxLength: 3 }),
}));
const record = fc.tuple(leaf, leaf).map(([a, b]): Parameter => {
  const object = (x: unknown, proto: unknown) =>
    Object.fromEntries([
      ['x', x],
      ['__proto__', proto],
    ]);
  return {
    schema: { type: 'object', properties: object(a.schema, b.schema), required: ['x'] },
    value: fc.tuple(a.value, b.value).map(([x, proto]) => object(x, proto)),
  };
});
const parameter = fc.oneof({ arbitrary: leaf, weight: 4 }, list, record);

/** A tool and calls that fit it. */
function drawTool(name: string) {
  const parameters = fc.uniqueArray(fc.tuple(fc.constantFrom(...keys), parameter, fc.boolean()), {
    maxLength: 4,
    selector: ([key]) => key,
  });
  return parameters.map((members) => {
    const definition: ToolDefinition = {
      name,
      description: '',
      parameters: {
        type: 'object',
        properties: Object.fromEntries(members.map(([key, { schema }]) => [key, schema])),
        required: members.filter(([, , isRequired]) => isRequired).map(([key]) => key),
        additionalProperties: false,
      },
    };
    const values = members.map(([key, { value }, isRequired]) =>
      fc.tuple(fc.constant(key), isRequired ? value : fc.option(value, { nil: undefined })),
    );
    const call = fc.tuple(...values).map((drawn): ParsedCall => {
      const given = drawn.filter(([, value]) => value !== undefined);
      return { name, arguments: Object.fromEntries(given) };
    });
    return { definition, call };
  });
}

interface Toolset {
  readonly tools: readonly ToolDefinition[];
  readonly check: (call: ParsedCall) => readonly Fault[];
  readonly calls: fc.Arbitrary<ParsedCall[]>;
}
const anyToolset = fc
  .uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 4 })
  .chain((chosen) => fc.tuple(...chosen.map(drawTool)))
  .map((drawn): Toolset => {
    const tools = drawn.map(({ definition }) => definition);
    const call = fc.oneof(...drawn.map((tool) => tool.call));
    const check = compileValidators(tools).validate;
    return { tools, check, calls: fc.array(call, { maxLength: 3 }) };
  });
/** Drawn once, as compiling validators takes most of the time. */
const toolsets = fc.sample(anyToolset, { numRuns: 30, seed });

function toolsetAt(set: number): Toolset {
  const toolset = toolsets[set];
  if (toolset === undefined) throw new Error(`no toolset ${set}`);
  return toolset;
}

/** `set`: index of a toolset, as a counterexample that shows one whole is not to be read. */
const anySet = fc.nat(toolsets.length - 1);
const validCalls = anySet
  .chain((set) => toolsetAt(set).calls.map((calls) => ({ set, calls })))
  .filter(({ set, calls }) => calls.every((call) => toolsetAt(set).check(call).length === 0));

type Write = (calls: readonly ParsedCall[]) => string;

const withText = ({ name, arguments: values }: ParsedCall) => ({
  name,
  arguments: JSON.stringify(values),
});
const inPython = ({ name, arguments: values }: ParsedCall) => {
  const members = Object.entries(values).map(([key, value]) => `${key}=${repr(value)}`);
  return `${name}(${members.join(', ')})`;
};
const openai = (call: ParsedCall) => ({ type: 'function', function: withText(call) });

const styles: Readonly<Record<string, Write>> = {
  json: (calls) => JSON.stringify(calls),
  spaced: (calls) => dumps(calls),
  indented: (calls) => `\n${JSON.stringify(calls, null, 2)}\n`,
  fenced: (calls) => `\`\`\`\n${JSON.stringify(calls)}\n\`\`\``,
  tagged: (calls) => `\`\`\`JSON\n${JSON.stringify(calls)}\n\`\`\``,
  prose: (calls) => `Here it is: ${JSON.stringify(calls)}\n\nAnything else?`,
  singleQuoted: (calls) => repr(calls),
  python: (calls) => `[${calls.map(inPython).join(', ')}]`,
  parameters: (calls) =>
    JSON.stringify(calls.map((call) => ({ name: call.name, parameters: call.arguments }))),
  text: (calls) => JSON.stringify(calls.map(withText)),
  openai: (calls) => JSON.stringify({ role: 'assistant', tool_calls: calls.map(openai) }),
};
/** These say nothing where there is no call, and are no certain intention where a call stands twice. */
const bareStyles: typeof styles = {
  lines: (calls) => calls.map((call) => JSON.stringify(call)).join('\n'),
  tags: (calls) => calls.map((call) => `<tool_call>\n${dumps(call)}\n</tool_call>`).join('\n'),
  statements: (calls) => `\`\`\`python\n${calls.map(inPython).join('\n')}\n\`\`\``,
};
const allStyles = { ...styles, ...bareStyles };
const anyStyle = fc.constantFrom(...Object.keys(allStyles));

function write(style: string, calls: readonly ParsedCall[]): string {
  const written = allStyles[style]?.(calls);
  if (written === undefined) throw new Error(`no style ${style}`);
  return written;
}

/** What is wrong with the calls of an answer: faults, and numbers that JSON cannot say. */
function unsound(answer: Answer, { check }: Toolset): unknown[] {
  if (answer.outcome !== 'calls') return [];
  const found: unknown[] = answer.calls.flatMap((call) => check(call));
  JSON.stringify(answer.calls, (key, value: unknown) => {
    if (typeof value === 'number' && !Number.isFinite(value)) found.push(key);
    return value;
  });
  return found;
}

/** With the keys of each object in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => [key, sorted(member)] as const);
  return Object.fromEntries(members.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

describe('readAnswer, any calls and texts', () => {
  it.each(Object.keys(allStyles))('reads back what is written: %s', (style) => {
    const property = fc.property(validCalls, ({ set, calls }) => {
      const differ = new Set(calls.map((call) => dumps(sorted(call)))).size === calls.length;
      fc.pre(style in styles || (calls.length > 0 && differ));
      const answer = readAnswer(write(style, calls), toolsetAt(set));
      expect(answer.outcome).toBe(calls.length === 0 ? 'irrelevant' : 'calls');
      if (answer.outcome !== 'calls') return;
      expect(JSON.stringify(answer.calls)).toBe(JSON.stringify(calls));
    });
    // So that all styles together are tried about twice as often as any other property.
    fc.assert(property, { numRuns: Math.ceil(numRuns / 7), seed });
  });

  it('of an answer cut short, gives calls only if none that was begun is lost', () => {
    const property = fc.property(validCalls, anyStyle, fc.nat(), ({ set, calls }, style, cut) => {
      const whole = write(style, calls);
      const part = whole.slice(0, cut % (whole.length + 1));
      const answer = readAnswer(part, toolsetAt(set));
      if (answer.outcome !== 'calls') return;
      const begun = calls.filter((_, index) => {
        const end = commonLength(write(style, calls.slice(0, index)), whole);
        return part.slice(end).replace(/^[\s,]+/, '') !== '';
      });
      expect(answer.calls.length).toBeGreaterThanOrEqual(begun.length);
      const first = calls.slice(0, answer.calls.length);
      expect(JSON.stringify(answer.calls)).toBe(JSON.stringify(first));
    });
    fc.assert(property, { numRuns, seed });
  });

  it('of a mutated answer, gives only calls without faults', () => {
    const mutation = fc.record({
      at: fc.nat(),
      remove: fc.oneof(fc.nat(3), fc.nat(40)),
      // Undefined: what stands there stands twice.
      insert: fc.oneof(fc.constantFrom('', undefined), fc.constantFrom(...harmful)),
    });
    const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 });
    const property = fc.property(
      validCalls,
      anyStyle,
      mutations,
      ({ set, calls }, style, changes) => {
        let text = write(style, calls);
        for (const { at, remove, insert } of changes) {
          const from = at % (text.length + 1);
          const removed = text.slice(from, from + remove);
          const inserted = insert ?? removed + removed;
          text = text.slice(0, from) + inserted + text.slice(from + remove);
        }
        expect(unsound(readAnswer(text, toolsetAt(set)), toolsetAt(set))).toEqual([]);
      },
    );
    fc.assert(property, { numRuns, seed });
  });

  it('of any text, gives only calls without faults', () => {
    const word = fc.constantFrom(...harmful, ...names, ...keys);
    const soup = fc.array(word, { maxLength: 40 }).map((parts) => parts.join(''));
    const units = fc.array(fc.nat(0xffff), { maxLength: 20 });
    const any = fc.oneof(
      units.map((codes) => String.fromCharCode(...codes)),
      soup,
    );
    const property = fc.property(anySet, any, (set, text) => {
      expect(unsound(readAnswer(text, toolsetAt(set)), toolsetAt(set))).toEqual([]);
    });
    fc.assert(property, { numRuns, seed });
  });

  it('reads tolerantly what it reads strictly, as the same calls', () => {
    const loose = fc.record({
      name: fc.oneof(fc.constantFrom(...names), anyText),
      arguments: fc.dictionary(anyText, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 3 }),
    });
    const fitting = validCalls.map(({ calls }) => calls);
    const anyCalls = fc.oneof(fc.array(loose, { maxLength: 3 }), fitting);
    const strictStyle = fc.constantFrom('json', 'spaced', 'indented', 'fenced');
    const property = fc.property(anyCalls, strictStyle, (calls, style) => {
      const text = write(style, calls);
      const strict = parseCalls(text);
      fc.pre(strict.ok);
      expect(parseTolerant(text, new Set())).toEqual({ kind: 'calls', calls: strict.calls, text });
    });
    fc.assert(property, { numRuns, seed });
  });
});

describe('readAnswer, hostile texts', () => {
  const plain = [
    ..."[ { ( ) \" ' \\ ` “ # < a 1 , <b <b> [\" [' [\"\\ [''' [“ [/* {/* [// [# [1, [[], [] [[{ \\\"".split(
      ' ',
    ),
    ...'{"a": [{"a": {a: {\' f( [f( f(a= f(a=1), f. \nf(a=( f()\n <tool_call> <tool_call>f( a(b= '.split(
      ' ',
    ),
    ...'{"name":"f","arguments":{}} {"name":"f","arguments":" [{"name":"f"}]'.split(' '),
    ...'\nf(a=x~\nf(a=x) b~\nprint(f(~\nprint(f(a=1)) ~<think>~</think>~<think>[~<think>a</think>'.split(
      '~',
    ),
    ...'<think>f(a=1)</reasoning>~</think>f(a=x) ~ [] x~:[]x~``` [] a'.split('~'),
    ...' ~\n~[ ~f() ~``` ~```json\n~```\n[~[f(a=1)] x ~city '.split('~'),
  ].filter((piece) => piece !== '');
  /** Behind a good beginning. */
  const inner = [
    '[',
    '"',
    '\\',
    "'",
    '[{"a":',
    'f(',
    '/*',
    '//',
    ' ',
    '\n',
    '9',
    '\\"',
    '},{',
    '[],',
    '<b',
    ...'not ~not a ~no ~format a ~a? ~anything else ~would ~the ~<think>~</think>~<think>[f()]</think>~ []'.split(
      '~',
    ),
  ];
  const heads = [
    '[{"name": "f", "arguments": {"a": ',
    '[{"name": "f", "arguments": {"a": "',
    '[f(a=',
    '[f(), ',
    '[f()] ',
  ];
  const cases = [
    ...plain.map((piece) => ['', piece] as const),
    ...heads.flatMap((head) => inner.map((piece) => [head, piece] as const)),
    ['[', 'f(),'] as const,
    ['[', '{"name": "f", "arguments": {}},'] as const,
  ];
  const parameters = { type: 'object', required: ['city'] };
  const options = { tools: [{ name: 'f', description: '', parameters }], check: () => [] };
  const size = numRuns > 1_000 ? 2 ** 20 : 2 ** 17;

  it.each(cases)('take linear time: %j, then %j × n', (head, piece) => {
    const milliseconds = (length: number) => {
      const text = head + piece.repeat(Math.ceil(length / piece.length));
      const start = performance.now();
      readAnswer(text, options);
      return performance.now() - start;
    };
    // Eight times the text: 8 if linear, 64 if quadratic. Below 3 ms, and once, a measurement is noise.
    const isLinear = () => milliseconds(size) < 24 * Math.max(milliseconds(size / 8), 3);
    expect(isLinear() || isLinear() || isLinear()).toBe(true);
  });
});
