import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loads, type PyDict } from '#libs/pyjson';
import { checkAst } from './check-ast.js';
import { type CallValue, PyTuple } from './python.js';
import { type BfclEntry, readBfcl } from './read-bfcl.js';

const read = (path: string): string =>
  readFileSync(new URL(`../../../test/${path}`, import.meta.url), 'utf8');

/** The categories whose entries are kept in test/data. */
const categories = ['simple_python', 'multiple', 'parallel', 'parallel_multiple'];
const entries = new Map<string, BfclEntry>();
for (const category of categories) {
  const file = `BFCL_v4_${category}.json`;
  const answers = read(`data/bfcl/possible_answer/${file}`);
  for (const entry of readBfcl(read(`data/bfcl/${file}`), answers)) {
    entries.set(entry.id, entry);
  }
}

const vectors = read('vectors/ast_checker.jsonl')
  .trimEnd()
  .split('\n')
  .map((line) => loads(line) as PyDict)
  .filter((vector) => vector.get('language') === 'python');
const inline = vectors.filter((vector) => vector.has('functions'));
const ofEntries = vectors.filter(
  (vector) => vector.has('entry_id') && categories.includes(textOf(vector, 'category')),
);

function textOf(vector: PyDict, key: string): string {
  const text = vector.get(key);
  return typeof text === 'string' ? text : '';
}

function unwrapTuples(value: CallValue): CallValue {
  if (Array.isArray(value)) return value.map(unwrapTuples);
  if (!(value instanceof Map)) return value;
  const tuple = value.get('__tuple__');
  if (Array.isArray(tuple)) return new PyTuple(tuple.map(unwrapTuples));
  return new Map(Array.from(value, ([key, member]) => [key, unwrapTuples(member)]));
}

/** In the words of the vectors. */
function verdictOn(vector: PyDict): unknown {
  const entry = entries.get(textOf(vector, 'entry_id'));
  try {
    const verdict = checkAst({
      functions: entry?.functions ?? (vector.get('functions') as PyDict[]),
      answers: entry?.groundTruth ?? (vector.get('possible_answer') as PyDict[]),
      calls: unwrapTuples(vector.get('decoded') ?? null) as CallValue[],
      category: textOf(vector, 'category'),
      dotsToUnderscore: vector.get('dots_to_underscore') === true,
    });
    if (verdict.valid) return { valid: true, error_type: null };
    const { errorType: error_type, sub } = verdict;
    return { valid: false, error_type, ...(sub && { sub }) };
  } catch (error) {
    return { raises: error instanceof Error ? error.name : '' };
  }
}

/** Where the original crashes we do too, in our own way. */
function mismatches(some: readonly PyDict[]): unknown[] {
  return some.flatMap((vector) => {
    const original = Object.fromEntries(vector.get('expect') as PyDict);
    const expected = 'raises' in original ? { raises: 'HammerlineError' } : original;
    const found = verdictOn(vector);
    const isEqual = JSON.stringify(found) === JSON.stringify(expected);
    return isEqual ? [] : [{ id: vector.get('id'), expected, found }];
  });
}

const weather = loads(
  '{"name": "weather.get", "parameters": {"type": "dict", "properties": {"city": {"type": "string"}}, "required": []}}',
) as PyDict;

describe('checkAst', () => {
  it('gives the verdicts of the original on right answers of BFCL entries and on changed ones', () => {
    expect(ofEntries.length).toBeGreaterThan(1000);
    expect(mismatches(ofEntries)).toEqual([]);
  });

  it('gives the verdicts of the original on small cases of its rules', () => {
    expect(inline.length).toBeGreaterThan(500);
    expect(mismatches(inline)).toEqual([]);
  });

  it('treats names from Object.prototype as any other', () => {
    const answers = [loads('{"weather.get": {"city": ["Oslo"]}}') as PyDict];
    const calls = [
      loads('{"weather.get": {"__proto__": 1}}'),
      loads('{"weather.get": {"constructor": 1}}'),
    ];
    for (const call of calls) {
      const verdict = checkAst({
        functions: [weather],
        answers,
        calls: [call],
        category: 'multiple',
      });
      expect(verdict).toEqual({
        valid: false,
        errorType: 'simple_function_checker:unexpected_param',
      });
    }
  });

  it('takes an empty object among accepted lists for an empty list', () => {
    const functions = loads(
      '[{"name": "f", "parameters": {"properties": {"p": {"type": "array", "items": {"type": "any"}}}, "required": []}}]',
    ) as PyDict[];
    const answers = [loads('{"f": {"p": [["a"], {}]}}') as PyDict];
    const calls = [loads('{"f": {"p": []}}')];
    const verdict = checkAst({ functions, answers, calls, category: 'simple_python' });
    expect(verdict).toEqual({ valid: true });
  });

  it.each(['simple_java', 'simple_javascript'])(
    'refuses %s, which it does not know',
    (category) => {
      expect(() => checkAst({ functions: [], answers: [], calls: [], category })).toThrow(
        expect.objectContaining({
          code: 'invalid_request',
          message: expect.stringContaining(category),
        }),
      );
    },
  );
});
