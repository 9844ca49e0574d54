import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { copyFile, chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cacheFolder } from './artifacts.mjs';
import { Failure } from './failure.mjs';
import { fillOnce } from './fill-once.mjs';
import { runPip } from './pip.mjs';
import { run } from './process.mjs';
import { findPython } from './triton-python.mjs';

/** The wheel that bundles Triton 2.51.0 (release 24.10) for CPU, with its python backend. */
const WHEEL = 'nvidia-pytriton==0.7.0';
const FOLDER = 'triton-2.51.0';
/** The wheels. */
export const TRITON_DOWNLOAD = 74_000_000;
/** The wheels and what is in them side by side; 235 MB of it stay. */
const FILLED = 460_000_000;

/**
 * @typedef {object} Triton
 * @property {string} binary
 * @property {string} backends
 * @property {string} caches
 * @property {string} bin the folder of the python3 whose packages the models see
 * @property {string} libraries the folder of its libpython
 * @property {string} python the one that it was made with, which has pip
 * @property {string} packages the folder of the packages that the models see
 */

/**
 * Installs Triton Inference Server into the cache folder, once, as any user. The folder has its name only when it is
 * whole; where it is there, nothing is asked of the network.
 *
 * @param {(text: string) => void} [note]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Triton>}
 */
export async function setupTriton(note = () => {}, signal) {
  const folder = path.join(cacheFolder(), FOLDER);
  const there = installedTriton();
  if (there) return there;
  makeCacheFolder(cacheFolder());
  await discard(folder);
  await fillOnce(folder, (work) => install(work, note, signal));
  const triton = installedTriton();
  if (!triton) throw new Failure(`the set-up of Triton in ${folder} is not whole: remove it`);
  return triton;
}

/** Triton in the cache folder, if it is there and whole. */
export function installedTriton() {
  return installed(path.join(cacheFolder(), FOLDER));
}

/** @param {string} folder */
function makeCacheFolder(folder) {
  try {
    makeFolder(folder);
    accessSync(`${folder}/.`, constants.W_OK);
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    throw new Failure(
      `cannot write to the cache folder ${folder} (${code}): set HAMMERLINE_CACHE to a folder of yours`,
    );
  }
}

/**
 * One after the other: Node 20's own recursion never ends in /proc.
 *
 * @param {string} folder
 */
function makeFolder(folder) {
  if (existsSync(folder)) return;
  makeFolder(path.dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another set-up may have made it.
    if (!existsSync(folder)) throw error;
  }
}

/**
 * @param {string} folder
 * @returns {Triton | undefined}
 */
function installed(folder) {
  const bin = path.join(folder, 'bin');
  if (!existsSync(recordFile(folder)) || !existsSync(path.join(bin, 'python3'))) return undefined;
  /** @type {import('./triton-python.mjs').Python} */
  const { executable, version, library } = JSON.parse(readFileSync(recordFile(folder), 'utf8'));
  if (library && !existsSync(library)) return undefined;
  const packages = sitePackages(folder, version);
  const server = path.join(packages, 'pytriton/tritonserver');
  return {
    binary: path.join(server, 'bin/tritonserver'),
    backends: path.join(server, 'backends'),
    caches: path.join(server, 'caches'),
    bin,
    libraries: library && path.dirname(library),
    python: executable,
    packages,
  };
}

/**
 * Takes away what belongs to a Python that is gone. This is done before the set-up, which takes seconds: right before its
 * end another's could be met, new and in use.
 *
 * @param {string} folder
 */
async function discard(folder) {
  if (!existsSync(folder)) return;
  const work = await mkdtemp(path.join(cacheFolder(), 'fetch-'));
  try {
    if (!installed(folder)) renameSync(folder, path.join(work, FOLDER));
  } catch (error) {
    // Another set-up may have taken it away.
    if (existsSync(folder)) throw error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * @param {string} folder
 * @param {(text: string) => void} note
 * @param {AbortSignal | undefined} signal
 */
async function install(folder, note, signal) {
  const python = await findPython();
  // The backend's Python ignores PYTHONPATH and PYTHONHOME, but follows a virtual environment at the head of the PATH.
  // pip stays outside of it: Debian's Python cannot put it there without one more package.
  const { code, tail } = await run(
    python.executable,
    ['-m', 'venv', '--without-pip', '--symlinks', folder],
    { signal },
  );
  if (code !== 0) {
    throw new Failure(`cannot set up Triton: python3 -m venv said: ${tail.at(-1)?.text ?? code}`);
  }
  const packages = sitePackages(folder, python.version);
  await runPip({
    label: 'Triton server',
    python: python.executable,
    args: ['install', '--target', packages, WHEEL, numpyFor(python.version)],
    folder,
    bytes: FILLED,
    note,
    signal,
  });
  const server = path.join(packages, 'pytriton/tritonserver');
  const stub = path.join(server, 'backends/python/triton_python_backend_stub');
  await copyFile(
    path.join(server, 'python_backend_stubs', python.version, path.basename(stub)),
    stub,
  );
  await chmod(stub, 0o755);
  // Else it writes __pycache__ into model repositories, and ignores PYTHONDONTWRITEBYTECODE too.
  const start = 'import sys; sys.dont_write_bytecode = True\n';
  await writeFile(path.join(packages, 'hammerline.pth'), start);
  await writeFile(recordFile(folder), JSON.stringify(python));
}

/** The stubs were built for numpy 1, which ends at Python 3.12. @param {string} version */
function numpyFor(version) {
  return version === '3.13' ? 'numpy>=2.1,<3' : 'numpy>=1.24,<2';
}

/** @param {string} folder @param {string} version */
function sitePackages(folder, version) {
  return path.join(folder, 'lib', `python${version}`, 'site-packages');
}

/** Which Python it was made for; written last. @param {string} folder */
function recordFile(folder) {
  return path.join(folder, 'python.json');
}
