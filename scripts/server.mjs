import { Failure } from './failure.mjs';

/** @typedef {import('./process.mjs').Process} Process */
/** @typedef {import('./process.mjs').Exit} Exit */
/**
 * A process that serves. Its `pid` and `exited` are those of the process that runs now; the url stays over restarts.
 *
 * @typedef {object} Server
 * @property {string} url
 * @property {number} pid
 * @property {Promise<Exit>} exited never rejects
 * @property {() => Promise<void>} stop cleanly; resolves when it is gone
 * @property {(signal?: NodeJS.Signals) => Promise<void>} kill SIGKILL by default; resolves when it is gone
 * @property {() => Promise<void>} restart stops it if it still runs; resolves when it is ready again
 */

/**
 * Starts a server and waits until it is ready.
 *
 * @param {object} options
 * @param {string} options.name
 * @param {() => Process | Promise<Process>} options.launch also used to start it again
 * @param {(process: Process) => Promise<string>} options.ready resolves with the url it serves on
 * @param {(process: Process) => string | undefined} options.explain its own words for why it ended
 * @param {NodeJS.Signals} [options.stopSignal]
 * @param {number} [options.graceMs] how long a clean stop may take before it is killed
 * @param {number} [options.readyMs]
 * @param {AbortSignal | undefined} [options.signal] gives up the first start
 * @returns {Promise<Server>}
 */
export async function startServer(options) {
  const { stopSignal = 'SIGTERM', graceMs = 10_000 } = options;
  let { process, url } = await begin(options);
  const stop = () => stopProcess(process, stopSignal, graceMs);
  return {
    url,
    get pid() {
      return process.pid;
    },
    get exited() {
      return process.exited;
    },
    stop,
    async kill(signal = 'SIGKILL') {
      process.kill(signal);
      await process.exited;
    },
    async restart() {
      await stop();
      ({ process } = await begin({ ...options, signal: undefined }));
    },
  };
}

/** @param {Parameters<typeof startServer>[0]} options */
async function begin({ name, launch, ready, explain, readyMs = 60_000, signal, ...stopping }) {
  signal?.throwIfAborted();
  const process = await launch();
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  /** @type {(() => void) | undefined} */
  let abort;
  try {
    signal?.throwIfAborted();
    const url = await Promise.race([
      ready(process),
      process.exited.then((exit) => {
        throw new Failure(explain(process) ?? `${name} did not start (${exitText(exit)})`);
      }),
      new Promise((_, reject) => {
        timer = setTimeout(() => {
          reject(new Failure(`${name} was not ready after ${readyMs / 1000} s`));
        }, readyMs);
        abort = () => reject(signal?.reason);
        signal?.addEventListener('abort', abort);
      }),
    ]);
    return { process, url: /** @type {string} */ (url) };
  } catch (error) {
    await stopProcess(process, stopping.stopSignal ?? 'SIGTERM', stopping.graceMs ?? 10_000);
    throw error;
  } finally {
    clearTimeout(timer);
    if (abort) signal?.removeEventListener('abort', abort);
  }
}

/**
 * @param {Process} process
 * @param {NodeJS.Signals} stopSignal
 * @param {number} graceMs
 */
async function stopProcess(process, stopSignal, graceMs) {
  process.kill(stopSignal);
  const timer = setTimeout(() => process.kill('SIGKILL'), graceMs);
  await process.exited;
  clearTimeout(timer);
}

/** @param {Exit} exit */
export function exitText({ code, signal }) {
  return signal ? `killed by ${signal}` : `exit code ${code}`;
}
