import { type Fault, HammerlineError, type ToolDefinition } from '#libs/contracts';
import { findUnstorable, isObject, nestsDeeper, pointerStep } from './json.js';
import { readParameters } from './read-schema.js';

const maxTools = 128;
const maxToolBytes = 65_536;
const maxToolDepth = 32;
const maxNameLength = 128;
/** Faults that one error names: enough to mend a request in one go, few enough to read. */
const maxFaults = 50;

const wrapperKeys = new Set(['type', 'function']);
const toolKeys = new Set(['type', 'name', 'description', 'parameters', 'required']);
/** What data sets and OpenAI clients write beside a definition, and what does not matter here. */
const ignoredKeys = new Set([
  'strict',
  'return',
  'returns',
  'response',
  'responses',
  'desc_for_search',
]);

/**
 * Reads tools in OpenAI's shapes (wrapped in `function`, or flat), BFCL's (`parameters.type` is "dict") and xLAM's
 * (`parameters` maps names to `{type, description}`), also mixed, into the one shape used inside. Parameters become
 * plain JSON Schema (2020-12) of type object. The input is not changed.
 *
 * Refuses more than 128 tools, and a tool of more than 64 KiB or 32 levels.
 *
 * @param pointer where the tools stand in the request: each fault's pointer starts with it
 * @throws HammerlineError `invalid_request` that names all faults (at most 50)
 */
export function readTools(input: readonly unknown[], pointer = '/tools'): ToolDefinition[] {
  if (input.length > maxTools) {
    const detail = `there are ${input.length} tools`;
    throw refusal([{ pointer, detail, mend: `give at most ${maxTools}` }]);
  }
  const faults: Fault[] = [];
  const tools = input.map((tool, index) => readTool(tool, pointer + pointerStep(index), faults));
  const firstOf = new Map<string, number>();
  tools.forEach(({ name }, index) => {
    const first = firstOf.get(name);
    if (first === undefined) firstOf.set(name, index);
    else if (name !== '') faults.push(repeated(name, pointer, first, index));
  });
  if (faults.length > 0) throw refusal(faults);
  return tools;
}

function refusal(faults: Fault[]): HammerlineError {
  const shown = faults.slice(0, maxFaults);
  const message = shown.map((fault) => `${fault.pointer}: ${fault.detail}`).join('; ');
  return new HammerlineError('invalid_request', message, { faults: shown });
}

function repeated(name: string, pointer: string, first: number, index: number): Fault {
  return {
    pointer: `${pointer}/${index}`,
    detail: `tools ${first} and ${index} have the same name ${JSON.stringify(name)}`,
    mend: 'rename one of them',
  };
}

function readTool(input: unknown, pointer: string, faults: Fault[]): ToolDefinition {
  const nothing: ToolDefinition = { name: '', description: '', parameters: {} };
  const fault = (at: string, detail: string, mend: string): void => {
    faults.push({ pointer: pointer + at, detail, mend });
  };
  const limit = brokenLimit(input);
  if (limit !== undefined) {
    fault('', `${calledIn(input)}${limit}`, 'simplify it');
    return nothing;
  }
  const broken = findUnstorable(input);
  if (broken !== undefined) {
    fault(
      broken,
      `${calledIn(input)}holds a NUL or half a surrogate pair`,
      'write whole characters',
    );
    return nothing;
  }
  if (!isObject(input)) {
    fault('', 'is no object', 'give an object with name, description and parameters');
    return nothing;
  }

  const isWrapped = input.function !== undefined;
  const tool = isWrapped ? input.function : input;
  const at = isWrapped ? '/function' : '';
  if (!isObject(tool)) {
    fault(at, 'is no object', 'give an object with name, description and parameters');
    return nothing;
  }
  const unknown = [
    ...Object.keys(tool).filter((key) => !toolKeys.has(key) && !ignoredKeys.has(key)),
    ...(isWrapped ? Object.keys(input).filter((key) => !wrapperKeys.has(key)) : []),
  ];
  if (unknown.length > 0) {
    const list = unknown.map((key) => JSON.stringify(key)).join(', ');
    fault('', `has unknown keys: ${list.slice(0, 200)}`, 'leave them out');
  }
  if (input.type !== undefined && input.type !== 'function') {
    fault('/type', 'must be "function"', 'write "function", or leave it out');
  }
  const { name } = tool;
  const description = tool.description ?? '';
  const problem = nameProblem(name);
  if (problem !== undefined)
    fault(`${at}/name`, problem, 'name it in letters, digits, "_" and "."');
  if (typeof description !== 'string') fault(`${at}/description`, 'must be text', 'write a text');

  const read = readParameters(tool.parameters, `${pointer}${at}/parameters`, tool.required);
  faults.push(...read.faults);
  return {
    name: typeof name === 'string' ? name : '',
    description: typeof description === 'string' ? description : '',
    parameters: read.schema,
  };
}

function brokenLimit(input: unknown): string | undefined {
  // In this order: JSON.stringify would overflow the stack on a value that is deep enough.
  if (nestsDeeper(input, maxToolDepth)) return `nests deeper than ${maxToolDepth} levels`;
  const json = JSON.stringify(input) ?? '';
  const bytes = Buffer.byteLength(json);
  return bytes > maxToolBytes
    ? `is ${bytes} bytes long; at most ${maxToolBytes} are taken`
    : undefined;
}

/** The tool's name for a message, where it has one that can be shown. */
function calledIn(input: unknown): string {
  const tool = isObject(input) && isObject(input.function) ? input.function : input;
  const name = isObject(tool) ? tool.name : undefined;
  return nameProblem(name) === undefined ? `${JSON.stringify(name)} ` : '';
}

function nameProblem(name: unknown): string | undefined {
  if (name === undefined) return 'is missing';
  if (typeof name !== 'string') return 'must be text';
  if (name.trim() === '') return 'is empty';
  if (name.length > maxNameLength) return `is longer than ${maxNameLength} characters`;
  return /\p{Cc}/u.test(name) ? 'holds a control character' : undefined;
}
