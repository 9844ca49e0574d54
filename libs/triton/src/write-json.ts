import { invalidArgument } from './triton-error.js';

/** Levels of lists and objects: what contains itself has no end. */
const DEEPEST = 500;

/**
 * The JSON text of a value, which is looked through first: JSON would silently write `null` for NaN, and Triton cannot read
 * half a surrogate pair.
 *
 * @param where names the value in errors
 * @throws TritonError `invalid_argument` that names the place
 */
export function writeJson(where: string, value: unknown): string {
  checkJson(where, value);
  return JSON.stringify(value);
}

function checkJson(where: string, value: unknown, depth = 0): void {
  if (depth > DEEPEST) {
    const place = `${where.slice(0, 100)}…`;
    throw invalidArgument(
      place,
      `nested over ${DEEPEST} deep`,
      'give no object that contains itself',
    );
  }
  if (typeof value === 'string') checkText(where, value);
  else if (typeof value === 'number') checkNumber(where, value);
  else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) checkJson(`${where}[${index}]`, item, depth + 1);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      checkText(`a name in ${where}`, key);
      checkJson(`${where}.${key}`, item, depth + 1);
    }
  } else if (typeof value !== 'boolean' && value !== null && value !== undefined) {
    throw invalidArgument(where, `a ${typeof value}`, 'give what JSON can carry');
  }
}

export function checkText(where: string, text: string): void {
  if (!text.isWellFormed()) {
    throw invalidArgument(where, 'half a surrogate pair', 'give text that is valid Unicode');
  }
}

/** JSON would carry an integer beyond 2^53 as an integer, gRPC as a double, and neither the one that was meant. */
export function checkParameterNumber(where: string, value: number): void {
  checkNumber(where, value);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw invalidArgument(
      where,
      `${value} is beyond 2^53, where a number is not exact`,
      'give a bigint',
    );
  }
}

export function checkNumber(where: string, value: number): void {
  if (!Number.isFinite(value)) {
    throw invalidArgument(where, `${value}`, 'give a finite number: JSON can carry no other');
  }
}
