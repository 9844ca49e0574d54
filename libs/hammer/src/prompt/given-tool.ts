import { type HammerlineError, invalidRequest } from '#libs/contracts';
import {
  type AnyDict,
  copyDict,
  getMember,
  isDict,
  type MutableDict,
  repr,
  setMember,
} from '#libs/pyjson';

/** A tool of the caller, its members unchecked but for their presence, as in the original. */
export interface GivenTool {
  readonly given: AnyDict;
  readonly index: number;
  readonly name: unknown;
  readonly description: unknown;
  readonly parameters: AnyDict;
}

/** @throws HammerlineError `invalid_request` if one of the three members that every flavour needs is missing */
export function readTool(given: unknown, index: number): GivenTool {
  if (!isDict(given)) throw toolFault({ index }, 'is no object');
  const name = getMember(given, 'name');
  const place = { index, name };
  if (name === undefined) throw toolFault(place, 'has no name', 'name');
  const description = getMember(given, 'description');
  if (description === undefined) throw toolFault(place, 'has no description', 'description');
  const parameters = getMember(given, 'parameters');
  if (!isDict(parameters)) {
    throw toolFault(place, 'has no object with its parameters', 'parameters');
  }
  return { given, index, name, description, parameters };
}

/** @param path leads from the tool to the faulty member */
export function toolFault(
  { index, name }: { index: number; name?: unknown },
  detail: string,
  ...path: string[]
): HammerlineError {
  const steps = path.map((step) => step.replaceAll('~', '~0').replaceAll('/', '~1'));
  return invalidRequest({
    pointer: ['/tools', index, ...steps].join('/'),
    detail: `tool ${index}${name === undefined ? '' : ` (${repr(name)})`} ${detail}`,
    mend: 'give {name, description, parameters: JSON Schema of type object}',
  });
}

/** A copy of the map of parameters; empty if there is none. */
export function readProperties(tool: GivenTool): MutableDict {
  const properties = getMember(tool.parameters, 'properties');
  if (properties === undefined) return {};
  if (isDict(properties)) return copyDict(properties);
  throw toolFault(tool, 'has properties that are no object', 'parameters', 'properties');
}

/** A copy with one member set. */
export function withMember(dict: AnyDict, key: string, value: unknown): AnyDict {
  const copy = copyDict(dict);
  setMember(copy, key, value);
  return copy;
}
