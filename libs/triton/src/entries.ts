/** Sets a property whose name comes from elsewhere: `__proto__` is a name like any other. */
export function putEntry<T>(entries: Record<string, T>, name: string, value: T): void {
  if (name === '__proto__') {
    const property = { value, enumerable: true, writable: true, configurable: true };
    Object.defineProperty(entries, name, property);
  } else entries[name] = value;
}

/** The same names with other values. `__proto__` is a name like any other. */
export function mapEntries<T, U>(
  entries: Readonly<Record<string, T>>,
  change: (value: T, name: string) => U,
): Record<string, U> {
  return Object.fromEntries(
    Object.entries(entries).map(([name, value]) => [name, change(value, name)]),
  );
}
