import {
  type CallDelta,
  invalidRequest,
  type ResolvedCall,
  type ToolDefinition,
} from '#libs/contracts';
import { isObject } from './mask-keywords.js';
import { MaskSource, type TakenNames } from './mask-names.js';
import { judgedNames, Places } from './mask-places.js';
import { maskSchema } from './mask-schema.js';
import { MASK_STYLES, type MaskStyle, maskStyles } from './mask-styles.js';
import { type Survey, surveyTool } from './mask-survey.js';
import { maskText, MentionedNames } from './mask-texts.js';
import { type Direction, masking, renameMembers, unmasking } from './mask-values.js';
import { unmaskDeltas } from './unmask-stream.js';

export interface MaskOptions {
  /** Names the tenant and the toolset. Equal tools under an equal key get equal masks, under another key others. */
  key: string;
  /** What masks look like. Default: `hash`, as in the training of the Hammer models. */
  style?: MaskStyle;
}

/** Real names by mask, to be shown to people. */
export interface MaskedNames {
  functions: Record<string, string>;
  /** By the mask of the function, then of the parameter. A parameter that keeps its name is not among them. */
  parameters: Record<string, Record<string, string>>;
}

/** Tools under names that say nothing, so that a model chooses by the descriptions; and the ways there and back. */
export interface Masking {
  /** The tools as the model sees them, in the same order. */
  readonly tools: ToolDefinition[];
  readonly names: MaskedNames;
  /**
   * A call as the model would have written it, for earlier turns. `unmask` gives it back if no name that the schemas do
   * not list happens to be a mask of one that they list in the same place.
   */
  mask: (call: ResolvedCall) => ResolvedCall;
  /** A call under real names. A name that is no mask stays: validation will refuse it. */
  unmask: (call: ResolvedCall) => ResolvedCall;
  /** {@link unmask} for one answer that arrives in pieces: give it each piece, and pass on what it returns. */
  unmaskStream: () => (delta: CallDelta) => CallDelta[];
}

interface MaskedTool {
  name: string;
  mask: string;
  places: Places;
}

/**
 * Renames functions and their parameters for serving. Deterministic: equal tools under an equal key get equal masks, so
 * that prompts have equal prefixes. No mask is a real name of the toolset. Within a tool a name has one mask wherever it
 * stands, as schemas may name it from several places.
 *
 * What is renamed:
 *
 * - in schemas, every name that `properties`, `required`, `dependentRequired`, `dependentSchemas` list, at any depth;
 * - in arguments, the keys in places where such a schema applies, whichever branch of `anyOf` and the like; data in
 *   places without a schema is left alone, whatever its keys are;
 * - in descriptions and titles, mentions of the tool's own parameters and of any function (rule: {@link maskText}), but
 *   for words that are values of the very schema (its `enum`, `const` or `default`);
 * - in `default` and `examples`, keys as in arguments. All other values are data.
 *
 * Arguments fit the real schema exactly if, masked, they fit the masked one. For that, a parameter keeps its name if
 * `patternProperties` or `propertyNames` judge it too, or if it is a key within an `enum` or `const`.
 *
 * @throws HammerlineError `invalid_request` that names the tool, if two have one name, or if a schema contains itself (as
 * a JavaScript object, not by `$ref`), nests deeper than 256 levels or refers to a schema outside the tool
 */
export function maskTools(
  tools: readonly ToolDefinition[],
  { key, style = 'hash' }: MaskOptions,
): Masking {
  checkStyle(style);
  const names = readNames(tools);
  const surveyed = tools.map((tool, index) => ({ tool, survey: surveyTool(tool, index) }));
  const source = new MaskSource(key, style);
  const taken: TakenNames = new Map();
  for (const name of names) taken.set(name, '');
  for (const { survey } of surveyed) for (const name of survey.names) taken.set(name, '');
  const functions = source.masks('function', '', names, taken);
  const mentionedFunctions = new MentionedNames(functions);

  const byMask = new Map<string, MaskedTool>();
  const shown = surveyed.map(({ tool, survey }): ToolDefinition => {
    const { name, description, parameters } = tool;
    const mask = functions.get(name) ?? name;
    const masks = source.masks('parameter', name, maskable(parameters, survey), taken);
    const places = new Places(parameters, masks);
    const masked = { name, mask, places };
    byMask.set(mask, masked);
    const mentioned = new MentionedNames(masks, mentionedFunctions);
    return {
      name: mask,
      description: maskText(description, mentioned),
      parameters: maskSchema(parameters, places, mentioned),
    };
  });
  return new ToolMasking(shown, functions, byMask);
}

