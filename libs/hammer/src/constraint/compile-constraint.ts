import { invalidRequest, type JsonSchema, type ToolDefinition } from '#libs/contracts';
import { isObject } from '../json.js';
import { deepToolFault } from '../prompt/deep-tool.js';
import { callsSchema } from './calls-schema.js';
import { choice, GbnfRules, jsonLiteral, list, literal } from './gbnf-rules.js';
import { SchemaGrammar } from './schema-grammar.js';

/** Whether the model may, must not or must call, or which tool it must call, as OpenAI's `tool_choice`. */
export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string };

export interface ConstraintOptions {
  /** Default `auto`: no call, or up to `maxCalls`. */
  readonly toolChoice?: ToolChoice;
  /** From 0 to 1,000, or Infinity (default). */
  readonly maxCalls?: number;
  /** Default true: the grammar puts the list between the three backticks of Hammer's training labels. */
  readonly fence?: boolean;
  /** `schema` (default), or `json`: any JSON object, for tools whose types cannot be trusted. */
  readonly arguments?: 'schema' | 'json';
}

/** A keyword that the grammar does not hold: it allows more, so answers are to be validated. */
export interface Widening {
  readonly tool: string;
  /** JSON Pointer in the tool's parameters: to the keyword's schema, or to a property that is `false`. */
  readonly pointer: string;
  readonly keyword: string;
}

export interface CompileReport {
  /** Each once, in the order met; at most 200. */
  readonly widened: readonly Widening[];
  /** How many more there are. */
  readonly omitted: number;
}

/** What a model may answer, in the forms that model servers take. Each is made when it is first read, then kept. */
export interface Constraint {
  /** GBNF, for llama.cpp and for vLLM's `grammar`. */
  readonly grammar: string;
  /** JSON Schema, for vLLM's `json`: of the list alone, as it cannot say a fence; whole schemas, as they are. */
  readonly jsonSchema: JsonSchema;
  /** What the grammar leaves open. */
  readonly report: CompileReport;
}

/** llama.cpp makes a rule of each call that is counted. */
const maxCounted = 1_000;
const maxWidened = 200;

/**
 * Compiles tools to what an answer may be: a list of calls `{"name": "…", "arguments": {…}}` on one line, written as
 * in Hammer's training labels (`, ` and `: `, characters beyond ASCII raw or escaped).
 *
 * The grammar holds, of a tool's parameters:
 *
 * | keyword | what it holds |
 * | --- | --- |
 * | `type`, lists of types, `nullable` | all, within the limits below |
 * | `properties`, `required` | all, in the order of the schema |
 * | `additionalProperties` | all where no properties are named; absent beside named properties, there are no others; absent beside `properties: {}` of the arguments, too |
 * | `items`, `minItems`, `maxItems` | all but `items` beside `prefixItems`; counts up to 64 |
 * | `minLength`, `maxLength` | up to 64 |
 * | `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum` | for integers |
 * | `enum`, `const` | the members that fit `type` |
 * | `$ref` | local JSON Pointers to objects, also to what contains them |
 * | `anyOf`, `allOf`, and siblings of `$ref` | where the keywords can be put together: no keyword twice with two values, but `type`, `required`, and `properties` of other names |
 * | `oneOf` | as `anyOf`; all, where types, `const`, `enum` or a required property tell its members apart |
 *
 * All else widens the grammar and is in the report. Narrower than the schema it is in three things, which the report
 * leaves out:
 *
 * - arguments, and the members of every object, come in the order of the schema, with members last that only keywords
 *   name which are not held;
 * - where parameters or properties are named and nothing is said of others, there are no others;
 * - integers reach to ±8,999,999,999,999,999, without fraction and exponent; numbers have such an integer, up to 20
 *   digits behind the point, and an exponent from -999 to 289; strings hold no NUL and no half of a surrogate pair. Only
 *   what `enum` and `const` name is not bound by that.
 *
 * No grammar can tell that a name in a map comes twice. A property that is `false` is offered only if it is required,
 * and reported then. A grammar grows to about 1 MiB: what would make it longer is widened too, as are schemas 200 levels
 * deep, and what is left once putting schemas together has taken a fraction of a second.
 *
 * @throws HammerlineError `invalid_request` if a call is required that no tool can answer, for a choice or a count that
 * is none, and for a tool of more than 500 levels of JSON, such as one that holds itself
 */
