import { invalidRequest } from '#libs/contracts';
import { dumps, JsonError, loads, type PyDict, type PyValue } from '#libs/pyjson';

/**
 * A row of training data in xLAM's form: tools and answers are JSON texts, as in the data sets. Names in other members of
 * a tool (a `required` list beside the parameters) are not seen: flag the parameters instead.
 */
export interface Sample {
  readonly query: string;
  /** A list of `{name, description, parameters: {NAME: {description, type, default?}}}`. */
  readonly tools: string;
  /** A list of `{name, arguments}`, empty where no tool fits. */
  readonly answers: string;
}

/** A tool of a sample; `record` holds what else it says, and the order of its keys. */
export interface SampleTool {
  name: string;
  parameters: Map<string, PyDict>;
  readonly record: PyDict;
}

/** An expected call; `record` holds the order of its keys, and what else it says. */
export interface SampleCall {
  name: string;
  arguments: PyDict;
  readonly record: PyDict;
}

/**
 * Reads the JSON texts of a sample. What it gives shares nothing with the sample and may be changed.
 *
 * @param pointer where the sample stands: each fault's pointer starts with it
 * @throws HammerlineError `invalid_request`
 */
export function readSample(
  sample: Sample,
  pointer = '',
): { tools: SampleTool[]; answers: SampleCall[] } {
  const tools = readList(sample.tools, `${pointer}/tools`).map(({ record, name, at }) => {
    const parameters = readDict(record.get('parameters'), `${at}/parameters`);
    for (const [parameter, schema] of parameters) {
      readDict(schema, `${at}/parameters/${step(parameter)}`);
    }
    return { name, parameters: parameters as Map<string, PyDict>, record };
  });
  const answers = readList(sample.answers, `${pointer}/answers`).map(({ record, name, at }) => ({
    name,
    arguments: readDict(record.get('arguments'), `${at}/arguments`),
    record,
  }));
  return { tools, answers };
}

/** The JSON text of tools as the training data have it after masking: Python's ascii form. */
export function writeTools(tools: Iterable<SampleTool>): string {
  return dumps(
    Array.from(tools, ({ name, parameters, record }) =>
      new Map<string, PyValue>(record).set('name', name).set('parameters', parameters),
    ),
  );
}

/** The JSON text of answers, likewise. */
export function writeAnswers(answers: Iterable<SampleCall>): string {
  return dumps(
    Array.from(answers, (call) =>
      new Map(call.record).set('name', call.name).set('arguments', call.arguments),
    ),
  );
}

function readList(text: string, pointer: string) {
  if (typeof text !== 'string') {
    const mend = 'give the text of a JSON list';
    throw invalidRequest({ pointer, detail: 'is no text', mend });
  }
  const list = parse(text, pointer);
  if (!Array.isArray(list)) {
    throw invalidRequest({
      pointer,
      detail: 'holds no list',
      mend: 'give the text of a JSON list',
    });
  }
  return list.map((member, index) => {
    const at = `${pointer}/${index}`;
    const record = readDict(member, at);
    const name = record.get('name');
    if (typeof name !== 'string') {
      throw invalidRequest({ pointer: `${at}/name`, detail: 'is no text', mend: 'name it' });
    }
    return { record, name, at };
  });
}

function parse(text: string, pointer: string): PyValue {
  try {
    return loads(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    const detail = `is no JSON: ${error.message}`;
    throw invalidRequest({ pointer, detail, mend: 'give the text of a JSON list' });
  }
}

function readDict(value: PyValue | undefined, pointer: string): PyDict {
  if (value instanceof Map) return value;
  throw invalidRequest({
    pointer,
    detail: 'is no object',
    mend: 'give tools and calls in the form of xLAM: {name, description, parameters: {NAME: {…}}}',
  });
}

function step(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
