import type { ResolvedCall } from '#libs/contracts';
import { isObject } from './mask-keywords.js';
import { invert, type NamingStyle, renameNames } from './rename-names.js';
import { readSample, type Sample, writeAnswers, writeTools } from './sample.js';

/** Tools under other names, and the ways there and back for calls. */
export interface Renaming<T> {
  tools: T[];
  rename: (call: ResolvedCall) => ResolvedCall;
  /** Undoes `rename`. A call that says an old name becomes one of no tool, or of another: it is no right answer. */
  restore: (call: ResolvedCall) => ResolvedCall;
}

/**
 * Writes the names of tools and of their parameters (not of nested ones) in another style, see {@link renameNames}: a set
 * to test robustness with. Descriptions and all else stay. A parameter is renamed within its tool, in `required` too.
 *
 * @param tools with `parameters` as a JSON Schema or as xLAM's map of parameters
 */
export function renameTools<T extends { readonly name: string; readonly parameters?: unknown }>(
  tools: readonly T[],
  style: NamingStyle,
): Renaming<T> {
  const there = ToolNames.of(
    tools.map(({ name, parameters }) => ({ name, parameters: Object.keys(declared(parameters)) })),
    style,
  );
  const back = there.inverse();
  return {
    tools: tools.map((tool) => ({
      ...tool,
      name: there.tool(tool.name),
      ...(isObject(tool.parameters) && {
        parameters: renameParameters(tool.parameters, (name) => there.parameter(tool.name, name)),
      }),
    })),
    rename: (call) => renameCall(call, there),
    restore: (call) => renameCall(call, back),
  };
}

/**
 * The same for a row of test or training data; its answers follow.
 *
 * @throws HammerlineError `invalid_request` for a row not in the form of {@link Sample}
 */
export function renameSample<S extends Sample>(sample: S, style: NamingStyle): S {
  const { tools, answers } = readSample(sample);
  const names = ToolNames.of(
    tools.map(({ name, parameters }) => ({ name, parameters: [...parameters.keys()] })),
    style,
  );
  for (const tool of tools) {
    tool.parameters = new Map(
      Array.from(tool.parameters, ([key, schema]) => [names.parameter(tool.name, key), schema]),
    );
    tool.name = names.tool(tool.name);
  }
  for (const call of answers) {
    call.arguments = new Map(
      Array.from(call.arguments, ([key, value]) => [names.parameter(call.name, key), value]),
    );
    call.name = names.tool(call.name);
  }
  return { ...sample, tools: writeTools(tools), answers: writeAnswers(answers) };
}

/** New names of tools, and of the parameters of each tool by its old name. */
class ToolNames {
  readonly #tools: ReadonlyMap<string, string>;
  readonly #parameters: ReadonlyMap<string, ReadonlyMap<string, string>>;

  constructor(
    tools: ReadonlyMap<string, string>,
    parameters: ReadonlyMap<string, ReadonlyMap<string, string>>,
  ) {
    this.#tools = tools;
    this.#parameters = parameters;
  }

  /** Tools of the same name share the names of their parameters. */
  static of(tools: readonly DeclaredTool[], style: NamingStyle): ToolNames {
    const parameters = new Map<string, string[]>();
    for (const tool of tools) {
      parameters.set(tool.name, [...(parameters.get(tool.name) ?? []), ...tool.parameters]);
    }
    return new ToolNames(
      renameNames(parameters.keys(), style),
      new Map(Array.from(parameters, ([name, list]) => [name, renameNames(list, style)])),
    );
  }

  tool(name: string): string {
    return this.#tools.get(name) ?? name;
  }

  parameter(tool: string, name: string): string {
    return this.#parameters.get(tool)?.get(name) ?? name;
  }

  inverse(): ToolNames {
    return new ToolNames(
      invert(this.#tools),
      new Map(Array.from(this.#parameters, ([name, list]) => [this.tool(name), invert(list)])),
    );
  }
}

interface DeclaredTool {
  name: string;
  parameters: readonly string[];
}

function renameCall(call: ResolvedCall, names: ToolNames): ResolvedCall {
  return {
    name: names.tool(call.name),
    arguments: renameKeys(call.arguments, (name) => names.parameter(call.name, name)),
  };
}

function renameParameters(
  parameters: Record<string, unknown>,
  rename: (name: string) => string,
): Record<string, unknown> {
  if (!isSchema(parameters)) return renameKeys(parameters, rename);
  const { properties, required } = parameters;
  return {
    ...parameters,
    ...(isObject(properties) && { properties: renameKeys(properties, rename) }),
    ...(Array.isArray(required) && { required: required.map((name) => rename(String(name))) }),
  };
}

function declared(parameters: unknown): Record<string, unknown> {
  if (!isObject(parameters)) return {};
  if (!isSchema(parameters)) return parameters;
  return isObject(parameters.properties) ? parameters.properties : {};
}

/** A map of parameters may have ones called `type` and `properties`, but they are no text, and hold texts. */
function isSchema({ type, properties }: Record<string, unknown>): boolean {
  if (typeof type === 'string' || Array.isArray(type)) return true;
  return (
    isObject(properties) && Object.values(properties).every((member) => typeof member !== 'string')
  );
}

/** Object.fromEntries makes own members of every name, also of `__proto__`. */
function renameKeys(
  members: Record<string, unknown>,
  rename: (name: string) => string,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members).map(([name, member]) => [rename(name), member]),
  );
}
