import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Failure } from './failure.mjs';
import { run } from './process.mjs';
import { isMain, NODE, ROOT } from './root.mjs';

/** What the start finds out only later: any that are well formed. */
const PLACEHOLDERS = {
  DATABASE_URL: 'postgres://127.0.0.1/hammerline',
  REDIS_URL: 'redis://127.0.0.1',
  TRITON_URL: 'grpc://127.0.0.1:8001',
};

/**
 * Fails where the environment is not one that a worker would start with. A worker says so itself, but only after a
 * database, a queue and perhaps a Triton were started for it.
 *
 * @param {Pick<import('./choose-model.mjs').ModelChoice, 'env'>} model
 * @param {AbortSignal} [signal]
 * @param {NodeJS.ProcessEnv} [env]
 */
export async function checkWorker(model, signal, env = process.env) {
  const set = Object.entries({ ...env, ...model.env }).filter(([, value]) => value !== '');
  const { code, tail } = await run(NODE, [path.join(ROOT, 'scripts/check-worker.mjs')], {
    cwd: ROOT,
    env: { ...PLACEHOLDERS, ...Object.fromEntries(set), PORT: '0' },
    signal,
  });
  if (code !== 0) throw new Failure(tail.at(-1)?.text ?? 'the worker cannot be checked');
}

/** @param {string} file of the build @returns {Promise<any>} */
function built(file) {
  return import(pathToFileURL(path.join(ROOT, 'dist', file)).href);
}

async function main() {
  const { readConfig } = await built('libs/service/src/index.js');
  const { WorkerConfig } = await built('apps/worker/src/config.js');
  const config = readConfig(WorkerConfig, process.env);
  // That one is loaded when it is opened, which its worker does soon enough.
  if (config.RUNTIME === 'embedded') return;
  const { openModel } = await built('apps/worker/src/models/open-model.js');
  await (await openModel(config)).close();
}

if (isMain(import.meta.url)) {
  await main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