export function compileConstraint(
  tools: readonly ToolDefinition[],
  options: ConstraintOptions = {},
): Constraint {
  const { toolChoice = 'auto', maxCalls = Infinity, fence = true } = options;
  const fault = deepToolFault(tools.map(({ name, parameters }) => ({ name, parameters })));
  if (fault !== undefined) throw fault;
  const allowed = allowedTools(tools, toolChoice, maxCalls);
  const max = allowed.length === 0 ? 0 : maxCalls;
  const min = toolChoice === 'auto' || toolChoice === 'none' ? 0 : 1;
  const isTyped = options.arguments !== 'json';

  let written: { grammar: string; report: CompileReport } | undefined;
  const write = (): { grammar: string; report: CompileReport } => {
    written ??= writeGrammar(allowed, isTyped, (call) => {
      const answer = list(call, min, max);
      return fence ? `"\`\`\`\\n" ${answer} "\\n\`\`\`"` : answer;
    });
    return written;
  };
  let jsonSchema: JsonSchema | undefined;
  return {
    get grammar() {
      return write().grammar;
    },
    get report() {
      return write().report;
    },
    get jsonSchema() {
      const described = isTyped ? allowed : allowed.map((tool) => ({ ...tool, parameters: {} }));
      jsonSchema ??= callsSchema(described, min, max);
      return jsonSchema;
    },
  };
}

function allowedTools(
  tools: readonly ToolDefinition[],
  toolChoice: ToolChoice,
  maxCalls: number,
): readonly ToolDefinition[] {
  const isCount = Number.isInteger(maxCalls) && maxCalls >= 0 && maxCalls <= maxCounted;
  if (!isCount && maxCalls !== Infinity) {
    const detail = `is no whole number from 0 to ${maxCounted}`;
    throw invalidRequest({ pointer: '/max_calls', detail, mend: 'give one, or no bound' });
  }
  const pointer = '/tool_choice';
  if (!isToolChoice(toolChoice)) {
    const mend = 'give "auto", "none", "required" or {"name": "…"}';
    throw invalidRequest({ pointer, detail: 'is none of the four choices', mend });
  }
  if (toolChoice === 'none') return [];
  if (toolChoice !== 'auto' && maxCalls === 0) {
    const detail = 'requires a call, but none is allowed';
    throw invalidRequest({ pointer, detail, mend: 'allow a call, or choose "none"' });
  }
  if (typeof toolChoice === 'object') {
    const named = tools.filter(({ name }) => name === toolChoice.name);
    if (named.length > 0) return named;
    const names = tools.map(({ name }) => name).join(', ');
    const detail = `there is no tool ${JSON.stringify(toolChoice.name)}`;
    throw invalidRequest({ pointer, detail, mend: `use one of: ${names.slice(0, 500)}` });
  }
  if (toolChoice === 'required' && tools.length === 0) {
    throw invalidRequest({ pointer, detail: 'requires a call, but there are no tools' });
  }
  return tools;
}

function isToolChoice(value: unknown): boolean {
  if (isObject(value)) return typeof value.name === 'string';
  return value === 'auto' || value === 'none' || value === 'required';
}

function writeGrammar(
  tools: readonly ToolDefinition[],
  isTyped: boolean,
  frame: (call: string) => string,
): { grammar: string; report: CompileReport } {
  const rules = new GbnfRules();
  const widened: Widening[] = [];
  let omitted = 0;
  const calls = tools.map((tool) => {
    const schema = new SchemaGrammar(tool, rules, (pointer, keyword) => {
      if (widened.length < maxWidened) widened.push({ tool: tool.name, pointer, keyword });
      else omitted++;
    });
    // One quote less: it is what all calls begin with.
    const head = jsonLiteral(tool.name, '', ', "arguments": ');
    return `${head} ${isTyped ? schema.arguments() : schema.anyArguments()}`;
  });
  if (calls.length > 0) rules.define('call', `${literal('{"name": ')} ${choice(calls)} "}"`);
  return { grammar: rules.write(frame('call')), report: { widened, omitted } };
}
