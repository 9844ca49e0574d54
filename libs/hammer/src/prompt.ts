import type { Message, ToolDefinition } from '#libs/contracts';
import { isObject, writeJson } from './json.js';

/**
 * A piece of a prompt. `control` marks text that the tokeniser must read as control tokens; all other text must be
 * tokenised as plain characters, so that `<|im_end|>` in a request stays ten characters and cannot open a turn.
 */
export interface PromptSegment {
  readonly text: string;
  readonly control: boolean;
}

/** A prompt in two parts: `prefix` depends on the tools alone, so that a runtime can keep what it computed for it. */
export interface Prompt {
  readonly prefix: readonly PromptSegment[];
  readonly suffix: readonly PromptSegment[];
}

const task =
  'Select the right tool for the request and fill in the parameter values. If no tool fits, output [].';
const format = '[{"name": "func_name", "arguments": {"argument": "value"}}]';

/**
 * Renders the `compact` flavour: Hammer's sections with short instructions, in ChatML. `prefix` holds the system turn
 * and the turn with the tools, `suffix` one turn for each message and the open turn of the assistant.
 */
export function renderPrompt(
  tools: readonly ToolDefinition[],
  messages: readonly Message[],
): Prompt {
  const sections = [
    section('TASK INSTRUCTION', task),
    section('AVAILABLE TOOLS', writeJson(tools.map(describeTool))),
    section('FORMAT INSTRUCTION', format),
  ];
  return {
    prefix: [...turn('system', 'You are a helpful assistant.'), ...turn('user', sections.join(''))],
    suffix: [
      ...messages.flatMap(({ role, content }) => turn(role, content)),
      { text: '<|im_start|>', control: true },
      { text: 'assistant\n', control: false },
    ],
  };
}

function turn(role: string, content: string): PromptSegment[] {
  return [
    { text: '<|im_start|>', control: true },
    { text: `${role}\n${content}`, control: false },
    { text: '<|im_end|>', control: true },
    { text: '\n', control: false },
  ];
}

function section(title: string, body: string): string {
  return `[BEGIN OF ${title}]\n${body}\n[END OF ${title}]\n\n`;
}

/** A tool as the model was trained to read it: a flat map of parameters, the required ones marked. */
function describeTool({ name, description, parameters }: ToolDefinition): unknown {
  const properties = isObject(parameters.properties) ? parameters.properties : {};
  const required = new Set(Array.isArray(parameters.required) ? parameters.required : []);
  const described = Object.entries(properties).map(([key, schema]) => [
    key,
    describeParameter(schema, required.has(key)),
  ]);
  return { name, description, parameters: Object.fromEntries(described) };
}

function describeParameter(schema: unknown, required: boolean): unknown {
  const { type, description, ...rest } = isObject(schema) ? schema : {};
  return { type, description, ...(required ? { required: true } : {}), ...rest };
}
