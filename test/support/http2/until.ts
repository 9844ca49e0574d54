import { setImmediate } from 'node:timers/promises';

/** Support for specs, where no event tells: resolves in the turn of the event loop in which the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}
