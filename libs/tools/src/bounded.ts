import { createContext, Script, type Context } from 'node:vm';

const script = new Script('task()');
let context: Context | undefined;

/** Thrown by `runBounded`: the task was stopped. */
export class TooSlow extends Error {}

/**
 * Runs synchronous work that somebody else's text decides on, and stops it after `milliseconds` of wall time. V8 looks
 * for the stop in loops, calls and the backtracking of regular expressions, so that `(a+)+$` ends too. The stop costs a
 * thread (about 0.5 ms): not for every call.
 *
 * @throws TooSlow, or what the task throws
 */
export function runBounded<T>(milliseconds: number, task: () => T): T {
  context ??= createContext({});
  let result: { value: T } | undefined;
  context.task = () => {
    result = { value: task() };
  };
  try {
    script.runInContext(context, { timeout: milliseconds });
  } catch (error) {
    if (
      error instanceof Error &&
      'code' in error &&
      error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
    ) {
      throw new TooSlow(`stopped after ${milliseconds} ms`, { cause: error });
    }
    throw error;
  } finally {
    context.task = undefined;
  }
  if (result === undefined) throw new TooSlow(`stopped after ${milliseconds} ms`);
  return result.value;
}
