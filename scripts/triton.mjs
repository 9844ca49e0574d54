import { parseArgs } from 'node:util';
import { describe, Failure } from './failure.mjs';
import { isMain } from './root.mjs';
import { exitText } from './server.mjs';
import { print, progress } from './terminal.mjs';
import { setupLlm } from './triton-llm.mjs';
import { isTelling } from './triton-log.mjs';
import { startTriton } from './triton-server.mjs';
import { setupTriton } from './triton-setup.mjs';

export { setupTriton, startTriton };

const HELP = `npm run -s triton -- --model-repository DIR [options] [-- flags of tritonserver]

Starts a real Triton Inference Server on this machine's CPU, for the tests and for trying things out. It serves models of
its python backend and ensembles of them. The first start fetches it (235 MB) into the cache folder, and what a model's
requirements.txt names. Ctrl-C stops it.

  --model-repository DIR   what it serves; triton/model_repository/cpu is the Hammer model
  --grpc-port N            default: a free port; so are the other two
  --http-port N
  --metrics-port N
  --verbose                all that Triton says; default: warnings, errors, what models print
  --setup-only             fetch it if it is not there, and end
  --help                   this text

Environment: HAMMERLINE_CACHE is the folder for fetched files.`;

const LOOK_EVERY_MS = 250;

/**
 * @param {string[]} args
 */
export function parseTritonFlags(args) {
  const { values, positionals } = parse(args);
  const repository = values['model-repository'];
  if (repository === undefined && !values.help && !values['setup-only']) {
    throw new Failure('--model-repository DIR is missing: the folder of the models to serve');
  }
  return {
    help: values.help ?? false,
    setupOnly: values['setup-only'] ?? false,
    verbose: values.verbose ?? false,
    modelRepository: repository ?? '',
    grpcPort: port('--grpc-port', values['grpc-port']),
    httpPort: port('--http-port', values['http-port']),
    metricsPort: port('--metrics-port', values['metrics-port']),
    args: positionals,
  };
}

/** @param {string[]} args */
function parse(args) {
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  try {
    const { values } = parseArgs({
      args: own,
      options: {
        help: { type: 'boolean', short: 'h' },
        'setup-only': { type: 'boolean' },
        verbose: { type: 'boolean' },
        'model-repository': { type: 'string' },
        'grpc-port': { type: 'string' },
        'http-port': { type: 'string' },
        'metrics-port': { type: 'string' },
      },
    });
    return { values, positionals: args.slice(own.length + 1) };
  } catch (error) {
    // parseArgs says what is wrong in its first sentence; the rest is advice about `--`.
    const [what] = /** @type {Error} */ (error).message.split(/\.\s|\n/);
    const hint = 'flags of tritonserver come after a further --, and --help lists the options';
    throw new Failure(`${what?.replace(/\.$/, '')}; ${hint}`);
  }
}

/**
 * @param {string} name
 * @param {string | undefined} text
 */
function port(name, text) {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < 1 || value > 65_535) {
    throw new Failure(`${name} must be a whole number from 1 to 65535, not "${text}"`);
  }
  return value;
}

/** @param {AbortSignal} signal */
async function main(signal) {
  const { help, setupOnly, verbose, ...options } = parseTritonFlags(process.argv.slice(2));
  if (help) return print(HELP);
  const installed = await progress('Triton server', (note) => setupTriton(note, signal));
  if (options.modelRepository) {
    await progress('what the models need', (note) =>
      setupLlm(installed, options.modelRepository, note, signal),
    );
  }
  if (setupOnly) return;
  const log = (/** @type {string} */ line) => {
    if (verbose || isTelling(line)) print(line);
  };
  const triton = await startTriton({ ...options, log, signal });
  print(`\ngRPC     ${triton.grpc}\nHTTP     ${triton.http}\nmetrics  ${triton.metrics}`);
  print('\nCtrl-C stops it.');
  const stopped = new Promise((resolve) => signal.addEventListener('abort', resolve));
  const exit = await Promise.race([triton.exited, stopped.then(() => undefined)]);
  if (exit) throw new Failure(`Triton ended (${exitText(exit)})`);
  await triton.stop();
}

/**
 * npm dies of a signal without passing it on. Nothing tells its children, so we look.
 *
 * @param {() => void} gone
 */
function onLauncherGone(gone) {
  if (process.env.npm_lifecycle_event === undefined) return; // by itself, it may outlive its shell
  const launcher = process.ppid;
  setInterval(() => process.ppid !== launcher && gone(), LOOK_EVERY_MS).unref();
}

if (isMain(import.meta.url)) {
  const stopping = new AbortController();
  for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(name, () => stopping.abort());
  }
  onLauncherGone(() => stopping.abort());
  process.exitCode = await main(stopping.signal).then(
    () => 0,
    (error) => {
      if (stopping.signal.aborted) return 130;
      console.error(`triton: ${describe(error)}`);
      return 1;
    },
  );
}
