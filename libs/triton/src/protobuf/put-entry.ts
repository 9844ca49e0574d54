/** Sets a property whose name comes from elsewhere: `__proto__` is a name like any other. */
export function putEntry<T>(entries: Record<string, T>, name: string, value: T): void {
  if (name === '__proto__') {
    const property = { value, enumerable: true, writable: true, configurable: true };
    Object.defineProperty(entries, name, property);
  } else entries[name] = value;
}
