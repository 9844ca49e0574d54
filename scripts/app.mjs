import { createWriteStream, existsSync, renameSync } from 'node:fs';
import path from 'node:path';
import { startProcess } from './process.mjs';
import { NODE, ROOT } from './root.mjs';
import { startServer } from './server.mjs';
import { dim, red, yellow } from './terminal.mjs';

/** A little over what an app gives itself to finish its work. */
const DRAIN_MS = 27_000;
const PREFIX_WIDTH = 8;
const MAX_VALUE = 160;
/** Fields of a log line that the prefix already says, or nobody reads on a terminal. */
const QUIET = new Set('level time pid hostname service msg traceId spanId'.split(' '));

/**
 * Starts one of our Node programs. It says over IPC when it is ready and where; when it ends before that, the last
 * line of its stderr is the reason.
 *
 * @param {object} options
 * @param {string} options.name
 * @param {string} options.script relative to the checkout
 * @param {NodeJS.ProcessEnv} options.env
 * @param {(line: string) => void} options.log
 * @param {AbortSignal} [options.signal]
 */
export function startApp({ name, script, env, log, signal }) {
  return startServer({
    name,
    signal,
    graceMs: DRAIN_MS,
    launch: () =>
      startProcess(NODE, [path.join(ROOT, script)], {
        cwd: ROOT,
        env,
        ipc: true,
        onLine: log,
      }),
    ready: async (app) => String((await app.message('ready')).url),
    explain: (app) => lastError(app.tail()),
  });
}

/**
 * The line that says why one of our programs ended: its own words, or the head of an uncaught error's report.
 *
 * @param {import('./process.mjs').Line[]} lines
 */
export function lastError(lines) {
  const said = lines.flatMap(({ stream, text }) =>
    stream === 'stderr' && text.trim() ? text : [],
  );
  return (
    said.findLast((text) => text.startsWith('hammerline ')) ??
    said.findLast((text) => /^\w*error\b.*: /i.test(text)) ??
    said.at(-1)
  );
}

/**
 * Where a process's lines go: as they are into a file of its own (the last start's is kept as `.1`), and to `show`,
 * readable and prefixed with its name.
 *
 * @param {string} folder
 * @param {string} name
 * @param {(line: string) => void} [show]
 */
export function logTo(folder, name, show) {
  const file = path.join(folder, `${name}.log`);
  if (existsSync(file)) renameSync(file, `${file}.1`);
  const stream = createWriteStream(file, { flags: 'a', mode: 0o600 });
  return (/** @type {string} */ line) => {
    stream.write(`${line}\n`);
    show?.(`${linePrefix(name)} ${renderLine(line)}`);
  };
}

/** What a process's lines begin with on the terminal. @param {string} name */
export function linePrefix(name) {
  return dim(`${name.padEnd(PREFIX_WIDTH)} |`);
}

/**
 * `message key=value` for a line of JSON as pino writes it; any other line stays as it is.
 *
 * @param {string} line
 */
export function renderLine(line) {
  const entry = parse(line);
  if (!entry) return line;
  const { level, msg, err } = entry;
  const fields = Object.entries(entry)
    .filter(([key]) => !QUIET.has(key) && key !== 'err')
    .map(([key, value]) => `${key}=${short(value)}`);
  const cause = /** @type {{ message?: unknown } | undefined} */ (err)?.message;
  if (cause !== undefined && cause !== msg) fields.push(`error=${short(cause)}`);
  const text = [typeof msg === 'string' ? msg : '', ...fields].join(' ');
  if (Number(level) >= 50) return red(text);
  return Number(level) >= 40 ? yellow(text) : text;
}

/**
 * Why a process warns, where the line says so: what a worker waits for.
 *
 * @param {string} line
 */
export function warningReason(line) {
  const { level, reason } = parse(line) ?? {};
  return Number(level) >= 40 && typeof reason === 'string' ? reason : undefined;
}

/**
 * @param {string} line
 * @returns {Record<string, unknown> | undefined}
 */
function parse(line) {
  if (!line.startsWith('{')) return undefined;
  try {
    const entry = JSON.parse(line);
    return 'level' in entry ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** @param {unknown} value */
function short(value) {
  const text =
    typeof value === 'string' && !/[\s"=]/.test(value) && value !== ''
      ? value
      : (JSON.stringify(value) ?? String(value));
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}
