import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { processStatus } from './proc.mjs';

/**
 * A Triton server and the stub processes of its Python models share memory in files whose names begin with a prefix
 * that they carry on their command lines. So whatever is left of a server can be told from anyone else's.
 */
const SHARED_MEMORY = '/dev/shm';
const PREFIX = /hammerline_triton_(\d+)_[0-9a-f]{8}_/;
const GONE_MS = 2000;

/** A new prefix, which names this process. */
export function newPrefix() {
  return `hammerline_triton_${process.pid}_${randomBytes(4).toString('hex')}_`;
}

/**
 * Kills the processes that carry a prefix and removes its files. Resolves when they are gone.
 *
 * @param {string} prefix
 */
export async function removeRemains(prefix) {
  const until = performance.now() + GONE_MS;
  for (let left = carriers(prefix); left.length > 0; left = carriers(prefix)) {
    for (const pid of left) tryKill(pid);
    if (performance.now() > until) break; // what cannot be killed waits for the kernel
    // They are not our children: nothing tells when they are gone.
    await delay(10);
  }
  for (const file of sharedFiles()) {
    if (file.startsWith(prefix)) rmSync(path.join(SHARED_MEMORY, file), { force: true });
  }
}

/** Removes what servers left behind whose launchers were killed. */
export async function removeOrphans() {
  const marked = [...sharedFiles(), ...commandLines().values()];
  const prefixes = new Set(marked.map((text) => PREFIX.exec(text)?.[0]));
  for (const prefix of prefixes) {
    if (prefix && !isAlive(Number(PREFIX.exec(prefix)?.[1]))) await removeRemains(prefix);
  }
}

function sharedFiles() {
  try {
    return readdirSync(SHARED_MEMORY);
  } catch {
    return []; // a system without it; Triton will say so
  }
}

/** @param {string} prefix */
function carriers(prefix) {
  return [...commandLines()].filter(([, line]) => line.includes(prefix)).map(([pid]) => pid);
}

/** Of every process, by its pid. A zombie has none. */
function commandLines() {
  /** @type {Map<number, string>} */
  const lines = new Map();
  for (const pid of readdirSync('/proc').map(Number)) {
    if (!(pid > 0)) continue;
    try {
      lines.set(pid, readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    } catch {
      // gone meanwhile
    }
  }
  return lines;
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    return processStatus(pid).state !== 'Z';
  } catch {
    return false;
  }
}

/** @param {number} pid */
function tryKill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone meanwhile, or someone else's
  }
}
