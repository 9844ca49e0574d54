import { parseArgs } from 'node:util';
import { Failure } from './failure.mjs';

export const HELP = `npm start -- [options]

Starts Hammerline on this machine: Postgres, a Redis-compatible server, gateway, worker and executor;
then sends it the office sample and shows what becomes of it. Ctrl-C stops everything.

  --once           stop after the sample; exit 0 only if every request ended as expected;
                   the last line is one JSON object
  --ask "…"        send this request instead of the sample
  --tools FILE     with --ask: choose from this toolset file, or from a plain JSON array of tools
                   (OpenAI, BFCL or xLAM shape; their calls are resolved, not executed)
  --workers N      number of worker processes (default 1)
  --port N         port of the gateway (default 3000; 0 takes a free one)
  --help           this text

Environment: DATABASE_URL, REDIS_URL and MODEL (a GGUF file) replace what would be started or fetched;
HAMMERLINE_CACHE is the folder for fetched files.`;

/**
 * @typedef {object} Flags
 * @property {boolean} help
 * @property {boolean} once
 * @property {number} workers
 * @property {number} port
 * @property {string} [ask]
 * @property {string} [tools]
 */

/**
 * @param {string[]} args
 * @param {{ PORT?: string | undefined }} [env]
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
