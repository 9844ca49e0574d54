import { HammerlineError } from '#libs/contracts';
import { loads, type PyDict, type PyValue, repr, str } from '#libs/pyjson';

/*
 * The parsers of the original code, for comparison with published results: each takes and refuses what its original
 * does, whether sensible or not. Where the original raises an exception, they throw HammerlineError `invalid_call`.
 * Facts: MadeAgents/Hammer (client, evaluation) and the Hammer handler of bfcl-eval, both Apache-2.0.
 */

/** What Python can use as the key of a dict, of all that JSON can say. */
export type PyKey = Exclude<PyValue, PyValue[] | PyDict>;

/** One call as BFCL's checker wants it: a dict of one entry, arguments by name. Neither of the two is checked. */
export type DecodedCall = ReadonlyMap<PyKey, PyValue>;

/** What Hammer's client answers with. */
export interface ClientCompletion<Reply> {
  readonly toolCalls: PyValue;
  readonly content: Reply | '';
}

/** Hammer's client: any JSON value, once all triple backticks are gone; an empty list if the text is no JSON. */
export function parseAsClient(text: string): PyValue {
  try {
    return loads(unfence(text));
  } catch {
    return [];
  }
}

/**
 * Hammer's client from the model's answer on: an answer without calls, that is an empty one of any type, makes it ask
 * the plain chat endpoint for the content.
 *
 * @param chat asks that endpoint; what it gives becomes the content, so await that if it is a promise
 * @throws HammerlineError for a value that has no length: a number, a boolean, null
 */
export function completeAsClient<Reply>(text: string, chat: () => Reply): ClientCompletion<Reply> {
  const toolCalls = parseAsClient(text);
  return { toolCalls, content: length(toolCalls) === 0 ? chat() : '' };
}

/**
 * Hammer's metrics (`evaluate`): as the client, but it knows the fence's language `json` and looks into `tool_calls`.
 *
 * @throws HammerlineError for what is no JSON, and where `tool_calls` is looked up in a value that has no members, or is
 * found in a list or a text
 */
export function parseForMetrics(text: string): PyValue {
  const value = read(unfence(text.replaceAll('```json', '')));
  if (value instanceof Map) return member(value, 'tool_calls', value) ?? [];
  if (typeof value !== 'string' && !Array.isArray(value)) {
    throw refuse('a number, a boolean or null holds no "tool_calls"');
  }
  if (value.includes('tool_calls')) throw refuse('"tool_calls" is not a key of an object');
  return value;
}

/**
 * BFCL's `decode_ast` for Hammer. Text that is no JSON has no calls, as have `{}` and `""`.
 *
 * @throws HammerlineError for a value without elements, and for an element that is no object with `name` and
 * `arguments`, or whose name is a list or an object
 */
export function decodeAst(text: string): DecodedCall[] {
  const value = parseAsClient(text);
  if (!Array.isArray(value)) {
    // Python loops over a text or an object too, whose elements are texts: none of them is a call.
    if (length(value) > 0) throw refuse('not a list of calls');
    return [];
  }
  return value.map((element, index) => {
    const at = `element ${index + 1}`;
    if (!(element instanceof Map)) throw refuse(`${at} is not an object`);
    const name = element.get('name');
    const values = element.get('arguments');
    if (name === undefined) throw refuse(`${at} has no "name"`);
    if (values === undefined) throw refuse(`${at} has no "arguments"`);
    if (Array.isArray(name) || name instanceof Map) {
      throw refuse(`${at} has a name that is a list or an object`);
    }
    return new Map([[name, values]]);
  });
}

/**
 * BFCL's `decode_execute` for Hammer: calls as Python source, `name(key=value)`. Text that is no JSON and elements that
 * are no objects are no calls; a missing name is empty, missing arguments are none.
 *
 * @throws HammerlineError for `arguments` that are no object
 */
export function decodeExecute(text: string): string[] {
  const value = parseAsClient(text);
  const found = value instanceof Map ? member(value, 'tool_calls', []) : value;
  return (Array.isArray(found) ? found : [found]).flatMap((element) => {
    if (!(element instanceof Map)) return [];
    const values = member(element, 'arguments', new Map());
    if (!(values instanceof Map)) throw refuse('"arguments" is not an object');
    const list = Array.from(values, ([key, argument]) => `${key}=${repr(argument)}`).join(', ');
    return `${str(member(element, 'name', ''))}(${list})`;
  });
}

function unfence(text: string): string {
  return text.replaceAll('```', '');
}

function read(text: string): PyValue {
  try {
    return loads(text);
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Python's `len()`; characters or units, only whether there are any matters. */
function length(value: PyValue): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  if (value instanceof Map) return value.size;
  throw refuse('a number, a boolean or null is no list of calls');
}

/** Python's `dict.get`. */
function member(object: PyDict, key: string, missing: PyValue): PyValue {
  const value = object.get(key);
  return value === undefined ? missing : value;
}

function refuse(problem: string, cause?: unknown): HammerlineError {
  return new HammerlineError('invalid_call', `The answer cannot be read: ${problem}`, { cause });
}
