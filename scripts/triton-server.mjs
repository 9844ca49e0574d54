import { realpathSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { cacheFolder } from './artifacts.mjs';
import { Failure } from './failure.mjs';
import { checkPort, freePort } from './platform.mjs';
import { startProcess } from './process.mjs';
import { ROOT } from './root.mjs';
import { startServer } from './server.mjs';
import { setupLlm } from './triton-llm.mjs';
import { newPrefix, removeOrphans, removeRemains } from './triton-remains.mjs';
import { setupTriton } from './triton-setup.mjs';

const HOST = '127.0.0.1';
/** How long Triton waits for requests in flight and for models to unload before it gives up on them. */
const EXIT_TIMEOUT_S = 5;

/** @typedef {import('./server.mjs').Server} Server */
/** @typedef {{ grpc: string, http: string, metrics: string }} Addresses gRPC as host:port, the others as URLs */

/**
 * Starts Triton Inference Server on the loopback interface; it is ready when every model is.
 *
 * @param {object} options
 * @param {string} options.modelRepository
 * @param {number | undefined} [options.grpcPort] default: a free one; so are the other ports
 * @param {number | undefined} [options.httpPort]
 * @param {number | undefined} [options.metricsPort]
 * @param {string[]} [options.args] further flags of tritonserver; a later flag wins over an earlier one
 * @param {NodeJS.ProcessEnv} [options.env] added to the environment, also of the models
 * @param {(line: string) => void} [options.log]
 * @param {AbortSignal} [options.signal] gives up set-up and start
 * @returns {Promise<Server & Addresses>} its `url` is that of HTTP
 */
export async function startTriton({ modelRepository, args = [], env, log, signal, ...ports }) {
  await checkPorts(ports);
  const triton = await setupTriton(undefined, signal);
  const repository = realRepository(modelRepository);
  const llm = await setupLlm(triton, repository, undefined, signal);
  await removeOrphans();
  const {
    grpcPort = await freePort(),
    httpPort = await freePort(),
    metricsPort = await freePort(),
  } = ports;
  const http = `http://${HOST}:${httpPort}`;
  const metrics = `http://${HOST}:${metricsPort}/metrics`;
  const prefix = newPrefix();
  /** @type {string[]} */
  let complaints = [];
  const flags = {
    'model-repository': repository,
    'backend-directory': triton.backends,
    'cache-directory': triton.caches,
    'grpc-address': HOST,
    'grpc-port': grpcPort,
    'http-address': HOST,
    'http-port': httpPort,
    'metrics-address': HOST,
    'metrics-port': metricsPort,
    'exit-timeout-secs': EXIT_TIMEOUT_S,
    'allow-gpu-metrics': false,
  };
  const server = await startServer({
    name: 'Triton',
    signal,
    // A terminal's Ctrl-C is how Triton is meant to be stopped.
    stopSignal: 'SIGINT',
    graceMs: (EXIT_TIMEOUT_S + 5) * 1000,
    async launch() {
      complaints = [];
      const child = startProcess(
        triton.binary,
        [
          ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
          `--backend-config=python,shm-region-prefix-name=${prefix}`,
          '--backend-config=python,shm-default-byte-size=1048576',
          ...args,
        ],
        {
          env: {
            ...process.env,
            PATH: `${triton.bin}${path.delimiter}${process.env.PATH ?? ''}`,
            LD_LIBRARY_PATH: triton.libraries,
            // For the paths in model.json.
            HAMMERLINE_CACHE: cacheFolder(),
            HAMMERLINE_ROOT: ROOT,
            ...llm,
            ...env,
          },
          onLine(line) {
            if (COMPLAINT.test(line)) complaints.push(line);
            log?.(line);
          },
        },
      );
      // A server that crashed leaves its stubs and their shared memory behind.
      const exited = child.exited.then(async (exit) => {
        await removeRemains(prefix);
        return exit;
      });
      return { ...child, exited };
    },
    async ready(child) {
      // The last of the three services to start, after every model. The line comes before the port is bound.
      await child.line(/Started Metrics Service at/);
      const over = new AbortController();
      void child.exited.finally(() => over.abort());
      while (!over.signal.aborted && !(await hasMetrics(metrics))) await delay(20);
      return http;
    },
    explain: () => whyNot(complaints),
  });
  return Object.assign(server, { grpc: `${HOST}:${grpcPort}`, http, metrics });
}

/** @param {Record<string, number | undefined>} ports by the names of our options */
async function checkPorts(ports) {
  for (const [name, port = 0] of Object.entries(ports)) {
    const flag = name.replace('Port', '-port');
    await checkPort(HOST, port).catch((/** @type {Error} */ { message }) => {
      throw new Failure(message.replace('--port', `--${flag}`));
    });
  }
}

/** @param {string} folder */
function realRepository(folder) {
  try {
    return realpathSync(folder);
  } catch {
    throw new Failure(`Triton: there is no model repository ${folder}`);
  }
}

/** @param {string} url */
async function hasMetrics(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
    return (await response.text()).includes('# HELP nv_');
  } catch {
    return false;
  }
}

/** What says why it will not start, among tables, usage texts and warnings of missing GPUs. */
const COMPLAINT = /^E\d+ .*"(failed|Poll failed)|: unrecognized option|^error: /i;

/**
 * Triton's own words for why it ended, without the lines of Python's call stacks.
 *
 * @param {string[]} complaints
 */
export function whyNot(complaints) {
  const causes = complaints.filter((line) => !line.startsWith('error: creating server'));
  const texts = (causes.length > 0 ? causes : complaints).map((line) => {
    const [, quoted = line] = /"(.*)"$/.exec(line) ?? [];
    return quoted.split(String.raw`\n`)[0]?.trim();
  });
  return texts.length > 0 ? `Triton: ${texts.join('; ')}` : undefined;
}
