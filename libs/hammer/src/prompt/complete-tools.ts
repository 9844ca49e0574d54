import type { JsonSchema, ToolDefinition } from '#libs/contracts';
import { isObject } from '../json.js';

/**
 * Makes tools of valid JSON Schema fit for every flavour: the originals raise on schemas that they do not expect. A
 * required name without schema gets the schema `{}`, which allows anything; a default gets a description to be told
 * in. What the schemas allow does not change, and complete tools come back as they are.
 */
export function completeTools(tools: readonly ToolDefinition[]): ToolDefinition[] {
  return tools.map((tool) => {
    const parameters = completeObject(tool.parameters, completeParameter);
    return parameters === tool.parameters ? tool : { ...tool, parameters };
  });
}

/** Completes the properties, and adds those that are only named as required. */
function completeObject(
  schema: JsonSchema,
  complete: (schema: unknown, isRequired: boolean) => unknown,
): JsonSchema {
  const properties = isObject(schema.properties) ? schema.properties : {};
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  const completed = new Map<string, unknown>();
  for (const [name, property] of Object.entries(properties)) {
    completed.set(name, complete(property, required.has(name)));
  }
  for (const name of required) if (!completed.has(name)) completed.set(name, {});
  const isComplete = [...completed].every(
    ([name, property]) => Object.hasOwn(properties, name) && properties[name] === property,
  );
  return isComplete ? schema : { ...schema, properties: Object.fromEntries(completed) };
}

function completeParameter(given: unknown): unknown {
  const schema = withDescription(asObject(given));
  if (!isObject(schema.properties)) return schema;
  const completed = completeObject(schema, completeInner);
  const { properties, ...outer } = completed;
  // Flattened, an inner parameter of this name would be taken for the default of the outer one.
  if (!isObject(properties) || !Object.hasOwn(properties, 'default')) return completed;
  return { ...outer, allOf: [...listOf(outer.allOf), { properties }] };
}

function completeInner(schema: unknown, isRequired: boolean): unknown {
  return isRequired ? asObject(schema) : schema;
}

/** Boolean schemas as objects of the same meaning. */
export function asObject(schema: unknown): JsonSchema {
  if (isObject(schema)) return schema;
  return schema === false ? { not: {} } : {};
}

function withDescription(schema: JsonSchema): JsonSchema {
  const isTold = schema.default === undefined || typeof schema.description === 'string';
  return isTold ? schema : { ...schema, description: '' };
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
