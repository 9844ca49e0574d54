import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cacheFolder, fetchArtifact, isPresent, MODEL } from './artifacts.mjs';
import { fillOnce } from './fill-once.mjs';
import { runPip } from './pip.mjs';

/** The wheels of the engine. */
export const PACKAGES_DOWNLOAD = 37_000_000;
/** The engine's wheels and what is in them side by side; 125 MB of it stay. */
const FILLED = 165_000_000;
/** Names the folder that a server's models see beside Triton's own packages; other servers' models do not. */
const VARIABLE = 'HAMMERLINE_PACKAGES';
const START = `import os, sys; sys.path += filter(None, [os.environ.get("${VARIABLE}")])\n`;

/**
 * Fetches what the models of a repository need beside Triton, once: the Python packages in their requirements.txt, and
 * the default model's weights where a model.json names them. Where nothing is missing, nothing is asked of the network.
 *
 * @param {import('./triton-setup.mjs').Triton} triton
 * @param {string} repository
 * @param {(text: string) => void} [note]
 * @param {AbortSignal} [signal]
 * @returns {Promise<NodeJS.ProcessEnv>} what the server's environment must say
 */
export async function setupLlm(triton, repository, note = () => {}, signal) {
  if (needsWeights(repository) && !(await isPresent(MODEL))) {
    await fetchArtifact(MODEL, note, signal);
  }
  const { files, folder } = packagesOf(repository);
  if (files.length === 0) return {};
  if (!existsSync(folder)) {
    await fillOnce(folder, (work) =>
      runPip({
        label: 'packages of the models',
        python: triton.python,
        args: ['install', '--target', work, ...files.flatMap((file) => ['--requirement', file])],
        folder: work,
        bytes: FILLED,
        note,
        signal,
      }),
    );
  }
  await writeStart(path.join(triton.packages, 'hammerline-packages.pth'));
  return { [VARIABLE]: folder };
}

/** Whether packages are still to be fetched for the models of a repository. @param {string} repository */
export function lacksPackages(repository) {
  const { files, folder } = packagesOf(repository);
  return files.length > 0 && !existsSync(folder);
}

/** The models' requirements.txt, equal ones once, and the folder of what they name. @param {string} repository */
function packagesOf(repository) {
  const byText = new Map(
    filesOf(repository, 'requirements.txt').map((file) => [readFileSync(file, 'utf8'), file]),
  );
  const hash = createHash('sha256')
    .update([...byText.keys()].join('\n'))
    .digest('hex');
  return {
    files: [...byText.values()],
    folder: path.join(cacheFolder(), `triton-packages-${hash.slice(0, 12)}`),
  };
}

/** @param {string} repository */
function needsWeights(repository) {
  return filesOf(repository, '1/model.json').some((file) =>
    readFileSync(file, 'utf8').includes(`$HAMMERLINE_CACHE/${MODEL.file}`),
  );
}

/** Of each model that has it. @param {string} repository @param {string} name */
function filesOf(repository, name) {
  const models = existsSync(repository) ? readdirSync(repository).toSorted() : [];
  return models
    .map((model) => path.join(repository, model, name))
    .filter((file) => existsSync(file));
}

/** Whole or not at all: a server of somebody else's may start meanwhile. @param {string} file */
async function writeStart(file) {
  if (existsSync(file)) return;
  const work = await mkdtemp(path.join(cacheFolder(), 'fetch-'));
  try {
    const whole = path.join(work, path.basename(file));
    await writeFile(whole, START);
    await rename(whole, file);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
