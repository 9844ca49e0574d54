import { HammerlineError } from '#libs/contracts';
import {
  completeAsClient,
  decodeAst,
  decodeExecute,
  parseAsClient,
  parseForMetrics,
} from '#libs/hammer';
import { PyFloat, type PyDict, type PyValue, repr } from '#libs/pyjson';
import type { Suite } from './suite.js';

/** The parsers by their names in the vectors. `bfcl_python_ast` is left out: it is optional, no Hammer model needs it. */
const parsers: readonly (readonly [string, (text: string) => unknown])[] = [
  ['client', parseAsClient],
  ['client_completion', complete],
  ['evaluate', parseForMetrics],
  ['bfcl_decode_ast', decodeAst],
  ['bfcl_decode_execute', decodeExecute],
];

/** Every parser on the text of the case; values are compared by their `repr`, which tells types and key orders apart. */
export const parse: Suite = {
  file: 'parse.jsonl',
  run(vector) {
    const text = vector.get('text');
    const expect = vector.get('expect');
    if (typeof text !== 'string' || !(expect instanceof Map)) throw new Error('not a parse case');
    for (const [name, parser] of parsers) {
      const expected = `${name}: ${describe(expect.get(name))}`;
      const actual = `${name}: ${attempt(parser, text)}`;
      if (actual !== expected) return { expected, actual };
    }
    return undefined;
  },
};

function complete(text: string): PyDict {
  let chats = 0;
  const { toolCalls, content } = completeAsClient(text, () => {
    chats++;
    return '<chat reply>';
  });
  return new Map<string, PyValue>([
    ['tool_calls', toolCalls],
    ['content', content],
    ['chat_calls', chats],
  ]);
}

const raised = 'raises';

function describe(expected: PyValue | undefined): string {
  if (!(expected instanceof Map)) throw new Error('a parser without an expectation');
  return expected.has('raises') ? raised : repr(unwrap(expected.get('value') ?? null));
}

/** Only our own error counts as one: any other is a fault of ours. */
function attempt(parser: (text: string) => unknown, text: string): string {
  try {
    return repr(parser(text));
  } catch (error) {
    if (error instanceof HammerlineError) return raised;
    throw error;
  }
}

const floats = new Map<PyValue | undefined, PyFloat>([
  ['nan', new PyFloat(NaN)],
  ['inf', new PyFloat(Infinity)],
  ['-inf', new PyFloat(-Infinity)],
]);

/** Undoes the vectors' wrappers of what JSON cannot say: floats beyond numbers, dicts with keys that are no texts. */
function unwrap(value: PyValue): unknown {
  if (Array.isArray(value)) return value.map(unwrap);
  if (!(value instanceof Map)) return value;
  const float = floats.get(value.get('__float__'));
  if (float !== undefined) return float;
  const pairs = value.get('__pairs__');
  const members = Array.isArray(pairs) ? pairs.map(pair) : [...value];
  return new Map(members.map(([key, member]) => [unwrap(key), unwrap(member)]));
}

function pair(value: PyValue): [PyValue, PyValue] {
  if (!Array.isArray(value) || value.length !== 2) throw new Error('not a pair');
  const [key = null, member = null] = value;
  return [key, member];
}
