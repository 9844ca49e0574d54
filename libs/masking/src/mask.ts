import type { ResolvedCall, ToolDefinition } from '#libs/contracts';
import { maskNames } from './mask-names.js';
import { maskSchema, parameterNames } from './mask-schema.js';

/** Arguments deeper than this are left as they are, so that no answer of a model can overflow the stack. */
const maxDepth = 64;

/** Tools under names that say nothing, so that a model chooses by the descriptions; and the way back. */
export interface Masking {
  /** The tools as the model sees them, in the same order. */
  tools: ToolDefinition[];
  /** Real function names by mask. */
  names: ReadonlyMap<string, string>;
  /** A call under real names. A name that is no mask stays: validation will refuse it. */
  unmask: (call: ResolvedCall) => ResolvedCall;
}

/**
 * Renames functions and their parameters, also those of nested objects, for serving. Deterministic: equal tools under an
 * equal key get equal masks, so that prompts have equal prefixes; another key gives others. Within a tool a parameter
 * name has one mask wherever it stands, as schemas may name it from several places.
 *
 * @param key names the tenant and the toolset
 */
export function maskTools(tools: readonly ToolDefinition[], key: string): Masking {
  const functionMasks = maskNames(
    'function',
    tools.map((tool) => tool.name),
    { key, scope: '' },
  );
  const names = new Map<string, string>();
  const parametersOf = new Map<string, ReadonlyMap<string, string>>();
  const masked = tools.map(({ name, description, parameters }): ToolDefinition => {
    const mask = functionMasks.get(name) ?? name;
    const masks = maskNames('parameter', parameterNames(parameters), { key, scope: name });
    names.set(mask, name);
    parametersOf.set(mask, new Map(Array.from(masks, ([real, hidden]) => [hidden, real])));
    return { name: mask, description, parameters: maskSchema(parameters, masks) };
  });
  return {
    tools: masked,
    names,
    unmask(call) {
      const name = names.get(call.name);
      const parameters = parametersOf.get(call.name);
      if (name === undefined || parameters === undefined) return call;
      return { name, arguments: unmaskMembers(call.arguments, parameters, maxDepth) };
    },
  };
}

/** If a model gives an argument under its mask and under its real name, the one under the mask counts. */
function unmaskMembers(
  value: Record<string, unknown>,
  names: ReadonlyMap<string, string>,
  levels: number,
): Record<string, unknown> {
  const hidden = new Set(Object.keys(value).flatMap((key) => names.get(key) ?? []));
  const members = Object.entries(value)
    .filter(([key]) => !hidden.has(key))
    .map(([key, member]) => [names.get(key) ?? key, unmaskValue(member, names, levels - 1)]);
  return Object.fromEntries(members) as Record<string, unknown>;
}

function unmaskValue(value: unknown, names: ReadonlyMap<string, string>, levels: number): unknown {
  if (typeof value !== 'object' || value === null || levels === 0) return value;
  if (Array.isArray(value)) return value.map((member) => unmaskValue(member, names, levels - 1));
  return unmaskMembers(value as Record<string, unknown>, names, levels);
}
