import { HammerlineError } from '#libs/contracts';
import {
  bfclEntryPrompt,
  type ChatMessage,
  compilePrompt,
  evalPrompt,
  fence,
  type Prompt,
  promptText,
  SERVING_FLAVOURS,
  trainPrompt,
} from '#libs/hammer';
import { type PyDict, type PyValue, str } from '#libs/pyjson';
import type { Mismatch, Suite } from './suite.js';

const raised = '(raises)';
const noPrompt = '(no prompt)';

/** Every prompt byte for byte, and the label where the case says what the answer is. */
export const prompts: Suite = {
  file: 'prompts.jsonl',
  run(vector) {
    if (vector.get('informative') === true) return undefined;
    const expected = vector.has('raises') ? raised : (vector.get('prompt') ?? noPrompt);
    const answers = inputOf(vector).get('answers_text');
    return (
      compare(expected, attempt(vector)) ??
      (answers === undefined ? undefined : compare(vector.get('label'), fence(str(answers))))
    );
  },
};

function compare(expected: PyValue | undefined, actual: string): Mismatch | undefined {
  if (typeof expected !== 'string') throw new TypeError('the case expects no text');
  return expected === actual ? undefined : { expected, actual };
}

/** Only our own error counts as one: any other is a fault of ours. */
function attempt(vector: PyDict): string {
  try {
    const prompt = render(str(vector.get('flavor')), inputOf(vector));
    if (prompt === undefined) return noPrompt;
    return typeof prompt === 'string' ? prompt : promptText(prompt);
  } catch (error) {
    if (error instanceof HammerlineError) return raised;
    throw error;
  }
}

function render(flavour: string, input: PyDict): Prompt | string | undefined {
  switch (flavour) {
    case 'train-v1':
      return trainPrompt({
        tools: input.get('tools_text') ?? input.get('tools'),
        query: input.get('query'),
      });
    case 'eval-v1':
    case 'eval-2.1': {
      const query = input.get('query');
      return evalPrompt(flavour, {
        dataset: str(input.get('dataset')),
        tools: listOf(input, 'tools'),
        query: typeof query === 'string' ? query : messagesOf(input, 'query'),
      });
    }
    // The whole way from an entry of the benchmark; its last part alone is called "bfcl-2.1-format".
    case 'bfcl-2.1':
      return bfclEntryPrompt({
        category: str(input.get('category')),
        functions: listOf(input, 'functions'),
        messages: messagesOf(input, 'messages'),
      });
    default: {
      const name = flavour === 'bfcl-2.1-format' ? 'bfcl-2.1' : flavour;
      const known = SERVING_FLAVOURS.find((candidate) => candidate === name);
      if (known === undefined) throw new TypeError(`unknown flavour ${flavour}`);
      const tools = input.get('tools') ?? null;
      const compiled = compilePrompt(known, tools === null ? null : listOf(input, 'tools'));
      return compiled?.render(messagesOf(input, 'messages'));
    }
  }
}

function inputOf(vector: PyDict): PyDict {
  const input = vector.get('input');
  if (input instanceof Map) return input;
  throw new TypeError('the case has no input');
}

function listOf(input: PyDict, key: string): PyValue[] {
  const list = input.get(key);
  if (Array.isArray(list)) return list;
  throw new TypeError(`${key} is no list`);
}

/** Messages are plain objects in this project, whose contents may be any value. */
function messagesOf(input: PyDict, key: string): ChatMessage[] {
  return listOf(input, key).map((message) => {
    if (!(message instanceof Map)) throw new TypeError('a message that is no object');
    return Object.fromEntries(message) as unknown as ChatMessage;
  });
}
