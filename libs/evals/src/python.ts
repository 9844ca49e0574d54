import { isEqual, type PyDict, PyFloat, type PyValue } from '#libs/pyjson';
import { unjudgeable } from './verdict.js';

/** A Python tuple, which decoders of Python code give but JSON cannot. It equals no list. */
export class PyTuple {
  readonly list: CallValue[];

  constructor(list: CallValue[]) {
    this.list = list;
  }
}

/** What a decoder may find in a model's answer. */
export type CallValue = PyValue | PyTuple | CallValue[] | Map<string, CallValue>;

export type PyType = 'NoneType' | 'bool' | 'int' | 'float' | 'str' | 'list' | 'tuple' | 'dict';

/** Python's exact `type()`: a bool is no int, a tuple no list. */
export function typeOf(value: CallValue): PyType {
  if (typeof value === 'string') return 'str';
  if (typeof value === 'number' || typeof value === 'bigint') return 'int';
  if (typeof value === 'boolean') return 'bool';
  if (value === null) return 'NoneType';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Map) return 'dict';
  return value instanceof PyFloat ? 'float' : 'tuple';
}

/** Python's `value in accepted`. Accepted values are JSON and hold no tuple, so that `isEqual` need not know tuples. */
export function isAmong(value: CallValue, accepted: readonly PyValue[]): boolean {
  return accepted.some((one) => isEqual(value as PyValue, one));
}

/** Python's `key in value` for a text: a key of a dict, a member of a list, a part of a text. */
export function contains(value: CallValue | undefined, key: string, pointer: string): boolean {
  if (value instanceof Map) return value.has(key);
  if (Array.isArray(value) || typeof value === 'string') return value.includes(key);
  if (value instanceof PyTuple) return value.list.includes(key);
  throw unjudgeable(pointer, `is looked up for ${JSON.stringify(key)} and holds nothing`);
}

/** Python's `len()`; a text counts code points. */
export function length(value: PyValue, pointer: string): number {
  return value instanceof Map ? value.size : members(value, pointer).length;
}

/** The values at 0, 1, …, up to `len()`: a text has its characters, an empty dict none. */
export function members(value: PyValue | undefined, pointer: string): readonly PyValue[] {
  if (Array.isArray(value)) return value;
  if (typeof value === 'string') return [...value];
  if (value instanceof Map && value.size === 0) return [];
  throw unjudgeable(pointer, 'is no list');
}

export function dict(value: PyValue | undefined, pointer: string): PyDict;
export function dict(value: CallValue | undefined, pointer: string): Map<string, CallValue>;
export function dict(value: CallValue | undefined, pointer: string): Map<string, CallValue> {
  if (value instanceof Map) return value;
  throw unjudgeable(pointer, 'is no object');
}
