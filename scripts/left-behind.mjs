import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from './failure.mjs';
import { processesIn } from './proc.mjs';

/**
 * Stops what an earlier launcher left running in a data folder: processes whose working directory it is. (Database
 * servers work in their data folder; asking the kernel is surer than a pid file that outlived its process.)
 *
 * @param {string} folder
 * @param {string[]} names how their executables' names begin, so that someone's shell in that folder is left alone
 * @param {NodeJS.Signals} signal
 * @param {number} [graceMs]
 */
export async function stopLeftBehind(folder, names, signal, graceMs = 10_000) {
  const found = processesIn(folder, names);
  const pids = new Set(found.map(({ pid }) => pid));
  for (const { pid, parent } of found) if (!pids.has(parent)) tryKill(pid, signal);
  const until = performance.now() + graceMs;
  for (let left = found; left.length > 0; left = processesIn(folder, names)) {
    const late = performance.now() - until;
    if (late > graceMs) {
      throw new Failure(`processes of an earlier start still run in ${folder}: stop them first`);
    }
    if (late > 0) for (const { pid } of left) tryKill(pid, 'SIGKILL');
    // They are not our children: nothing tells when they are gone.
    await delay(20);
  }
}

/**
 * @param {number} pid
 * @param {NodeJS.Signals} signal
 */
function tryKill(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // already gone
  }
}
