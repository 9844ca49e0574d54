import { execFile } from 'node:child_process';
import { existsSync, globSync, realpathSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../scripts/artifacts.mjs';
import { fillOnce } from '../scripts/fill-once.mjs';
import { runPip } from '../scripts/pip.mjs';
import { setupTriton } from '../scripts/triton-setup.mjs';
import { LineProcess } from './triton-processes.js';

/** The last tritonclient whose perf_analyzer runs with the glibc of Debian 12; numpy is there with Triton. */
const WHEELS = [
  'tritonclient==2.45.0',
  'grpcio==1.85.1',
  'protobuf==4.25.3',
  'python-rapidjson==1.25',
  'typing-extensions==4.16.0',
  'packaging==26.3',
];
const FOLDER = 'tritonclient-2.45.0';
const FILLED = 75_000_000;
/** What perf_analyzer is linked with and its wheel lacks; Triton's brings both. */
const LIBRARIES = ['libb64.so.0d', 'libcudart.so.12'];

/** The clients that NVIDIA gives away with Triton. */
export interface References {
  /** A Python that has tritonclient, with this environment. */
  readonly python: string;
  readonly perfAnalyzer: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Installs them into the cache folder, once; where they are there, nothing is asked of the network. */
export async function setupReferences(): Promise<References> {
  const triton = await setupTriton();
  const python = path.join(triton.bin, 'python3');
  // The Python that the virtual environment was made of: it has pip, and the wheels must fit it.
  const base = realpathSync(python);
  const folder = path.join(cacheFolder(), `${FOLDER}-${path.basename(base)}`);
  if (!existsSync(folder)) {
    const libraries = path.resolve(triton.backends, '../../../nvidia_pytriton.libs');
    await fillOnce(folder, (work) => install(work, base, libraries));
  }
  return {
    python,
    perfAnalyzer: path.join(folder, 'bin/perf_analyzer'),
    env: { ...process.env, PYTHONPATH: folder, LD_LIBRARY_PATH: path.join(folder, 'libraries') },
  };
}

async function install(folder: string, python: string, tritonLibraries: string): Promise<void> {
  await runPip({
    label: "clients of Triton's own",
    python,
    args: ['install', '--target', folder, ...WHEELS],
    folder,
    bytes: FILLED,
    note: () => {},
  });
  await mkdir(path.join(folder, 'libraries'));
  for (const library of LIBRARIES) {
    const [name = '', version = ''] = library.split('.so.');
    const [found] = globSync(`${name}-*.so.${version}*`, { cwd: tritonLibraries });
    if (found === undefined) throw new Error(`Triton's wheel brings no ${library}`);
    await copyFile(path.join(tritonLibraries, found), path.join(folder, 'libraries', library));
  }
}

/** bench/triton-python.py, which asks the server at `address`. */
export function pythonClient({ python, env }: References, address: string): LineProcess {
  return new LineProcess(
    python,
    [path.join(import.meta.dirname, 'triton-python.py'), address],
    env,
  );
}

/** Calls a second of perf_analyzer, which measures in three windows of `windowMs`. */
export async function perfAnalyzerCalls(
  { perfAnalyzer, env }: References,
  options: { address: string; inFlight: number; windowMs: number },
): Promise<number> {
  const { address, inFlight, windowMs } = options;
  const { stdout } = await promisify(execFile)(
    perfAnalyzer,
    [
      ['-m', 'identity', '--shape', 'INPUT0:16', '-i', 'grpc', '-u', address, '--async'],
      ['--concurrency-range', `${inFlight}`, '-p', `${windowMs}`],
      // The rounds of the bench do the work of its search for a stable figure.
      ['-s', '999'],
    ].flat(),
    { env },
  );
  const figure = /throughput: ([\d.]+) infer\/sec/.exec(stdout)?.[1];
  if (figure === undefined) throw new Error(`perf_analyzer gave no figure: ${stdout}`);
  return Number(figure);
}
