import { nearestName } from './nearest-name.js';
import { invalidArgument } from './triton-error.js';

/** @param keys `{ … } satisfies Record<keyof T, true>`: so the compiler sees to it that all names of a type are there */
export function keysOf(keys: Readonly<Record<string, true>>): ReadonlySet<string> {
  return new Set(Object.keys(keys));
}

/**
 * Refuses a misspelt name, which would be ignored although it was meant to have an effect.
 *
 * @param where names the object in errors
 * @throws TritonError `invalid_argument` that names the nearest known name
 */
export function checkKeys(where: string, given: object, known: ReadonlySet<string>): void {
  checkRecord(where, given, 'give an object');
  for (const key in given) if (!known.has(key)) throw unknownKey(where, key, [...known]);
}

/**
 * Refuses what has no members by name, such as a list, or keeps them elsewhere, as Map and Headers do.
 *
 * @throws TritonError `invalid_argument` that names `where` and the mend
 */
export function checkRecord(where: string, given: unknown, mend: string): void {
  if (typeof given === 'object' && given !== null && !(Symbol.iterator in given)) return;
  const kind = given instanceof Object ? `a ${given.constructor.name}` : String(given);
  throw invalidArgument(where, given === undefined ? 'missing' : `${kind} is none`, mend);
}

function unknownKey(where: string, key: string, known: readonly string[]) {
  const nearest = nearestName(key, known);
  const mend = nearest === undefined ? `known are ${known.join(', ')}` : `did you mean ${nearest}?`;
  return invalidArgument(`${where}, ${key}`, 'unknown', mend);
}
