/**
 * A payload within a statement's JSON: as text, which Postgres casts and stores as it is. Within JSON it would be read and
 * written anew, which refuses escapes of what a `text` cannot hold (NUL, half a character).
 */
export function jsonText(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : JSON.stringify(value);
}
