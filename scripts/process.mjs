import { spawn, spawnSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { createInterface } from 'node:readline';

/** Lines kept of what a process said last: enough to explain its death. */
const TAIL = 40;
/** How long output may follow a process's exit (its own children can hold the pipe open). */
const DRAIN_MS = 1000;

/** @typedef {{ code: number | null, signal: NodeJS.Signals | null }} Exit */
/** @typedef {'stdout' | 'stderr'} Stream */
/** @typedef {{ text: string, stream: Stream }} Line */
/**
 * @typedef {object} Process
 * @property {number} pid 0 if it could not be started
 * @property {Promise<Exit>} exited never rejects
 * @property {() => Line[]} tail
 * @property {(signal: NodeJS.Signals) => void} kill
 * @property {(pattern: RegExp) => Promise<string>} line the next line that matches
 * @property {(type: string) => Promise<Record<string, unknown>>} message the next IPC message of that type
 */

/**
 * Starts a process of its own session, so that the terminal's Ctrl-C reaches only the launcher, which stops its
 * processes in order; where the system can, the kernel signals it when the launcher is killed.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {object} [options]
 * @param {string | undefined} [options.cwd]
 * @param {NodeJS.ProcessEnv | undefined} [options.env]
 * @param {boolean | undefined} [options.ipc]
 * @param {{ uid: number, gid: number } | undefined} [options.user]
 * @param {string[] | undefined} [options.prefix] a command that becomes this one, such as setpriv
 * @param {NodeJS.Signals | undefined} [options.deathSignal] what it gets when the launcher dies
 * @param {((text: string, stream: Stream) => void) | undefined} [options.onLine]
 * @returns {Process}
 */
export function startProcess(command, args, options = {}) {
  const { cwd, env, ipc, user, prefix = [], deathSignal = 'SIGTERM', onLine } = options;
  // The death signal comes last: a change of user would clear it.
  const [file, ...rest] = [...prefix, ...onParentDeath(deathSignal), command, ...args];
  const child = spawn(/** @type {string} */ (file), rest, {
    cwd,
    env,
    ...user,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? [/** @type {const} */ ('ipc')] : [])],
  });
  /** @type {Line[]} */
  const tail = [];
  const events = new EventEmitter();
  /** @param {string} text @param {Stream} stream */
  const hear = (text, stream) => {
    tail.push({ text, stream });
    if (tail.length > TAIL) tail.shift();
    onLine?.(text, stream);
    events.emit('line', text);
  };
  const { stdout, stderr } =
    /** @type {import('node:child_process').ChildProcessWithoutNullStreams} */ (
      /** @type {unknown} */ (child)
    );
  createInterface({ input: stdout }).on('line', (text) => hear(text, 'stdout'));
  createInterface({ input: stderr }).on('line', (text) => hear(text, 'stderr'));
  child.on('message', (message) => events.emit('message', message));

  /** @type {Promise<Exit>} */
  const exited = new Promise((resolve) => {
    child.once('error', (error) => {
      hear(`cannot run ${command}: ${error.message}`, 'stderr');
      resolve({ code: 127, signal: null });
    });
    child.once('exit', (code, signal) => {
      const drained = setTimeout(() => resolve({ code, signal }), DRAIN_MS);
      child.once('close', () => {
        clearTimeout(drained);
        resolve({ code, signal });
      });
    });
  });

  return {
    pid: child.pid ?? 0,
    exited,
    tail: () => tail,
    kill: (signal) => void child.kill(signal),
    line: (pattern) => when(events, 'line', (text) => pattern.test(text)),
    message: (type) => when(events, 'message', (message) => message?.type === type),
  };
}

/**
 * @param {EventEmitter} events
 * @param {string} name
 * @param {(value: any) => boolean} accept
 * @returns {Promise<any>}
 */
function when(events, name, accept) {
  return new Promise((resolve) => {
    events.on(name, function listen(value) {
      if (!accept(value)) return;
      events.off(name, listen);
      resolve(value);
    });
  });
}

/**
 * Runs a command to its end.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {Parameters<typeof startProcess>[2] & { signal?: AbortSignal | undefined }} [options]
 * @returns {Promise<Exit & { tail: Line[] }>}
 */
export async function run(command, args, { signal, ...options } = {}) {
  signal?.throwIfAborted();
  const process = startProcess(command, args, options);
  const stop = () => process.kill('SIGTERM');
  signal?.addEventListener('abort', stop, { once: true });
  const exit = await process.exited;
  signal?.removeEventListener('abort', stop);
  signal?.throwIfAborted();
  return { ...exit, tail: process.tail() };
}

/** @type {Map<string, string[]>} */
const deathPrefixes = new Map();

/**
 * The command prefix that ties a process to its parent's life; empty where util-linux's setpriv is missing. (The apps
 * then still notice a closed IPC channel, and the next start stops what stayed behind.)
 *
 * @param {NodeJS.Signals} signal
 */
function onParentDeath(signal) {
  let prefix = deathPrefixes.get(signal);
  if (!prefix) {
    prefix = ['setpriv', '--pdeathsig', signal.replace('SIG', ''), '--'];
    const [file, ...args] = /** @type {[string, ...string[]]} */ (prefix);
    if (spawnSync(file, [...args, 'true']).status !== 0) prefix = [];
    deathPrefixes.set(signal, prefix);
  }
  return prefix;
}
