import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { cacheFolder } from './artifacts.mjs';
import { Failure } from './failure.mjs';
import { ROOT } from './root.mjs';

const CPU_REPOSITORY = path.join(ROOT, 'triton/model_repository/cpu');
const DEFAULT_MODEL = 'the small default model';

/**
 * How a start reaches its model, and what that takes.
 *
 * @typedef {object} ModelChoice
 * @property {string} text which model and where, for the terminal
 * @property {NodeJS.ProcessEnv} env of the workers
 * @property {boolean} weights whether the default model's weights are needed here
 * @property {string} [repository] the model repository of a Triton that is to be started here
 */

/**
 * An entry as `hammerline models show --json` prints it (docs/models.md).
 *
 * @typedef {{ name: string, folder: string, format: string, tritonRepository: string }} Entry
 */

/** @typedef {(env: NodeJS.ProcessEnv, args: string[]) => unknown} AskModels what `hammerline models` prints as JSON */

/**
 * What the environment names; else what `hammerline models use` chose; else the default model.
 *
 * @param {import('./flags.mjs').Runtime} runtime
 * @param {NodeJS.ProcessEnv} [env]
 * @param {AskModels} [ask]
 * @returns {ModelChoice}
 */
export function chooseModel(runtime, env = process.env, ask = askModels) {
  switch (runtime) {
    case 'embedded':
      return embedded(env, ask);
    case 'triton':
      return env.TRITON_URL ? remoteTriton(env) : localTriton(env, ask);
    case 'openai':
      return openai(env);
  }
}

/** @param {NodeJS.ProcessEnv} env @param {AskModels} ask @returns {ModelChoice} */
function embedded(env, ask) {
  const RUNTIME = 'embedded';
  if (env.MODEL) {
    if (!existsSync(env.MODEL)) throw new Failure(`MODEL names no file: ${env.MODEL}`);
    return { text: `${env.MODEL}, embedded`, env: { RUNTIME }, weights: false };
  }
  const used = usedModel(env, ask);
  if (!used) return { text: `${DEFAULT_MODEL}, embedded`, env: { RUNTIME }, weights: true };
  return {
    text: `${used.name}, embedded`,
    env: { RUNTIME, MODEL: used.folder },
    weights: false,
  };
}

/** @param {NodeJS.ProcessEnv} env @returns {ModelChoice} */
function remoteTriton({ MODEL, TRITON_URL }) {
  return {
    text: `${MODEL || 'hammer'} on Triton at ${TRITON_URL}`,
    env: { RUNTIME: 'triton' },
    weights: false,
  };
}

/** @param {NodeJS.ProcessEnv} env @param {AskModels} ask @returns {ModelChoice} */
function localTriton(env, ask) {
  if (env.MODEL) {
    throw new Failure(
      'MODEL names a model of the server at TRITON_URL, which is not set: unset MODEL (the Triton that is started here ' +
        'serves what `hammerline models use` chose, or the default model)',
    );
  }
  const used = usedModel(env, ask);
  // Its links and its config.pbtxt are those of this checkout as it is now.
  if (used) ask(env, ['use', used.name, '--json']);
  return {
    text: `${used?.name ?? DEFAULT_MODEL}, on a Triton of this machine`,
    env: { RUNTIME: 'triton' },
    weights: !used,
    repository: used?.tritonRepository ?? CPU_REPOSITORY,
  };
}

/** @param {NodeJS.ProcessEnv} env @returns {ModelChoice} */
function openai({ MODEL, OPENAI_BASE_URL }) {
  if (!OPENAI_BASE_URL || !MODEL) {
    throw new Failure(
      `--runtime openai needs ${OPENAI_BASE_URL ? 'MODEL, the name of a model there' : 'OPENAI_BASE_URL, such as http://127.0.0.1:8080/v1'}`,
    );
  }
  return {
    text: `${MODEL} at ${OPENAI_BASE_URL}`,
    env: { RUNTIME: 'openai' },
    weights: false,
  };
}

/**
 * The entry that `hammerline models use` chose, if there is one. It must be one that this machine can run: GGUF.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {AskModels} ask
 */
function usedModel(env, ask) {
  const store = env.HAMMERLINE_MODELS || path.join(cacheFolder(env), 'models');
  // Else nothing was chosen, and nothing need be built to know it.
  if (!existsSync(path.join(store, 'default'))) return undefined;
  const used = /** @type {Entry | null} */ (ask(env, ['show', '--used', '--json']));
  if (used !== null && used.format !== 'gguf') {
    throw new Failure(
      `the model ${used.name} that was chosen is for a GPU (${used.format}): choose one in GGUF with \`hammerline models use\`, ` +
        'or set TRITON_URL to a Triton with a GPU (docs/gpu.md)',
    );
  }
  return used ?? undefined;
}

/** @type {AskModels} */
function askModels(env, args) {
  const tool = path.join(ROOT, 'scripts/hammerline.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [tool, 'models', ...args], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Failure(stderr.trim() || 'the models cannot be read');
  return JSON.parse(stdout);
}
