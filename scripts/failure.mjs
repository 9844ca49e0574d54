/** What the user can mend: printed as one line, never with a stack. Anything else is a bug and keeps its stack. */
export class Failure extends Error {
  name = 'Failure';
}

/** @param {unknown} error */
export function describe(error) {
  if (error instanceof Failure) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
