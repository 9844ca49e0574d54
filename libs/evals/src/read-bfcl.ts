import { loads, type PyDict, type PyValue } from '#libs/pyjson';
import { unjudgeable } from './verdict.js';

export interface BfclMessage {
  readonly role: string;
  readonly content: string;
}

/** An entry of a single-turn category. */
export interface BfclEntry {
  readonly id: string;
  readonly question: readonly BfclMessage[];
  /** As in the file: integers and floats stay distinct. */
  readonly functions: readonly PyDict[];
  /** The right calls; none in the sets without an answer file. */
  readonly groundTruth?: readonly PyDict[];
}

/**
 * Reads the texts of a question file `BFCL_v4_<category>.json` and of its answer file, which has the same ids in the
 * same order.
 *
 * @throws HammerlineError `invalid_request` that names the line, also for entries of several turns
 * @throws JsonError for a line that is no JSON
 */
export function readBfcl(questionText: string, answerText?: string): BfclEntry[] {
  const questions = readLines(questionText, '/question');
  if (answerText === undefined) return questions.map(readEntry);
  const answers = readLines(answerText, '/answer');
  return questions.map((line, index) => {
    const entry = readEntry(line, index);
    const answer = answers[index];
    if (answer?.get('id') !== entry.id) {
      throw unjudgeable(`/answer/${index}/id`, `is not that of the question, ${entry.id}`);
    }
    return { ...entry, groundTruth: dicts(answer, 'ground_truth', `/answer/${index}`) };
  });
}

function readLines(text: string, pointer: string): PyDict[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, index) => {
    const value = loads(line);
    if (value instanceof Map) return value;
    throw unjudgeable(`${pointer}/${index}`, 'is no object');
  });
}

function readEntry(line: PyDict, index: number): BfclEntry {
  const at = `/question/${index}`;
  const turns = line.get('question');
  if (!Array.isArray(turns) || turns.length !== 1 || !Array.isArray(turns[0])) {
    throw unjudgeable(`${at}/question`, 'is not a list of one turn');
  }
  return {
    id: textOf(line.get('id'), `${at}/id`),
    question: turns[0].map((message) => {
      const { role, content } = Object.fromEntries(message instanceof Map ? message : []);
      return { role: textOf(role, `${at}/question`), content: textOf(content, `${at}/question`) };
    }),
    functions: dicts(line, 'function', at),
  };
}

function textOf(value: PyValue | undefined, pointer: string): string {
  if (typeof value === 'string') return value;
  throw unjudgeable(pointer, 'lacks a text');
}

function dicts(line: PyDict, key: string, pointer: string): PyDict[] {
  const value = line.get(key);
  if (Array.isArray(value) && value.every((member) => member instanceof Map)) return value;
  throw unjudgeable(`${pointer}/${key}`, 'is not a list of objects');
}
