import { type Context, createContext, Script } from 'node:vm';

const script = new Script('task()');
let context: Context | undefined;

/**
 * Runs synchronous work that somebody else's text decides on, and stops it after `milliseconds` of wall time. V8 looks
 * for the stop in loops, calls and the backtracking of regular expressions, so that `(a+)+$` ends too. The stop costs a
 * thread (about 0.5 ms): not for every call.
 *
 * @throws Error if the task was stopped, or what the task throws
 */
export function runBounded<T>(milliseconds: number, task: () => T): T {
  context ??= createContext({});
  context.task = task;
  try {
    return script.runInContext(context, { timeout: milliseconds }) as T;
  } catch (error) {
    if (isTimeout(error)) throw new Error(`stopped after ${milliseconds} ms`, { cause: error });
    throw error;
  } finally {
    context.task = undefined;
  }
}

/** The error is of the script's realm, so that `instanceof Error` does not hold. */
function isTimeout(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  return error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
