import { readFileSync } from 'node:fs';
import type { Sample } from '#libs/masking';
import { dumps, loads, type PyDict, type PyValue, str } from '#libs/pyjson';

/** Real rows, with hardly any default. */
export function sealToolsSamples(): Sample[] {
  return lines('train/seal_tools_dev.jsonl').map((row) => ({
    query: str(row.get('query')),
    tools: str(row.get('tools')),
    answers: str(row.get('answers')),
  }));
}

const categories = ['simple_python', 'multiple', 'parallel', 'parallel_multiple', 'irrelevance'];
const types: Readonly<Record<string, string>> = {
  string: 'str',
  integer: 'int',
  number: 'float',
  boolean: 'bool',
  array: 'list',
};

/**
 * Rows in xLAM's form made of BFCL entries, to have what masking works on: each second parameter has the first value that
 * the answers give it as default, which each second such description says; each third row repeats its first tool.
 */
export function bfclSamples(): Sample[] {
  return categories.flatMap((category) => {
    const file = `BFCL_v4_${category}.json`;
    const answers = new Map(
      category === 'irrelevance'
        ? []
        : lines(`bfcl/possible_answer/${file}`).map((row) => [row.get('id'), readAnswers(row)]),
    );
    return lines(`bfcl/${file}`).map((row, index): Sample => {
      const calls = answers.get(row.get('id') ?? null) ?? [];
      const tools = list(row.get('function')).map((tool) => readTool(dict(tool), calls));
      const repeats = index % 3 === 0 ? tools.slice(0, 1) : [];
      const [turn] = list(row.get('question'));
      const [message] = list(turn);
      return {
        query: str(dict(message).get('content')),
        tools: dumps([...tools, ...repeats]),
        answers: dumps(calls),
      };
    });
  });
}

interface Call {
  name: string;
  arguments: PyDict;
}

function readAnswers(row: PyDict): Call[] {
  return list(row.get('ground_truth')).flatMap((truth) =>
    Array.from(dict(truth), ([name, accepted]) => ({
      name,
      arguments: firstAccepted(dict(accepted)),
    })),
  );
}

/** Each parameter has a list of accepted values; `""` says that it may be left out. */
function firstAccepted(accepted: PyDict): PyDict {
  return new Map(
    [...accepted].flatMap(([name, values]) => {
      const [value = ''] = list(values);
      if (value === '') return [];
      return [[name, value instanceof Map ? firstAccepted(value) : value]];
    }),
  );
}

function readTool(tool: PyDict, calls: readonly Call[]): PyDict {
  const name = str(tool.get('name'));
  const properties = dict(dict(tool.get('parameters')).get('properties'));
  const parameters = Array.from(properties, ([key, schema], index): [string, PyDict] => {
    const { type, description } = Object.fromEntries(dict(schema));
    const value = calls.find((call) => call.name === name)?.arguments.get(key);
    const hasDefault = index % 2 === 0 && value !== undefined;
    const hint = hasDefault && index % 4 === 0 ? ` Defaults to '${str(value)}'.` : '';
    const read: PyDict = new Map();
    read.set('description', str(description) + hint);
    read.set('type', types[str(type)] ?? str(type));
    if (hasDefault) read.set('default', value);
    return [key, read];
  });
  return new Map<string, PyValue>([
    ['name', name],
    ['description', tool.get('description') ?? ''],
    ['parameters', new Map(parameters)],
  ]);
}

function lines(file: string): PyDict[] {
  const text = readFileSync(new URL(`../data/${file}`, import.meta.url), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => dict(loads(line)));
}

function list(value: PyValue | undefined): PyValue[] {
  if (Array.isArray(value)) return value;
  throw new Error('no list');
}

function dict(value: PyValue | undefined): PyDict {
  if (value instanceof Map) return value;
  throw new Error('no object');
}

/** A sample with one tool `f` of the given parameters. */
export function sampleOf(
  parameters: Record<string, unknown>,
  calls: readonly Record<string, unknown>[],
  query = '',
): Sample {
  const tools = [{ name: 'f', description: 'F.', parameters }];
  return {
    query,
    tools: dumps(tools),
    answers: dumps(calls.map((call) => ({ name: 'f', arguments: call }))),
  };
}
