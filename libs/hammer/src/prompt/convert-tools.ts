import { HammerlineError } from '#libs/contracts';
import {
  type AnyDict,
  copyDict,
  getMember,
  isDict,
  keysOf,
  type MutableDict,
  repr,
  setMember,
  str,
} from '#libs/pyjson';
import { type GivenTool, readProperties, readTool, toolFault, withMember } from './given-tool.js';

/**
 * Converts tools that have `parameters.properties` to the flat shape that Hammer models know: `parameters` maps names
 * to schemas, with `required: true` in those required and defaults told in descriptions. With `flatten` (not in 1.0) a
 * parameter that has `properties` is replaced by them. The given tools stay as they are.
 *
 * @throws HammerlineError `invalid_request` where the original raises: a tool without name, description or parameters
 * (such as OpenAI's wrapped shape), a required name without schema, a default without description
 */
export function convertTools(
  tools: readonly unknown[],
  { flatten }: { flatten: boolean },
): AnyDict[] {
  return tools.map((given, index) => {
    const tool = readTool(given, index);
    const properties = readProperties(tool);
    markProperties(properties, tool, flatten);
    return { name: tool.name, description: tool.description, parameters: properties };
  });
}

/**
 * What Hammer's client prints: the caller's tools, on whose parameters the conversion has left its marks. The client
 * swallows errors: a faulty tool keeps the marks made so far, and the tools behind it get none.
 */
export function editTools(tools: readonly unknown[]): unknown[] {
  const edited = [...tools];
  try {
    for (const [index, given] of tools.entries()) {
      if (!isDict(given)) continue;
      const tool = readTool(given, index);
      const properties = readProperties(tool);
      if (getMember(tool.parameters, 'properties') !== undefined) {
        const parameters = withMember(tool.parameters, 'properties', properties);
        edited[index] = withMember(given, 'parameters', parameters);
      }
      markProperties(properties, tool, true);
    }
  } catch (error) {
    if (!(error instanceof HammerlineError)) throw error;
  }
  return edited;
}

/** Changes `properties` step by step, in the original's order: where it throws, earlier marks stay. */
function markProperties(properties: MutableDict, tool: GivenTool, flatten: boolean): void {
  if (flatten) {
    for (const name of keysOf(properties)) {
      const schema = getMember(properties, name);
      const inner = lookUp(schema, 'properties', name, tool);
      if (!isDict(inner)) continue;
      const flat = copyDict(inner);
      setMember(properties, name, flat);
      markRequired(flat, lookUp(schema, 'required', name, tool), tool);
    }
  }
  markRequired(properties, getMember(tool.parameters, 'required'), tool);
  for (const name of keysOf(properties)) {
    const schema = getMember(properties, name);
    const value = lookUp(schema, 'default', name, tool);
    if (value === undefined) continue;
    const description = lookUp(schema, 'description', name, tool);
    if (typeof description !== 'string') {
      const detail = `has no text as description of ${repr(name)}, which has a default`;
      throw toolFault(tool, detail, 'parameters', 'properties', name, 'description');
    }
    const told = `${description}default is '${str(value)}'`;
    setMember(properties, name, withMember(schema as AnyDict, 'description', told));
  }
}

function markRequired(schemas: MutableDict, required: unknown, tool: GivenTool): void {
  for (const name of members(required, tool)) {
    const schema = typeof name === 'string' ? getMember(schemas, name) : undefined;
    if (!isDict(schema))
      throw toolFault(tool, `requires ${repr(name)}, which has no schema`, 'parameters');
    setMember(schemas, name as string, withMember(schema, 'required', true));
  }
}

/** What Python iterates over. */
function members(value: unknown, tool: GivenTool): Iterable<unknown> {
  if (value === undefined) return [];
  if (Array.isArray(value) || typeof value === 'string') return value;
  if (isDict(value)) return keysOf(value);
  throw toolFault(tool, 'has a "required" that is no list', 'parameters', 'required');
}

/**
 * A member of a schema, undefined if it has none. Python also looks for the key in texts and lists, finds it or not,
 * and fails only if it does.
 */
function lookUp(schema: unknown, key: string, name: string, tool: GivenTool): unknown {
  if (isDict(schema)) return getMember(schema, key);
  const isSearchable = typeof schema === 'string' || Array.isArray(schema);
  if (isSearchable && !schema.includes(key)) return undefined;
  throw toolFault(
    tool,
    `has no object as schema of ${repr(name)}`,
    'parameters',
    'properties',
    name,
  );
}
