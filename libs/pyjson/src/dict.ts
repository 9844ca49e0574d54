import { PyFloat } from './value.js';

/** A JSON object as `loads` gives it or as `JSON.parse` does. Members that are `undefined` count as absent. */
export type AnyDict = ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>;
export type MutableDict = Map<string, unknown> | Record<string, unknown>;

export function isDict(value: unknown): value is AnyDict {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof PyFloat)
  );
}

/** The dict's own member, whatever its name: `constructor` is none unless it was written. */
export function getMember(dict: AnyDict, key: string): unknown {
  if (dict instanceof Map) return dict.get(key);
  return Object.hasOwn(dict, key) ? (dict as Readonly<Record<string, unknown>>)[key] : undefined;
}

/** Sets a member: in its place if there is one, else at the end. */
export function setMember(dict: MutableDict, key: string, value: unknown): void {
  if (dict instanceof Map) dict.set(key, value);
  else if (key !== '__proto__') dict[key] = value;
  else
    Object.defineProperty(dict, key, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
}

export function deleteMember(dict: MutableDict, key: string): void {
  if (dict instanceof Map) dict.delete(key);
  else delete dict[key];
}

export function keysOf(dict: AnyDict): string[] {
  return dict instanceof Map ? [...dict.keys()] : Object.keys(dict);
}

/** A copy of the same kind, one level deep. */
export function copyDict(dict: AnyDict): MutableDict {
  return dict instanceof Map ? new Map(dict) : { ...dict };
}

/** Python's `bool()`: empty things and zeros are false. */
export function isTruthy(value: unknown): boolean {
  if (typeof value !== 'object') return Boolean(value) || Number.isNaN(value);
  if (value === null) return false;
  if (value instanceof PyFloat) return value.value !== 0;
  if (Array.isArray(value)) return value.length > 0;
  return value instanceof Map ? value.size > 0 : Object.keys(value).length > 0;
}
