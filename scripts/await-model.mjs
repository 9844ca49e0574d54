import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from './failure.mjs';
import { progress } from './terminal.mjs';

const LOOK_EVERY_MS = 100;
/** A model that is there answers its first question within this time. */
const QUIET_MS = 2000;
/** A large model takes minutes to load; one that is not there is not waited for without end. */
const WITHIN_MS = 600_000;

/**
 * Resolves when one of the workers can ask its model: until then requests would only wait in the queue. The workers say
 * themselves what they wait for.
 *
 * @param {string[]} workers their urls
 * @param {AbortSignal} signal
 * @param {{ quietMs?: number, withinMs?: number }} [patience] how long to say nothing, and how long to wait then
 */
export async function awaitModel(workers, signal, patience = {}) {
  const { quietMs = QUIET_MS, withinMs = WITHIN_MS } = patience;
  if (await isReadyWithin(quietMs, workers, signal)) return;
  const wait = () => isReadyWithin(withinMs, workers, signal);
  if (await progress('waiting for the model', wait)) return;
  throw new Failure(
    `no worker could ask its model within ${withinMs / 1000} s: .hammerline/logs/worker.log says why`,
  );
}

/**
 * @param {number} ms
 * @param {string[]} workers
 * @param {AbortSignal} signal
 */
async function isReadyWithin(ms, workers, signal) {
  const until = performance.now() + ms;
  while (!(await Promise.all(workers.map(isReady))).includes(true)) {
    if (performance.now() >= until) return false;
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
  return true;
}

/** @param {string} url */
async function isReady(url) {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
}
