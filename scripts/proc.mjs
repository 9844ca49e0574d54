import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What Linux tells of processes under /proc. */

/**
 * @param {number} pid
 * @returns {{ name: string, state: string | undefined, parent: number, started: string | undefined }}
 *   `started` in clock ticks since boot: with the pid it names a process for good
 */
export function processStatus(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  return { name, state, parent: Number(parent), started: rest[17] };
}

/**
 * Processes that work in a folder and whose executable's name begins with one of the given ones.
 *
 * @param {string} folder its real path
 * @param {string[]} names
 */
export function processesIn(folder, names) {
  /** @type {{ pid: number, parent: number }[]} */
  const found = [];
  selectProcesses((pid) => {
    if (readlinkSync(`/proc/${pid}/cwd`) !== folder) return false;
    const { name, state, parent } = processStatus(pid);
    if (state === 'Z' || !names.some((it) => name.startsWith(it))) return false;
    return found.push({ pid, parent }) > 0;
  });
  return found;
}

/**
 * Resident bytes of a process. Its children share most pages with it: they count by their proportional share.
 *
 * @param {number} pid
 */
export function residentMemory(pid) {
  const children = selectProcesses((it) => processStatus(it).parent === pid);
  return children.reduce(
    (sum, child) => sum + kilobytes(`/proc/${child}/smaps_rollup`, 'Pss'),
    kilobytes(`/proc/${pid}/status`, 'VmRSS'),
  );
}

/** @param {(pid: number) => boolean} test may throw where the process is gone, or someone else's */
function selectProcesses(test) {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && test(pid);
      } catch {
        return false;
      }
    });
}

/**
 * @param {string} file
 * @param {string} name
 */
function kilobytes(file, name) {
  try {
    const line = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(file, 'utf8'));
    return Number(line?.[1] ?? 0) * 1024;
  } catch {
    return 0; // gone meanwhile
  }
}
