/**
 * Writes a JSON value on one line with `, ` and `: ` between its parts: the layout that Hammer models were trained to
 * read and to write (Python's `json.dumps`), which differs from `JSON.stringify`.
 *
 * Anything that JSON cannot say (`undefined`, functions) is written as `null`.
 */
export function writeJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(writeJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([key, member]) => `${JSON.stringify(key)}: ${writeJson(member)}`);
    return `{${members.join(', ')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** Whether a value is a JSON object (not null, not a list). */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
