import { parseArgs } from 'node:util';
import { Failure } from './failure.mjs';

export const HELP = `npm start -- [options]

Starts Hammerline on this machine: Postgres, a Redis-compatible server, gateway, worker and executor;
then sends it the office sample and shows what becomes of it. Ctrl-C stops everything.

  --once           stop after the sample; exit 0 only if every request ended as expected, or its call was held
                   back because the model was unsure; the last line is one JSON object
  --ask "…"        send this request instead of the sample
  --tools FILE     with --ask: choose from this toolset file, or from a plain JSON array of tools
                   (OpenAI, BFCL or xLAM shape; their calls are resolved, not executed)
  --runtime NAME   how the workers reach the model: embedded (in the worker, the default), triton (a Triton
                   server, started here unless TRITON_URL names one) or openai (OPENAI_BASE_URL and MODEL);
                   a model that does not answer is waited for, 10 minutes at most, 2 with --once
  --workers N      number of worker processes (default 1)
  --port N         port of the gateway (default 3000; 0 takes a free one)
  --help           this text

Environment: DATABASE_URL, REDIS_URL, MODEL (a GGUF file) and TRITON_URL replace what would be started or fetched;
RUNTIME stands for --runtime; HAMMERLINE_CACHE is the folder for fetched files. All: docs/configuration.md.`;

/** How a model is reached; as the worker's RUNTIME. */
const RUNTIMES = /** @type {const} */ (['embedded', 'triton', 'openai']);
/** @typedef {typeof RUNTIMES[number]} Runtime */

/**
 * @typedef {object} Flags
 * @property {boolean} help
 * @property {boolean} once
 * @property {Runtime} runtime
 * @property {number} workers
 * @property {number} port
 * @property {string} [ask]
 * @property {string} [tools]
 */

/**
 * @param {string[]} args
 * @param {{ PORT?: string | undefined, RUNTIME?: string | undefined }} [env]
 * @returns {Flags}
 */
export function parseFlags(args, env = {}) {
  const values = parse(args);
  if (values.tools !== undefined && values.ask === undefined) {
    throw new Failure('--tools needs --ask "…": the request to choose among these tools for');
  }
  return {
    help: values.help ?? false,
    once: values.once ?? false,
    runtime: runtime(
      values.runtime === undefined ? 'RUNTIME' : '--runtime',
      values.runtime ?? (env.RUNTIME || 'embedded'),
    ),
    workers: integer('--workers', values.workers ?? '1', 1, 64),
    port: integer(
      values.port === undefined ? 'PORT' : '--port',
      values.port ?? env.PORT ?? '3000',
      0,
      65_535,
    ),
    ...(values.ask !== undefined && { ask: values.ask }),
    ...(values.tools !== undefined && { tools: values.tools }),
  };
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({
      args,
      options: {
        help: { type: 'boolean', short: 'h' },
        once: { type: 'boolean' },
        runtime: { type: 'string' },
        workers: { type: 'string' },
        port: { type: 'string' },
        ask: { type: 'string' },
        tools: { type: 'string' },
      },
    }).values;
  } catch (error) {
    // parseArgs says what is wrong in its first sentence; the rest is advice about `--`.
    const [what] = /** @type {Error} */ (error).message.split(/\.\s|\n/);
    throw new Failure(`${what?.replace(/\.$/, '')}; npm start -- --help lists the options`);
  }
}

/**
 * @param {string} name
 * @param {string} text
 */
function runtime(name, text) {
  const found = RUNTIMES.find((it) => it === text);
  if (!found) throw new Failure(`${name} must be one of ${RUNTIMES.join(', ')}, not "${text}"`);
  return found;
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} min
 * @param {number} max
 */
function integer(name, text, min, max) {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max) {
    throw new Failure(`${name} must be a whole number from ${min} to ${max}, not "${text}"`);
  }
  return value;
}
