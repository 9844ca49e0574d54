import type { Fault, ToolDefinition } from '#libs/contracts';
import { type ParsedCall, parseCalls } from './parse.js';
import { parseTolerant } from './parse-tolerant.js';
import { type MissingParameters, findRequest } from './read-answer-request.js';

/**
 * `strict`: the text was exactly a JSON list of calls, bare or in a fence without a tag or tagged `json` (which the
 * original parsers refuse: `parseAsClient` and the others say what those read). `tolerant`: calls were found in it.
 */
export type Parser = 'strict' | 'tolerant';

/** What a model's answer says. */
export type Answer =
  /** At least one call; `check` found no fault in any. */
  | { readonly outcome: 'calls'; readonly parser: Parser; readonly calls: readonly ParsedCall[] }
  /** An empty list: no tool fits. */
  | { readonly outcome: 'irrelevant'; readonly parser: Parser }
  /** The request lacks what a required parameter of the tool needs. */
  | ({ readonly outcome: 'needs_input'; readonly parser: Parser } & MissingParameters)
  /** Prose without a call; without reasoning. */
  | { readonly outcome: 'answer'; readonly text: string }
  /**
   * Meant as calls, but unreadable, refused by `check`, or put in doubt by the answer itself. `reason` is a text for the model that names what is wrong;
   * the pointers of `faults` lead into the list of calls.
   */
  | {
      readonly outcome: 'invalid';
      readonly reason: string;
      readonly faults: readonly Fault[];
    };

export interface ReadAnswerOptions {
  /** In the names that the model saw. */
  readonly tools: readonly ToolDefinition[];
  /**
   * What is wrong with a call, in these names; empty: nothing. A fault at an argument has the pointer
   * `/arguments/NAME`, as the validators of libs/tools give it.
   */
  readonly check: (call: ParsedCall) => readonly Fault[];
}

/** Faults that go back to the model, and the characters that tell of them: enough to mend an answer. */
const maxFaults = 20;
const maxReason = 2_000;

/**
 * Reads a model's answer: first strictly (`parseCalls`), else tolerantly (`parseTolerant`, which reads what the strict
 * step reads as the same calls, so that calls that `check` refuses need no second reading).
 *
 * It is `needs_input` if all that is wrong with the calls is that required parameters are absent, or null where null is
 * not allowed; or if the answer asks for them in words, by the rule of `findRequest`.
 *
 * Of an answer that was cut, calls are read only if closing brackets of lists and of call objects are all that is missing,
 * behind closed arguments; `parser` is `tolerant` then. Nothing tells a list that lacks only its `]` from one with more
 * calls to come, so do not read what a model server reports as cut.
 *
 * Never gives a call that `check` finds a fault in, never changes or converts a value, never throws (unless `check`
 * does), and takes time linear in the text.
 */
export function readAnswer(text: string, { tools, check }: ReadAnswerOptions): Answer {
  const strict = parseCalls(text);
  if (strict.ok) return judge(strict.calls, 'strict', { tools, check });
  const found = parseTolerant(text, new Set(tools.map((tool) => tool.name)));
  if (found.kind === 'fault') {
    const reason = `The answer is no list of calls: ${found.reason}. Give only a JSON list of {"name", "arguments"}, or [].`;
    return { outcome: 'invalid', reason, faults: [] };
  }
  if (found.kind === 'calls' && found.calls.length > 0) {
    return judge(found.calls, 'tolerant', { tools, check });
  }
  const request = findRequest(found.text, tools);
  if (request !== undefined) return { outcome: 'needs_input', parser: 'tolerant', ...request };
  return found.kind === 'calls'
    ? { outcome: 'irrelevant', parser: 'tolerant' }
    : { outcome: 'answer', text: found.text };
}

function judge(
  calls: readonly ParsedCall[],
  parser: Parser,
  { tools, check }: ReadAnswerOptions,
): Answer {
  if (calls.length === 0) return { outcome: 'irrelevant', parser };
  const faults: Fault[] = [];
  const told: string[] = [];
  let missing: MissingParameters | undefined;
  let isOnlyMissing = true;
  for (const [index, call] of calls.entries()) {
    const found = check(call);
    if (found.length === 0) continue;
    const lacks = missingParameters(call, found, tools);
    missing ??= lacks;
    isOnlyMissing &&= lacks !== undefined;
    told.push(`Call ${index + 1}, of ${JSON.stringify(call.name)}: ${found.map(tell).join('; ')}.`);
    faults.push(...found.map((fault) => ({ ...fault, pointer: `/${index}${fault.pointer}` })));
    if (faults.length >= maxFaults) break;
  }
  if (faults.length === 0) return { outcome: 'calls', parser, calls };
  if (missing !== undefined && isOnlyMissing) return { outcome: 'needs_input', parser, ...missing };
  const reason = told.join(' ').slice(0, maxReason);
  return { outcome: 'invalid', reason, faults: faults.slice(0, maxFaults) };
}

function tell({ pointer, detail, mend }: Fault): string {
  return `${pointer || '/'} ${detail}${mend === undefined ? '' : ` (${mend})`}`;
}

/** The required parameters that a call lacks, if all its faults are that. */
function missingParameters(
  { name, arguments: values }: ParsedCall,
  faults: readonly Fault[],
  tools: readonly ToolDefinition[],
): MissingParameters | undefined {
  const required = tools.find((tool) => tool.name === name)?.parameters.required;
  if (!Array.isArray(required)) return undefined;
  const lacking = new Map<string, string>();
  for (const parameter of required) {
    if (typeof parameter !== 'string') continue;
    if (Object.hasOwn(values, parameter) && values[parameter] !== null) continue;
    const step = parameter.replaceAll('~', '~0').replaceAll('/', '~1');
    lacking.set(`/arguments/${step}`, parameter);
  }
  const missing = new Set<string>();
  for (const { pointer } of faults) {
    const parameter = lacking.get(pointer);
    if (parameter === undefined) return undefined;
    missing.add(parameter);
  }
  return { tool: name, parameters: [...missing] };
}
