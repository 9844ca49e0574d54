import { existsSync, readFileSync } from 'node:fs';
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
 * What the environment names; else what `hammerline models use` chose; else the default model. Looks at files only.
 *
 * @param {import('./flags.mjs').Runtime} runtime
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {ModelChoice}
 */
export function chooseModel(runtime, env = process.env) {
  switch (runtime) {
    case 'embedded':
      return embedded(env);
    case 'triton':
      return env.TRITON_URL ? remoteTriton(env) : localTriton(env);
    case 'openai':
      return openai(env);
  }
}

/** @param {NodeJS.ProcessEnv} env @returns {ModelChoice} */
function embedded(env) {
  const RUNTIME = 'embedded';
  if (env.MODEL) {
    if (!existsSync(env.MODEL)) throw new Failure(`MODEL names no file: ${env.MODEL}`);
    return { text: `${env.MODEL}, embedded`, env: { RUNTIME }, weights: false };
  }
  const used = usedModel(env);
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

/** @param {NodeJS.ProcessEnv} env @returns {ModelChoice} */
function localTriton(env) {
  if (env.MODEL) {
    throw new Failure(
      'MODEL names a model of the server at TRITON_URL, which is not set: unset MODEL (the Triton that is started here ' +
        'serves what `hammerline models use` chose, or the default model)',
    );
  }
  const used = usedModel(env);
  return {
    text: `${used?.name ?? DEFAULT_MODEL}, on a Triton of this machine`,
    env: { RUNTIME: 'triton' },
    weights: !used,
    repository: used ? path.join(used.folder, 'triton') : CPU_REPOSITORY,
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
 * @returns {{ name: string, folder: string } | undefined}
 */
function usedModel(env) {
  const store = env.HAMMERLINE_MODELS || path.join(cacheFolder(env), 'models');
  const file = path.join(store, 'default');
  if (!existsSync(file)) return undefined;
  const name = readFileSync(file, 'utf8').trim();
  const folder = path.join(store, name);
  const entry = path.join(folder, 'entry.json');
  if (!existsSync(entry)) {
    throw new Failure(
      `the model ${name} that was chosen is gone from ${store}: choose another with \`hammerline models use\``,
    );
  }
  const { format } = JSON.parse(readFileSync(entry, 'utf8'));
  if (format !== 'gguf') {
    throw new Failure(
      `the model ${name} that was chosen is for a GPU (${format}): choose one in GGUF with \`hammerline models use\`, ` +
        'or set TRITON_URL to a Triton with a GPU (docs/gpu.md)',
    );
  }
  return { name, folder };
}
