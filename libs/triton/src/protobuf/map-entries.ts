/** The same names with other values. `__proto__` is a name like any other. */
export function mapEntries<T, U>(
  entries: Readonly<Record<string, T>>,
  change: (value: T, name: string) => U,
): Record<string, U> {
  return Object.fromEntries(
    Object.entries(entries).map(([name, value]) => [name, change(value, name)]),
  );
}
