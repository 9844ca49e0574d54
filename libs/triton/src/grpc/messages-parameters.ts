import type { Parameters } from '../protocol.js';
import { putEntry } from '../entries.js';
import { invalidArgument } from '../triton-error.js';
import { checkParameterNumber } from '../write-json.js';
import type { InferParameter } from './messages-infer.js';

type ParameterMap = Readonly<Record<string, InferParameter>>;

const INT64_END = 2n ** 63n;

/** Nothing, where there are none. `where` is what they are called in errors. */
export function writeParameters(
  where: string,
  parameters: Parameters | undefined,
): ParameterMap | undefined {
  if (parameters === undefined) return undefined;
  const written: Record<string, InferParameter> = {};
  for (const name of Object.keys(parameters)) {
    const value = writeParameter(`${where}.${name}`, parameters[name]);
    putEntry(written, name, name === 'priority' ? unsigned(value) : value);
  }
  return written;
}

/** Triton's priority is the one parameter that is unsigned by nature. */
function unsigned(value: InferParameter): InferParameter {
  const { int64_param: int } = value;
  return int !== undefined && int >= 0 ? { uint64_param: int } : value;
}

/** HTTP would send it as JSON: what JSON cannot hold is refused here, too. */
function writeParameter(where: string, value: Parameters[string] | undefined): InferParameter {
  if (typeof value === 'boolean') return { bool_param: value };
  if (typeof value === 'bigint') {
    return value >= INT64_END ? { uint64_param: value } : { int64_param: value };
  }
  if (typeof value === 'number') {
    checkParameterNumber(where, value);
    return Number.isInteger(value) ? { int64_param: value } : { double_param: value };
  }
  if (typeof value === 'string') {
    if (value.isWellFormed()) return { string_param: value };
    throw invalidArgument(where, 'a lone surrogate', 'text.toWellFormed() replaces it');
  }
  throw invalidArgument(where, typeof value, 'give a boolean, number, bigint or string');
}

/** A kind of value that this library does not know is left out. */
export function readParameters(map: ParameterMap): Parameters {
  const parameters: Record<string, Parameters[string]> = {};
  for (const name of Object.keys(map)) {
    const value = map[name];
    const read =
      value?.bool_param ??
      value?.int64_param ??
      value?.string_param ??
      value?.double_param ??
      value?.uint64_param;
    if (read !== undefined) putEntry(parameters, name, read);
  }
  return parameters;
}
