import type { JsonSchema, ToolDefinition } from '#libs/contracts';
import { mapSchemas } from './json-schema.js';

/** The JSON Schema (2020-12) of a list of `min` to `max` calls `{"name": …, "arguments": …}` of these tools. */
export function callsSchema(
  tools: readonly ToolDefinition[],
  min: number,
  max: number,
): JsonSchema {
  if (tools.length === 0 || max === 0) return { type: 'array', maxItems: 0 };
  const calls = tools.map(({ name }, index) => ({
    type: 'object',
    properties: { name: { const: name }, arguments: { $ref: `#/$defs/tool${index}` } },
    required: ['name', 'arguments'],
    additionalProperties: false,
  }));
  return {
    type: 'array',
    items: calls.length === 1 ? calls[0] : { anyOf: calls },
    ...(min > 0 ? { minItems: min } : {}),
    ...(max < Infinity ? { maxItems: max } : {}),
    $defs: Object.fromEntries(
      tools.map(({ parameters }, index) => [
        `tool${index}`,
        { ...move(parameters, `#/$defs/tool${index}`), type: 'object' },
      ]),
    ),
  };
}

/** A schema with its references to its own root led to where it stands now. */
function move(schema: JsonSchema, to: string): JsonSchema {
  const moved = mapSchemas(schema, (inner) => move(inner, to));
  const { $ref } = schema;
  const isPointer = typeof $ref === 'string' && /^#(?:\/|$)/.test($ref);
  return isPointer ? { ...moved, $ref: to + $ref.slice(1) } : moved;
}
