import { existsSync } from 'node:fs';
import path from 'node:path';
import { lastError, logTo, startApp } from './app.mjs';
import { cacheFolder } from './artifacts.mjs';
import { Failure } from './failure.mjs';
import { startPostgres } from './postgres.mjs';
import { run } from './process.mjs';
import { startRedis } from './redis.mjs';
import { NODE, ROOT } from './root.mjs';
import { print } from './terminal.mjs';

/**
 * Starts every process of Hammerline, each kept by the supervisor as soon as it is ready.
 *
 * @param {object} options
 * @param {ReturnType<typeof import('./state.mjs').openState>} options.state
 * @param {ReturnType<typeof import('./supervisor.mjs').createSupervisor>} options.supervisor
 * @param {string[]} options.toolsets files
 * @param {number} options.port
 * @param {number} options.workers
 * @param {AbortSignal} options.signal
 * @returns {Promise<{ url: string }>} of the gateway
 */
export async function startServices({ state, supervisor, toolsets, port, workers, signal }) {
  const { DATABASE_URL, REDIS_URL, HAMMERLINE_TOOLSETS } = process.env;
  const log = (/** @type {string} */ name) => logTo(state.logs, name);
  /** @param {string} name @param {() => Promise<import('./server.mjs').Server>} begin */
  const url = async (name, begin) => (await supervisor.start(name, begin)).url;
  const [databaseUrl, redisUrl] = await all([
    DATABASE_URL ||
      url('postgres', () => startPostgres({ dir: state.postgres, log: log('postgres'), signal })),
    REDIS_URL || url('redis', () => startRedis({ dir: state.redis, log: log('redis'), signal })),
  ]);
  /** @type {NodeJS.ProcessEnv} */
  const env = {
    ...process.env,
    NODE_ENV: process.env.NODE_ENV ?? 'production',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    HAMMERLINE_API_KEY: state.apiKey,
    HAMMERLINE_FILES: process.env.HAMMERLINE_FILES ?? state.files,
    HAMMERLINE_TOOLSETS: [
      ...(HAMMERLINE_TOOLSETS ? [HAMMERLINE_TOOLSETS] : []),
      ...toolsets,
    ].join(),
    MODEL_CACHE: cacheFolder(),
    PORT: '0',
  };
  await migrate(env, signal);

  /** @param {string} name @param {string} script @param {NodeJS.ProcessEnv} [more] */
  const start = (name, script, more) => {
    const show = logTo(state.logs, name, print);
    return url(name, () => startApp({ name, script, env: { ...env, ...more }, log: show, signal }));
  };
  env.OUTBOX_URL = await start('outbox', 'scripts/outbox.mjs', { OUTBOX_LOG: state.outboxLog });
  const names = Array.from({ length: workers }, (_, i) =>
    workers > 1 ? `worker-${i + 1}` : 'worker',
  );
  const [gateway] = await all([
    start('gateway', main('gateway'), { PORT: String(port) }),
    ...names.map((name) => start(name, main('worker'))),
    start('executor', main('executor')),
  ]);
  return { url: /** @type {string} */ (gateway) };
}

/** @param {string} app */
function main(app) {
  return `dist/apps/${app}/src/main.js`;
}

/**
 * Like Promise.all, but fails only when all have come to an end: what became ready beside a failure must be kept, and
 * so be stopped.
 *
 * @template T
 * @param {(T | Promise<T>)[]} promises
 * @returns {Promise<T[]>}
 */
async function all(promises) {
  const results = await Promise.allSettled(promises);
  const failed = results.find(({ status }) => status === 'rejected');
  if (failed) throw /** @type {PromiseRejectedResult} */ (failed).reason;
  return results.map((it) => /** @type {PromiseFulfilledResult<T>} */ (it).value);
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {AbortSignal} signal
 */
async function migrate(env, signal) {
  const script = path.join(ROOT, 'dist/libs/runs/src/migrate.js');
  if (!existsSync(script)) throw new Failure('the build has no migrations: run `npm run build`');
  const { code, tail } = await run(NODE, [script], { cwd: ROOT, env, signal });
  if (code !== 0) {
    throw new Failure(lastError(tail) ?? `migrations failed (exit code ${code})`);
  }
}
