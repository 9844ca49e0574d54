import type { PyDict } from '#libs/pyjson';
import { drawMasks } from './draw-mask.js';
import { maskDefaults } from './mask-defaults.js';
import type { Random } from './random.js';
import { readSample, type Sample, type SampleTool, writeAnswers, writeTools } from './sample.js';

/**
 * `strict`: what the code of the Hammer paper gives (train/data_processing.py), its faults included. `corrected`: what
 * it is meant to give, see {@link maskDefaults}; names are masked alike in both.
 */
export type MaskingMode = 'strict' | 'corrected';

/**
 * Masks a row of training data as the Hammer paper does: every function and parameter gets a random name, defaults that
 * the answers use get a random value, tools a random order; the answers follow. Descriptions stay, but for the
 * defaults in them, and so does the query, which never says a name. Of tools with the same name the first is kept.
 *
 * The arguments of an answer come in the order of the tool's parameters, behind those that the tool does not know.
 *
 * Other than in the original, a mask is never a name that is in use. Two things that it does leave no trace, and are not
 * done here: between its steps it puts some repeats of tools back, which the next step drops, and it shuffles twice.
 * The order that comes out is uniform either way.
 *
 * @param pointer where the sample stands: each fault's pointer starts with it
 * @throws HammerlineError `invalid_request` for tools or answers that are not in the form of {@link Sample}
 */
export function maskSample<S extends Sample>(
  sample: S,
  random: Random,
  mode: MaskingMode,
  pointer = '',
): S {
  const { tools, answers } = readSample(sample, pointer);
  const called = answers.map(({ name }) => name);
  const distinct = distinctTools(tools);
  const names = drawMasks('function', distinct.keys(), called, random);
  for (const tool of distinct.values()) {
    const calls = answers.filter((call) => call.name === tool.name);
    const unknown = calls.flatMap((call) => [...call.arguments.keys()]);
    const masks = drawMasks('parameter', tool.parameters.keys(), unknown, random);
    tool.parameters = rename(tool.parameters, masks);
    for (const call of calls) call.arguments = rename(inOrder(call.arguments, masks), masks);
  }
  for (const named of [...distinct.values(), ...answers]) {
    named.name = names.get(named.name) ?? named.name;
  }
  const shuffled = random.shuffle(distinct.values());
  const query = maskDefaults({ query: sample.query, tools: shuffled, answers }, random, mode);
  return { ...sample, query, tools: writeTools(shuffled), answers: writeAnswers(answers) };
}

/** The first tool of each name. */
export function distinctTools(tools: readonly SampleTool[]): Map<string, SampleTool> {
  const distinct = new Map<string, SampleTool>();
  for (const tool of tools) if (!distinct.has(tool.name)) distinct.set(tool.name, tool);
  return distinct;
}

/** Arguments without a mask first, then the others in the order of the masks. */
export function inOrder(values: PyDict, masks: ReadonlyMap<string, string>): PyDict {
  const known = [...masks.keys()].filter((name) => values.has(name));
  const ordered = new Map([...values].filter(([name]) => !masks.has(name)));
  for (const name of known) ordered.set(name, values.get(name) ?? null);
  return ordered;
}

export function rename<T>(
  members: ReadonlyMap<string, T>,
  names: ReadonlyMap<string, string>,
): Map<string, T> {
  return new Map(Array.from(members, ([name, member]) => [names.get(name) ?? name, member]));
}
