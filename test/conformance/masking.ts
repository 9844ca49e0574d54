import { fence, trainPrompt } from '#libs/hammer';
import { maskingFaults, maskSample, Random, type Sample } from '#libs/masking';
import { loads, type PyDict } from '#libs/pyjson';
import type { Mismatch, Suite } from './suite.js';

const seeds = [1, 2, 3, 4, 5];

/**
 * Draws are random, so rows are compared by what masking may do: the original's, and ours of the same sample. The
 * training text of a row is compared byte for byte.
 */
export const masking: Suite = {
  file: 'masking_examples.jsonl',
  run(vector) {
    const sft = dictOf(vector, 'sft');
    const instruction = textOf(sft, 'instruction');
    const output = textOf(sft, 'output');
    if (vector.get('published') === true) {
      return (
        compare(instruction, trainPrompt(partsOf(instruction))) ??
        compare(output, fence(answersOf(output)))
      );
    }
    const before = sampleOf(dictOf(vector, 'before'));
    const after = sampleOf(dictOf(vector, 'after'));
    return (
      compareMasks(before, after) ??
      compare(instruction, trainPrompt(after)) ??
      compare(output, fence(after.answers))
    );
  },
};

function compareMasks(before: Sample, after: Sample): Mismatch | undefined {
  const faults = maskingFaults(before, after);
  for (const mode of ['strict', 'corrected'] as const) {
    for (const seed of seeds) {
      const own = maskSample(before, new Random(seed), mode);
      for (const fault of maskingFaults(before, own, mode)) {
        faults.push(`our own, ${mode}, seed ${seed}: ${fault}`);
      }
    }
  }
  return compare('', faults.join('\n'));
}

function compare(expected: string, actual: string): Mismatch | undefined {
  return expected === actual ? undefined : { expected, actual };
}

/** Tools and query of a training text. */
function partsOf(instruction: string): { tools: string; query: string } {
  const tools = bodyOf(instruction, 'AVAILABLE TOOLS');
  if (!Array.isArray(loads(tools))) throw new TypeError('the tools are no list');
  return { tools, query: bodyOf(instruction, 'QUERY') };
}

/** From the first begin to the last end, so that a text that holds such a line does not matter. */
function bodyOf(text: string, title: string): string {
  const begin = `[BEGIN OF ${title}]\n`;
  const start = text.indexOf(begin);
  const end = text.lastIndexOf(`\n[END OF ${title}]`);
  if (start === -1 || end === -1) throw new TypeError(`there is no section ${title}`);
  return text.slice(start + begin.length, end);
}

/** The list within the fence. */
function answersOf(output: string): string {
  const answers = output.slice(fence('').indexOf('\n') + 1, output.lastIndexOf('\n'));
  if (!Array.isArray(loads(answers))) throw new TypeError('the output is no list');
  return answers;
}

function sampleOf(record: PyDict): Sample {
  return {
    query: textOf(record, 'query'),
    tools: textOf(record, 'tools'),
    answers: textOf(record, 'answers'),
  };
}

function dictOf(record: PyDict, key: string): PyDict {
  const value = record.get(key);
  if (value instanceof Map) return value;
  throw new TypeError(`${key} is no object`);
}

function textOf(record: PyDict, key: string): string {
  const value = record.get(key);
  if (typeof value === 'string') return value;
  throw new TypeError(`${key} is no text`);
}