/** A class, because V8 keeps all that a getter in an object literal can reach until the next full collection. */
class ToolMasking implements Masking {
  readonly tools: ToolDefinition[];
  readonly mask: Masking['mask'];
  readonly unmask: Masking['unmask'];
  readonly unmaskStream: Masking['unmaskStream'];
  readonly #byMask: ReadonlyMap<string, MaskedTool>;

  constructor(
    tools: ToolDefinition[],
    functions: ReadonlyMap<string, string>,
    byMask: ReadonlyMap<string, MaskedTool>,
  ) {
    this.tools = tools;
    this.#byMask = byMask;
    this.mask = (call) => renameCall(call, byMask.get(functions.get(call.name) ?? ''), masking);
    this.unmask = (call) => renameCall(call, byMask.get(call.name), unmasking);
    this.unmaskStream = () => unmaskDeltas((mask) => byMask.get(mask));
  }

  get names(): MaskedNames {
    return maskedNames(this.#byMask);
  }
}

/** @param tenant whose masks: another tenant gets others for the same tools */
export function maskKey(tenant: string, toolsetHash: string): string {
  return `${tenant}/${toolsetHash}`;
}

function checkStyle(style: string): void {
  if (Object.hasOwn(maskStyles, style)) return;
  const mend = `choose one of: ${MASK_STYLES.join(', ')}`;
  throw invalidRequest({ pointer: '/style', detail: `there is no style ${style}`, mend });
}

/** The names of the tools, which have to be different ones. */
function readNames(tools: readonly ToolDefinition[]): Set<string> {
  const names = new Set<string>();
  for (const [index, { name, description, parameters }] of tools.entries()) {
    if (typeof name !== 'string' || typeof description !== 'string' || !isObject(parameters)) {
      throw invalidRequest({
        pointer: `/tools/${index}`,
        detail: 'has no name, description and parameters of the right types',
        mend: 'give {name, description, parameters}; readTools of libs/tools reads other shapes',
      });
    }
    if (names.has(name)) {
      const first = tools.findIndex((tool) => tool.name === name);
      const detail = `tools ${first} and ${index} have the same name ${JSON.stringify(name)}`;
      throw invalidRequest({ pointer: `/tools/${index}/name`, detail, mend: 'rename one of them' });
    }
    names.add(name);
  }
  return names;
}

function maskedNames(byMask: ReadonlyMap<string, MaskedTool>): MaskedNames {
  return {
    functions: Object.fromEntries(Array.from(byMask, ([mask, { name }]) => [mask, name])),
    parameters: Object.fromEntries(
      Array.from(byMask, ([mask, { places }]) => {
        const parameters = Array.from(places.masks, ([name, hidden]) => [hidden, name]);
        return [mask, Object.fromEntries(parameters)];
      }),
    ),
  };
}

/** The names of parameters that can be masked without changing what fits the schema. */
function maskable(schema: unknown, { names, literalKeys, hasPatterns }: Survey): Iterable<string> {
  if (literalKeys.length === 0 && !hasPatterns) return names;
  const kept = new Set(literalKeys);
  if (hasPatterns) for (const name of judgedNames(schema, names)) kept.add(name);
  return [...names].filter((name) => !kept.has(name));
}

function renameCall(
  call: ResolvedCall,
  tool: MaskedTool | undefined,
  direction: Direction,
): ResolvedCall {
  if (tool === undefined) return call;
  const args = renameMembers(call.arguments, tool.places.root, direction);
  return { name: tool[direction.write], arguments: args as ResolvedCall['arguments'] };
}
