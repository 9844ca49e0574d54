import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { artifactPath, VALKEY } from './artifacts.mjs';
import { stopLeftBehind } from './left-behind.mjs';
import { freePort } from './platform.mjs';
import { startProcess } from './process.mjs';
import { startServer } from './server.mjs';

const NAMES = ['valkey-server', 'redis-server'];
/** The oldest Redis that BullMQ recommends. */
const OLDEST = [6, 2];

const SETTINGS = {
  bind: '127.0.0.1',
  'protected-mode': 'yes',
  daemonize: 'no',
  logfile: '',
  save: '',
  appendonly: 'yes',
  appendfsync: 'everysec',
  // A base file of plain commands, which any other version can read: another server may be on the PATH tomorrow.
  'aof-use-rdb-preamble': 'no',
  // Queues must not lose jobs to memory pressure.
  'maxmemory-policy': 'noeviction',
};

/**
 * A Redis-compatible server that the machine already has.
 *
 * @returns {string | undefined}
 */
export function installedRedis() {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    for (const name of NAMES) {
      const file = path.join(folder, name);
      if (path.isAbsolute(file) && isExecutable(file) && isNewEnough(file)) return file;
    }
  }
  return undefined;
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} file */
function isNewEnough(file) {
  try {
    const said = execFileSync(file, ['--version'], { encoding: 'utf8', timeout: 5000 });
    const [, major, minor] = /v=(\d+)\.(\d+)/.exec(said) ?? [];
    const [oldestMajor = 0, oldestMinor = 0] = OLDEST;
    return (
      Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor)
    );
  } catch {
    return false;
  }
}

/**
 * Starts redis-server or valkey-server on a data folder. A folder belongs to one start at a time: a server that an
 * earlier, killed launcher left running there is stopped.
 *
 * @param {object} options
 * @param {string} options.dir
 * @param {number} [options.port] default: a free one
 * @param {(line: string) => void} [options.log]
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<import('./server.mjs').Server>}
 */
export async function startRedis({ dir, port, log, signal }) {
  mkdirSync(dir, { recursive: true });
  const folder = realpathSync(dir);
  const listen = port ?? (await freePort());
  const binary = installedRedis() ?? artifactPath(VALKEY);
  const args = Object.entries({ ...SETTINGS, port: String(listen), dir: folder });
  return startServer({
    name: 'Redis',
    signal,
    async launch() {
      await stopLeftBehind(folder, NAMES, 'SIGTERM');
      return startProcess(
        binary,
        args.flatMap(([key, value]) => [`--${key}`, value]),
        { onLine: log },
      );
    },
    async ready(redis) {
      await redis.line(/Ready to accept connections/i);
      return `redis://127.0.0.1:${listen}`;
    },
    explain(redis) {
      const said = redis.tail().map(({ text }) => text);
      if (said.some((text) => /Address already in use/.test(text))) {
        return `Redis: port ${listen} is in use`;
      }
      // "pid:role date time # message": # marks a warning
      const last = said.findLast((text) => / # |error|cannot/i.test(text)) ?? said.at(-1);
      return last && `Redis: ${last.replace(/^.* # /, '')}`;
    },
  });
}
