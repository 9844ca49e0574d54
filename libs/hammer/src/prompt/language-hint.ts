import {
  type AnyDict,
  copyDict,
  deleteMember,
  dumps,
  getMember,
  isDict,
  keysOf,
  repr,
  setMember,
  str,
} from '#libs/pyjson';
import { type GivenTool, readProperties, readTool, toolFault, withMember } from './given-tool.js';

export type Language = 'Python' | 'Java' | 'JavaScript';

const syntaxes: Readonly<Record<Language, string>> = {
  Python: 'Python 3 syntax',
  Java: 'Java 8 SDK syntax',
  JavaScript: 'JavaScript syntax',
};

/** Types whose `items` are told in words. */
const lists: Readonly<Record<Language, readonly unknown[]>> = {
  Python: [],
  Java: ['ArrayList', 'Array'],
  JavaScript: ['array'],
};

/**
 * BFCL's functions as its prompts show them: each description says the language. In Java and JavaScript each
 * parameter's description also says its type, and all become `string`, as the model has to write source text. For
 * prompts only: calls are checked against the functions as they are. The given functions stay as they are.
 *
 * @throws HammerlineError `invalid_request` where the original raises
 */
export function addLanguageHint(functions: readonly unknown[], language: Language): AnyDict[] {
  return functions.map((given, index) => {
    const tool = readTool(given, index);
    const { description, parameters } = tool;
    if (typeof description !== 'string') {
      throw toolFault(tool, 'has no text as description', 'description');
    }
    if (getMember(parameters, 'properties') === undefined) {
      throw toolFault(tool, 'has no properties', 'parameters', 'properties');
    }
    const properties = readProperties(tool);
    const hint = ` Note that the provided function is in ${syntaxes[language]}.`;
    const hinted = withMember(tool.given, 'description', description + hint);
    if (language === 'Python') return hinted;
    for (const name of keysOf(properties)) {
      const schema = getMember(properties, name);
      setMember(properties, name, tellType(schema, language, name, tool));
    }
    return withMember(hinted, 'parameters', withMember(parameters, 'properties', properties));
  });
}

function tellType(given: unknown, language: Language, name: string, tool: GivenTool): AnyDict {
  const schema = isDict(given) ? copyDict(given) : {};
  const type = getMember(schema, 'type');
  const description = getMember(schema, 'description');
  if (type === undefined || typeof description !== 'string') {
    const detail = `has no type, or no text as description, of ${repr(name)}`;
    throw toolFault(tool, detail, 'parameters', 'properties', name);
  }
  let told =
    type === 'any'
      ? ` This parameter can be of any type of ${language} object in string representation.`
      : ` This is ${language} ${str(type)} type parameter in string representation.`;
  if (lists[language].includes(type)) {
    const items = getMember(schema, 'items');
    const itemType = isDict(items) ? getMember(items, 'type') : undefined;
    if (itemType === undefined) {
      throw toolFault(
        tool,
        `has no type of the items of ${repr(name)}`,
        'parameters',
        'properties',
        name,
      );
    }
    told += ` The list elements are of type ${str(itemType)}; they are not in string representation.`;
    deleteMember(schema, 'items');
  }
  const entries = getMember(schema, 'properties');
  if (language === 'JavaScript' && type === 'dict' && entries !== undefined) {
    told += ` The dictionary entries have the following schema; they are not in string representation. ${dumps(entries)}`;
    deleteMember(schema, 'properties');
  }
  setMember(schema, 'description', description + told);
  setMember(schema, 'type', 'string');
  return schema;
}
