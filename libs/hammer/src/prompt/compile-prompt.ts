import { dumps, isTruthy, repr } from '#libs/pyjson';
import { convertTools, editTools } from './convert-tools.js';
import { walkTools } from './deep-tool.js';
import { describeTools } from './describe-tools.js';
import type { ServingFlavour } from './flavour.js';
import { fence, instructions, querySection, section, toolsSection } from './instructions.js';
import {
  type ChatMessage,
  contentOf,
  roleOf,
  textOf,
  tooFewMessages,
  writeMember,
} from './message.js';
import {
  defaultSystem,
  lineEnd,
  openTurn,
  plain,
  type Prompt,
  type PromptSegment,
  systemTurn,
  turn,
  turnEnd,
  turnStart,
  turnText,
} from './segments.js';

/** The prompt of a toolset, all but the conversation. To make one costs microseconds a tool, to render next to nothing. */
export interface CompiledPrompt {
  /**
   * Adds the conversation. The prefix is the same object each time, but for system messages in two flavours: `bfcl-1.0`
   * puts their contents before the tools, `hf-template-2.1` begins with the first one.
   *
   * @throws HammerlineError `invalid_request` on conversations that the flavour's original raises on
   */
  readonly render: (messages: readonly ChatMessage[]) => Prompt;
}

type Tools = readonly unknown[] | null;

/**
 * Writes a toolset in a flavour, byte for byte as the original does; `compact` is this product's own.
 *
 * Tools are what `JSON.parse` gives, or `loads` of libs/pyjson, and are not changed. They are taken as the original takes
 * them: `bfcl-*` wants `{name, description, parameters: {properties, required}}` and raises on other shapes, `client-2.1`
 * and `hf-template-2.1` print any. `completeTools` makes tools of valid JSON Schema fit for all flavours,
 * `inlineReferences` shows what their references lead to.
 *
 * @returns undefined for `client-2.1` without tools: its original asks the plain chat endpoint then
 * @throws HammerlineError `invalid_request` that names the tool and the field
 */
export function compilePrompt(
  flavour: Exclude<ServingFlavour, 'client-2.1'>,
  tools: Tools,
): CompiledPrompt;
export function compilePrompt(flavour: ServingFlavour, tools: Tools): CompiledPrompt | undefined;
export function compilePrompt(flavour: ServingFlavour, tools: Tools): CompiledPrompt | undefined {
  return walkTools(tools, () => compile(flavour, tools));
}

function compile(flavour: ServingFlavour, tools: Tools): CompiledPrompt | undefined {
  switch (flavour) {
    case 'client-2.1':
      return tools?.length ? client(tools) : undefined;
    case 'bfcl-2.1':
      return chat(instruct(instructions.v2, convertedText(tools, true)), messageTurn);
    case 'bfcl-2.0':
      return oneTurn20(instruct(instructions.v1, convertedText(tools, true)));
    case 'bfcl-1.0':
      return oneTurn10(convertedText(tools, false));
    case 'hf-template-2.1':
      return template(tools);
    case 'compact':
      return chat(instruct(instructions.compact, compactText(tools ?? [])), messageTurn);
  }
}

function convertedText(tools: Tools, flatten: boolean): string {
  return dumps(tools && convertTools(tools, { flatten }));
}

function compactText(tools: readonly unknown[]): string {
  return dumps(describeTools(tools), { ensureAscii: false });
}

function instruct({ task, format }: { task: string; format: string }, tools: string): string {
  return task + toolsSection(tools) + format;
}

/** The instructions are the user's first turn, each message is a turn of its own. */
function chat(
  text: string,
  toTurn: (message: ChatMessage, index: number) => PromptSegment[],
): CompiledPrompt {
  const prefix = [...systemTurn, ...turn('user', text)];
  return { render: (messages) => ({ prefix, suffix: [...messages.flatMap(toTurn), ...openTurn] }) };
}

function messageTurn(message: ChatMessage, index: number): PromptSegment[] {
  return turn(roleOf(message, index), contentOf(message, index));
}

function client(tools: readonly unknown[]): CompiledPrompt {
  const text = instruct(instructions.v2, dumps(editTools(tools)));
  const { render } = chat(text, (message, index) =>
    index === 0 && roleOf(message, index) === 'system' ? [] : callsTurn(message, index),
  );
  return {
    render(messages) {
      if (messages.length === 0) throw tooFewMessages();
      return render(messages);
    },
  };
}

function callsTurn(message: ChatMessage, index: number): PromptSegment[] {
  const role = roleOf(message, index);
  const { tool_calls: calls } = message;
  if (role !== 'assistant' || !isTruthy(calls)) return messageTurn(message, index);
  return turn(role, fence(writeMember(index, calls, dumps)));
}

function oneTurn20(text: string): CompiledPrompt {
  const prefix = openQuery(text);
  return {
    render(messages) {
      let query = '';
      let role = '';
      for (const [index, message] of messages.entries()) {
        role = roleOf(message, index);
        query += `${role}: ${contentOf(message, index)}\n`;
      }
      if (messages.length === 0) throw tooFewMessages();
      return { prefix, suffix: closeQuery(role === 'user' ? query : `${query}user:  \n`) };
    },
  };
}

function oneTurn10(tools: string): CompiledPrompt {
  const { task, taskWith, format } = instructions.v1;
  const rest = toolsSection(tools) + format;
  const prefix = openQuery(task + rest);
  return {
    render(messages) {
      let system = '';
      let query = '';
      for (const [index, message] of messages.entries()) {
        const role = roleOf(message, index);
        if (role === 'system') system += `\n${contentOf(message, index)}`;
        if (role === 'user') query += `\n${contentOf(message, index)}`;
      }
      return {
        prefix: system === '' ? prefix : openQuery(taskWith(system) + rest),
        suffix: closeQuery(query),
      };
    },
  };
}

/**
 * The one turn of 1.0 and 2.0, up to the section with the query. Qwen's tokeniser, which these models have, begins a
 * token there whatever follows, so that prefix and suffix may be tokenised apart.
 */
function openQuery(text: string): PromptSegment[] {
  return [...systemTurn, turnStart, turnText('user', text)];
}

function closeQuery(query: string): PromptSegment[] {
  return [plain(querySection(query)), turnEnd, lineEnd, ...openTurn];
}

/** The first message may take the place of the system turn. The template joins texts and raises on anything else. */
function template(tools: Tools): CompiledPrompt {
  // In one segment with the line end before it: the tokeniser reads two line ends as one token.
  const rest = tools === null ? [lineEnd] : [plain('\n\n'), ...turn('user', templateText(tools))];
  const begin = (system: string): PromptSegment[] => [
    ...turn('system', system).slice(0, -1),
    ...rest,
  ];
  const prefix = begin(defaultSystem);
  return {
    render(messages) {
      const [first, second] = messages;
      if (first === undefined) throw tooFewMessages();
      const suffix: PromptSegment[] = [];
      const isSystem = roleOf(first, 0) === 'system';
      if (isSystem && second === undefined) throw tooFewMessages();
      // A second system message is read and never shown.
      const skipped = isSystem ? (second?.role === 'system' ? 2 : 1) : 0;
      for (const [index, message] of messages.entries()) {
        if (index < skipped) continue;
        suffix.push(...turn(roleOf(message, index), textOf(message, index)));
      }
      suffix.push(...openTurn);
      return { prefix: isSystem ? begin(textOf(first, 0)) : prefix, suffix };
    },
  };
}

function templateText(tools: readonly unknown[]): string {
  const { task, format } = instructions.template;
  return `${task}${section('AVAILABLE_TOOLS', repr(tools))}\n${format}`;
}
