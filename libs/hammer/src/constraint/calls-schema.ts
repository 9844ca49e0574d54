import type { JsonSchema, ToolDefinition } from '#libs/contracts';
import { isObject } from '../json.js';

/** Keywords that map names to schemas, and those whose values are data. */
const maps = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
]);
const data = new Set(['const', 'enum', 'default', 'example', 'examples']);

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
  const entries = Object.entries(schema).map(([keyword, value]): [string, unknown] => {
    if (keyword === '$ref' && typeof value === 'string') {
      return [keyword, value.startsWith('#') ? to + value.slice(1) : value];
    }
    if (data.has(keyword)) return [keyword, value];
    if (maps.has(keyword) && isObject(value)) {
      const members = Object.entries(value).map(([name, member]) => [name, moveAny(member, to)]);
      return [keyword, Object.fromEntries(members)];
    }
    return [keyword, moveAny(value, to)];
  });
  return Object.fromEntries(entries);
}

function moveAny(value: unknown, to: string): unknown {
  if (Array.isArray(value)) return value.map((member) => moveAny(member, to));
  return isObject(value) ? move(value, to) : value;
}
