import type { JsonSchema, ToolDefinition } from '#libs/contracts';
import { mapSchemas, resolve } from '../constraint/json-schema.js';
import { isObject } from '../json.js';
import { asObject } from './complete-tools.js';

/** Most characters of JSON that references may add to a tool. */
const maxGrowth = 65_536;
/** Schemas one in another; what is deeper stays as it is. */
const maxDepth = 64;

const definitions = new Set(['$defs', 'definitions']);

/**
 * Puts what local references (`#/$defs/Address`) lead to in their place, for flavours that show a tool's properties and
 * not its definitions. What stands beside a reference wins; where a schema contains itself, the second one shows `type`
 * and `description` alone. References that lead nowhere stay, and all from where they would add more than 64 KiB to a
 * tool. Tools without references come back as they are.
 */
export function inlineReferences(tools: readonly ToolDefinition[]): ToolDefinition[] {
  return tools.map((tool) => {
    const parameters = inlineIn(tool.parameters);
    return parameters === tool.parameters ? tool : { ...tool, parameters };
  });
}

function inlineIn(root: JsonSchema): JsonSchema {
  const open = new Set<unknown>();
  const sizes = new Map<unknown, number>();
  let room = maxGrowth;

  const inline = (schema: JsonSchema): JsonSchema => {
    if (open.has(schema) || open.size >= maxDepth) return schema;
    open.add(schema);
    const { $ref, ...siblings } = schema;
    const target = typeof $ref === 'string' ? resolve(root, $ref) : undefined;
    const inlined = replace(target, siblings) ?? inlineInside(schema);
    open.delete(schema);
    return inlined;
  };
  const inlineInside = (schema: JsonSchema): JsonSchema =>
    mapSchemas(schema, (inner, keyword) => (definitions.has(keyword) ? inner : inline(inner)));
  const replace = (target: unknown, siblings: JsonSchema): JsonSchema | undefined => {
    if (!isObject(target) && typeof target !== 'boolean') return undefined;
    if (open.has(target)) return heading({ ...asObject(target), ...siblings });
    const size = sizes.get(target) ?? sizeOf(target);
    sizes.set(target, size);
    if (size > room) return undefined;
    room -= size;
    return { ...inline(asObject(target)), ...inlineInside(siblings) };
  };
  return inline(root);
}

function heading({ type, description }: JsonSchema): JsonSchema {
  return { ...(type !== undefined && { type }), ...(description !== undefined && { description }) };
}

function sizeOf(schema: unknown): number {
  try {
    return JSON.stringify(schema).length;
  } catch {
    return Infinity; // it holds itself, or nests too deeply
  }
}
