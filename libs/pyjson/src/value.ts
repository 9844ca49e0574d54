/**
 * A Python float. JSON's `5.0` and `5` are different values to Python, and to everything that prints them; JavaScript's
 * numbers cannot tell them apart, so floats that are read get this box.
 */
export class PyFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** Key order is that of first appearance, also for keys such as `10` and `__proto__`, which objects would move. */
export type PyDict = Map<string, PyValue>;

/** What `loads` gives. Integers are numbers up to 2^53 and bigints beyond. */
export type PyValue = null | boolean | number | bigint | PyFloat | string | PyValue[] | PyDict;

/** A value that counts as a number: `bool` is a kind of `int` in Python. */
export function numeric(value: unknown): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value instanceof PyFloat ? value.value : undefined;
}

/** Python's `==`: `1 == 1.0 == True`, exact between int and float; dicts in any order; NaN equals nothing. */
export function isEqual(a: PyValue, b: PyValue): boolean {
  const x = numeric(a);
  if (x !== undefined) {
    const y = numeric(b);
    // Loosely: 1n == 1 is to hold, and JavaScript compares a bigint with a number exactly.
    // oxlint-disable-next-line eqeqeq
    return y !== undefined && x == y;
  }
  if (Array.isArray(a)) {
    return (
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((member, at) => isEqual(member, b[at] ?? null))
    );
  }
  if (a instanceof Map) {
    if (!(b instanceof Map) || a.size !== b.size) return false;
    for (const [key, member] of a) {
      const other = b.get(key);
      if (other === undefined || !isEqual(member, other)) return false;
    }
    return true;
  }
  return a === b;
}
