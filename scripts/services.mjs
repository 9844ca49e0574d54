import { existsSync } from 'node:fs';
import path from 'node:path';
import { lastError, linePrefix, logTo, startApp, warningReason } from './app.mjs';
import { cacheFolder } from './artifacts.mjs';
import { Failure } from './failure.mjs';
import { startPostgres } from './postgres.mjs';
import { run } from './process.mjs';
import { startRedis } from './redis.mjs';
import { NODE, ROOT } from './root.mjs';
import { print } from './terminal.mjs';
import { startTriton } from './triton.mjs';

/**
 * Starts every process of Hammerline, each kept by the supervisor as soon as it is ready.
 *
 * @param {object} options
 * @param {ReturnType<typeof import('./state.mjs').openState>} options.state
 * @param {ReturnType<typeof import('./supervisor.mjs').createSupervisor>} options.supervisor
 * @param {string[]} options.toolsets files
 * @param {number} options.port
 * @param {number} options.workers
 * @param {import('./choose-model.mjs').ModelChoice} options.model
 * @param {AbortSignal} options.signal
 * @returns {Promise<{ url: string, workers: string[], awaits: () => string | undefined }>} urls of the gateway and of the
 *   workers, and what these said last of why they wait
 */
export async function startServices(options) {
  const { state, supervisor, toolsets, port, workers, model, signal: stop } = options;
  const { DATABASE_URL, REDIS_URL, HAMMERLINE_TOOLSETS } = process.env;
  const failed = new AbortController();
  const signal = AbortSignal.any([stop, failed.signal]);
  /** @type {NodeJS.ProcessEnv} */
  const env = {
    ...process.env,
    ...model.env,
    NODE_ENV: process.env.NODE_ENV ?? 'production',
    HAMMERLINE_API_KEY: state.apiKey,
    HAMMERLINE_FILES: process.env.HAMMERLINE_FILES ?? state.files,
    HAMMERLINE_TOOLSETS: [HAMMERLINE_TOOLSETS, ...toolsets].filter(Boolean).join(),
    MODEL_CACHE: cacheFolder(),
    OUTBOX_LOG: state.outboxLog,
    PORT: '0',
  };

  /**
   * @template {import('./server.mjs').Server} T
   * @param {string} name
   * @param {() => Promise<T>} start
   */
  const keep = async (name, start) => {
    try {
      return await supervisor.start(name, start);
    } catch (error) {
      failed.abort(error); // the others need not become ready
      throw error;
    }
  };
  /** @param {string} name @param {() => Promise<import('./server.mjs').Server>} start */
  const url = async (name, start) => (await keep(name, start)).url;
  const database = () =>
    startPostgres({ dir: state.postgres, log: logTo(state.logs, 'postgres'), signal });
  const redis = () => startRedis({ dir: state.redis, log: logTo(state.logs, 'redis'), signal });
  /** @param {string} modelRepository */
  const triton = async (modelRepository) => {
    const log = logTo(state.logs, 'triton');
    const { grpc } = await keep('triton', () => startTriton({ modelRepository, log, signal }));
    print(`${linePrefix('triton')} ready url=grpc://${grpc}`);
    return `grpc://${grpc}`;
  };
  /** @type {string | undefined} */
  let awaited;
  /** @param {string} name @param {string} script @param {NodeJS.ProcessEnv} [more] */
  const app = (name, script, more) => {
    const write = logTo(state.logs, name, print);
    const log = (/** @type {string} */ line) => {
      if (script === main('worker')) awaited = warningReason(line) ?? awaited;
      write(line);
    };
    return url(name, () => startApp({ name, script, env: { ...env, ...more }, log, signal }));
  };

  const [outboxUrl, databaseUrl, redisUrl, tritonUrl] = await all([
    app('outbox', 'scripts/outbox.mjs'),
    DATABASE_URL || url('postgres', database),
    REDIS_URL || url('redis', redis),
    model.repository ? triton(model.repository) : env.TRITON_URL,
  ]);
  Object.assign(env, {
    OUTBOX_URL: outboxUrl,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    TRITON_URL: tritonUrl,
  });
  await migrate(env, signal);
  const names = Array.from(
    { length: workers },
    (_, i) => `worker${workers > 1 ? `-${i + 1}` : ''}`,
  );
  const [gateway, , ...workerUrls] = await all([
    app('gateway', main('gateway'), { PORT: String(port) }),
    app('executor', main('executor')),
    ...names.map((name) => app(name, main('worker'))),
  ]);
  return { url: /** @type {string} */ (gateway), workers: workerUrls, awaits: () => awaited };
}

/** @param {string} app */
function main(app) {
  return `dist/apps/${app}/src/main.js`;
}

/**
 * Like Promise.all, but fails, with the first failure, only when all have come to an end: what became ready beside it
 * must be kept, and so be stopped.
 *
 * @template T
 * @param {(T | Promise<T>)[]} promises
 * @returns {Promise<T[]>}
 */
async function all(promises) {
  const first = Promise.all(promises);
  first.catch(() => {}); // heard below
  await Promise.allSettled(promises);
  return first;
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
