import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Failure } from './failure.mjs';

/** Minor versions of Python 3 for which the wheel has a stub, the process that runs a Python model. */
const MINORS = [8, 9, 10, 11, 12, 13];

/**
 * A Python that Triton's python backend can embed.
 *
 * @typedef {object} Python
 * @property {string} executable
 * @property {string} version such as "3.11"
 * @property {string} library its libpython; empty for 3.13, whose stub brings its own
 */

/** Prints what we must know of an interpreter as JSON. The loader itself says whether a libpython can be used. */
const PROBE = `
import ctypes, importlib.util, json, os, platform, sys, sysconfig
version = "%d.%d" % sys.version_info[:2]
name = "libpython%s.so.1.0" % version
of = lambda key: sysconfig.get_config_var(key) or ""
folders = [of("LIBDIR"), os.path.join(of("LIBDIR"), of("MULTIARCH")), os.path.join(sys.base_prefix, "lib")]
library = None
for candidate in [os.path.join(folder, name) for folder in folders] + [name]:
    try:
        ctypes.CDLL(candidate)
    except OSError:
        continue
    with open("/proc/self/maps") as maps:
        library = next((line.split()[-1] for line in maps if line.rstrip().endswith("/" + name)), None)
    break
print(json.dumps({
    "executable": sys.executable, "version": version, "library": library,
    "pip": importlib.util.find_spec("pip") is not None,
    "fits": sys.implementation.name == "cpython" and platform.machine() == "x86_64",
}))`;

/**
 * The first Python on the PATH that will do: plain `python3`, else one that is named with its version.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<Python>}
 */
export async function findPython(env = process.env) {
  /** @type {Set<string>} */
  const reasons = new Set();
  for (const command of ['python3', ...MINORS.toReversed().map((minor) => `python3.${minor}`)]) {
    const found = await probe(command, env);
    const reason = found && unfit(found);
    if (found && !reason) {
      const { executable, version, library } = found;
      return { executable, version, library: library ?? '' };
    }
    if (reason) reasons.add(reason);
  }
  const why = reasons.size === 0 ? 'there is none on the PATH' : [...reasons].join('; ');
  throw new Failure(
    `Triton needs a Python 3.${MINORS[0]} to 3.${MINORS.at(-1)} with pip and its libpython: ${why}. ` +
      'Debian and Ubuntu have them in python3-pip and libpython3.N (N as python3 --version says), ' +
      'Fedora in python3-pip and python3-libs',
  );
}

/** @typedef {Omit<Python, 'library'> & { library: string | null, pip: boolean, fits: boolean }} Found */

/**
 * @param {string} command
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Found | undefined>}
 */
async function probe(command, env) {
  try {
    const { stdout } = await promisify(execFile)(command, ['-c', PROBE], { env, timeout: 20_000 });
    return JSON.parse(stdout);
  } catch {
    return undefined; // none of that name, or a version manager's shim for one that is not chosen
  }
}

/** @param {Found} found */
function unfit({ executable, version, library, pip, fits }) {
  const minor = Number(version.split('.')[1]);
  if (!fits || !MINORS.includes(minor)) return `${executable} is another Python (${version})`;
  if (!pip) return `${executable} has no pip`;
  if (!library && minor !== 13) return `${executable} has no libpython${version}.so.1.0`;
  return undefined;
}
