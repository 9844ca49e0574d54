import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Failure } from './failure.mjs';
import { processStatus } from './proc.mjs';
import { ROOT } from './root.mjs';

/** What the sample's tools work on. */
const SAMPLE_FILES = ['report.md', 'sales.csv'];

/**
 * What starts of this checkout keep, under .hammerline/: data of Postgres and Redis, logs, the API key, the files of
 * the office sample. Only one start at a time may use it.
 *
 * @param {string} [folder]
 */
export function openState(folder = path.join(ROOT, '.hammerline')) {
  const at = (/** @type {string} */ name) => path.join(folder, name);
  mkdirSync(at('logs'), { recursive: true });
  mkdirSync(at('files'), { recursive: true });
  const release = lock(at('launcher.lock'));
  for (const name of SAMPLE_FILES) {
    const source = path.join(ROOT, 'examples/office', name);
    if (!existsSync(at(`files/${name}`))) copyFileSync(source, at(`files/${name}`));
  }
  return {
    folder,
    postgres: at('postgres'),
    redis: at('redis'),
    logs: at('logs'),
    files: at('files'),
    outboxLog: at('outbox.log'),
    apiKey: process.env.HAMMERLINE_API_KEY || apiKey(at('api-key')),
    release,
  };
}

/** @param {string} file */
function apiKey(file) {
  if (!existsSync(file)) {
    writeFileSync(file, `hl_${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  }
  return readFileSync(file, 'utf8').trim();
}

/**
 * @param {string} file
 * @returns {() => void} gives the lock back
 */
function lock(file) {
  const mine = `${process.pid} ${processStatus(process.pid).started}`;
  for (;;) {
    try {
      writeFileSync(file, mine, { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    const holder = readFileSync(file, 'utf8');
    if (isAlive(holder)) {
      throw new Failure(
        `Hammerline already runs from this checkout (process ${holder.split(' ')[0]}): stop it first`,
      );
    }
    rmSync(file, { force: true });
  }
}

/** @param {string} holder a pid may belong to another process by now, a pid with its start time cannot */
function isAlive(holder) {
  const [pid, started] = holder.split(' ');
  try {
    return processStatus(Number(pid)).started === started;
  } catch {
    return false;
  }
}
