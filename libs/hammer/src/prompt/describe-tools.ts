import { type AnyDict, getMember, isDict, keysOf, setMember } from '#libs/pyjson';
import { readProperties, readTool } from './given-tool.js';

/**
 * Tools as the embedded model was trained to read them: a flat map of parameters, each with type and description
 * first, then `required: true` in those required.
 */
export function describeTools(tools: readonly unknown[]): AnyDict[] {
  return tools.map((given, index) => {
    const tool = readTool(given, index);
    const { name, description, parameters } = tool;
    const names = getMember(parameters, 'required');
    const required = new Set<unknown>(Array.isArray(names) ? names : []);
    const properties = readProperties(tool);
    for (const key of keysOf(properties)) {
      const schema = getMember(properties, key);
      setMember(properties, key, describeParameter(schema, required.has(key)));
    }
    return { name, description, parameters: properties };
  });
}

function describeParameter(given: unknown, isRequired: boolean): AnyDict {
  const schema = isDict(given) ? given : {};
  const first: Record<string, unknown> = {
    type: getMember(schema, 'type'),
    description: getMember(schema, 'description'),
  };
  if (isRequired) first.required = true;
  // A Map stays one: it may hold keys whose order a plain object would change.
  return schema instanceof Map
    ? new Map([...Object.entries(first), ...schema])
    : { ...first, ...schema };
}
