import { invalidRequest } from '#libs/contracts';
import {
  type AnyDict,
  copyDict,
  deleteMember,
  dumps,
  getMember,
  isDict,
  keysOf,
  type MutableDict,
  repr,
  setMember,
} from '#libs/pyjson';
import { walkTools } from './deep-tool.js';
import { readTool, toolFault } from './given-tool.js';
import { instructions, querySection, toolsSection } from './instructions.js';
import { type ChatMessage, contentOf, messageFault, roleOf } from './message.js';
import { promptText, turn } from './segments.js';

/** A record of the test sets. */
export interface EvalRecord {
  /** apibank_l1, apibank_l2, sealtool or toolalpaca: `eval-v1` converts the tools of each in another way. */
  readonly dataset: string;
  readonly tools: readonly unknown[];
  readonly query: string | readonly ChatMessage[];
}

/**
 * The text of a test record: `eval-v1` is for 1.0 and 2.0, wrapped as in training; `eval-2.1` is a turn of instructions
 * and one turn for each message, without the system turn and the open turn that the tester puts around.
 *
 * @throws HammerlineError `invalid_request` for an unknown data set, role, or shape of tools
 */
export function evalPrompt(flavour: 'eval-v1' | 'eval-2.1', record: EvalRecord): string {
  return walkTools(record.tools, () => (flavour === 'eval-v1' ? sections(record) : turns(record)));
}

function sections({ dataset, tools, query }: EvalRecord): string {
  const { task, format } = instructions.tight;
  const shown = dumps(tellRequired(dataset, tools), { ensureAscii: false });
  const body = typeof query === 'string' ? query : query.map(line).join('');
  return task + toolsSection(shown) + format + querySection(body);
}

function line(message: ChatMessage, index: number): string {
  const role = roleOf(message, index);
  const content = contentOf(message, index);
  switch (role) {
    case 'user':
      return `User: ${content}\n`;
    case 'agent':
      return `AI: ${content}\n`;
    case 'assistant':
      return `API-Request: ${content}->`;
    case 'tool':
      return `${content}\n`;
    default:
      throw messageFault(index, `has the unknown role ${repr(role)}`);
  }
}

function turns({ tools, query }: EvalRecord): string {
  const { task, format } = instructions.v2;
  const messages = typeof query === 'string' ? [{ role: 'user', content: query }] : query;
  return promptText({
    prefix: turn('user', task + toolsSection(dumps(tools)) + format),
    suffix: messages.flatMap((message, index) =>
      // The older test sets end their dialogues with this line; 2.1 does without.
      turn(
        roleOf(message, index),
        contentOf(message, index).replace(/\nGenerate API Request:$/, ''),
      ),
    ),
  });
}

function tellRequired(dataset: string, tools: readonly unknown[]): readonly unknown[] {
  switch (dataset) {
    case 'apibank_l1':
    case 'apibank_l2':
      return tools;
    case 'sealtool':
      return tools.map(tellInSealTools);
    case 'toolalpaca':
      return tools.map(tellInToolAlpaca);
    default:
      throw invalidRequest({
        pointer: '/dataset',
        detail: `there is no data set ${repr(dataset)}`,
        mend: 'give apibank_l1, apibank_l2, sealtool or toolalpaca',
      });
  }
}

function tellInSealTools(given: unknown, index: number): AnyDict {
  const required = isDict(given) ? getMember(given, 'required') : undefined;
  const isRequired = new Set<unknown>(Array.isArray(required) ? required : []);
  const tool = tellInDescriptions(given, index, (schema, name) => {
    deleteMember(schema, 'required');
    return `.Required is ${isRequired.has(name)}.`;
  });
  deleteMember(tool, 'required');
  return tool;
}

function tellInToolAlpaca(given: unknown, index: number): AnyDict {
  return tellInDescriptions(given, index, (schema) =>
    getMember(schema, 'required') === true ? ' Required is true.' : '',
  );
}

/** A copy of the tool whose parameters' descriptions end in what `tell` says. */
function tellInDescriptions(
  given: unknown,
  index: number,
  tell: (schema: MutableDict, name: string) => string,
): MutableDict {
  const tool = readTool(given, index);
  const told = copyDict(tool.parameters);
  for (const name of keysOf(told)) {
    const value = getMember(told, name);
    const schema = isDict(value) ? copyDict(value) : {};
    const description = getMember(schema, 'description');
    if (typeof description !== 'string') {
      throw toolFault(tool, `has no text as description of ${repr(name)}`, 'parameters', name);
    }
    setMember(schema, 'description', description + tell(schema, name));
    setMember(told, name, schema);
  }
  const copy = copyDict(tool.given);
  setMember(copy, 'parameters', told);
  return copy;
}
