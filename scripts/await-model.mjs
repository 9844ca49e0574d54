import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from './failure.mjs';
import { print } from './terminal.mjs';

const LOOK_EVERY_MS = 100;
/** A model that is there answers its first question within this time. */
const QUIET_MS = 2000;
/** A large model takes minutes to load; one that is not there is not waited for without end. */
const WITHIN_MS = 600_000;
/** The workers say what they wait for, and when that changes; who comes later should find it on the screen too. */
const SAY_EVERY_MS = 30_000;

/**
 * @typedef {object} Patience
 * @property {number} [withinMs] how long to wait
 * @property {() => string | undefined} [awaits] what the workers said last of why they wait
 * @property {number} [quietMs] how long to say nothing
 * @property {number} [sayEveryMs]
 */

/**
 * Resolves when one of the workers can ask its model: until then requests would only wait in the queue.
 *
 * @param {string[]} workers their urls
 * @param {AbortSignal} signal
 * @param {Patience} [patience]
 */
export async function awaitModel(workers, signal, patience = {}) {
  const { withinMs = WITHIN_MS, quietMs = QUIET_MS, sayEveryMs = SAY_EVERY_MS } = patience;
  const began = performance.now();
  const why = () => patience.awaits?.() ?? '.hammerline/logs say why';
  let sayAt = quietMs;
  let isFirst = true;
  while (!(await Promise.all(workers.map(isReady))).includes(true)) {
    const waited = performance.now() - began;
    if (waited >= withinMs) {
      throw new Failure(`no worker could ask its model within ${seconds(withinMs)}: ${why()}`);
    }
    if (waited >= sayAt) {
      // At first the workers have just said why.
      const reason = isFirst ? '' : `: ${why()}`;
      print(`Waiting for the model (${seconds(waited)} of ${seconds(withinMs)})${reason}`);
      isFirst = false;
      sayAt = waited + sayEveryMs;
    }
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
}

/** @param {number} ms */
function seconds(ms) {
  return `${Math.round(ms / 1000)} s`;
}

/** @param {string} url */
async function isReady(url) {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
}
