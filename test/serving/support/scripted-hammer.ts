import { once } from 'node:events';
import { readFileSync, renameSync, watch, writeFileSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from '../../../scripts/root.mjs';
import { startTriton } from '../../../scripts/triton.mjs';
import { stubPids } from '../../support/stub-pids.js';

const REPOSITORY = path.join(ROOT, 'test/serving/model_repository');
const OBSERVE_WITHIN_MS = 30_000;

/** How the model answers; what it answers stands in the prompt ("Answer with …": see answer.py). */
export interface Script {
  /** Requests that are answered at once, default 4; the others wait in a line. */
  readonly slots?: number;
  /** How long an answer takes once it has a slot; default 20. */
  readonly serviceMs?: number;
  /** The share of that before the first piece of the answer; default 0.25. */
  readonly firstShare?: number;
  /** In how many responses an answer is sent; default 4. */
  readonly pieces?: number;
  /** Names of the adapters that it has; default none. */
  readonly loras?: readonly string[];
  /** The model is not loaded while this is true; default false. */
  readonly loading?: boolean;
  /** What becomes of the next `times` answers, after `after` pieces. */
  readonly fault?: { kind: 'hang' | 'die' | 'error'; after: number; times: number };
}

/** What the model saw. `began`: a request has a slot now; `answer` is what it will say to `prompt`. */
export interface Sight {
  event: 'loading' | 'loaded' | 'began' | 'fault' | 'answered' | 'cancelled' | 'failed';
  /** Of the model's process. */
  pid: number;
  answer?: string;
  prompt?: string;
  kind?: string;
}

/** A real Triton whose model `hammer` answers what it is told, in a time that is fixed. */
export interface ScriptedHammer {
  /** host:port */
  readonly grpc: string;
  /** http://host:port */
  readonly http: string;
  /** The whole URL. */
  readonly metrics: string;
  /** That of the process which runs now. */
  readonly pid: number;
  /** Changes the script while the model runs; parts that are not named stay. The next request meets it. */
  set(script: Script): void;
  /** All that the model saw so far; nothing unless `observe` was set. */
  sights(): Sight[];
  /** The first sight, past (from the number `from` on) or to come, that passes. Fails when there is none within 30 s. */
  saw(predicate: (sight: Sight) => boolean, from?: number): Promise<Sight>;
  /** With `loaded: false`: loads the model; resolves when it is ready. */
  load(): Promise<void>;
  unload(): Promise<void>;
  /** SIGKILL to the model's process. It stays dead until the model is loaded anew. */
  killModel(): void;
  /** As Ctrl-C does: requests under way are ended first. Then nothing is left, also no files. */
  stop(): Promise<void>;
  /** To the server, by default SIGKILL; SIGINT ends it as `stop` does. Resolves when nothing is left of it. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** On the same ports, also after `kill`. */
  restart(): Promise<void>;
}

/**
 * @param options.loaded false: the server starts without the model, for `load`
 * @param options.observe writes down what the model sees; costs a little time at each request
 * @param options.grpcPort default: a free one
 */
export async function startScriptedHammer(
  options: Script & { loaded?: boolean; observe?: boolean; grpcPort?: number | undefined } = {},
): Promise<ScriptedHammer> {
  const { loaded = true, observe = false, grpcPort, ...first } = options;
  const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'hammerline-scripted-')));
  const file = path.join(folder, 'script.json');
  const observations = path.join(folder, 'observations.jsonl');
  let script: Script = {};
  const set = (change: Script): void => {
    script = { ...script, ...change };
    const { serviceMs, firstShare, ...same } = script;
    const values = { ...same, service_ms: serviceMs, first_share: firstShare };
    writeFileSync(`${file}.new`, JSON.stringify(values));
    renameSync(`${file}.new`, file);
  };
  set(first);
  writeFileSync(observations, '');
  const server = await startTriton({
    modelRepository: REPOSITORY,
    grpcPort,
    args: loaded ? [] : ['--model-control-mode=explicit'],
    env: { HAMMERLINE_SCRIPT: file, ...(observe && { HAMMERLINE_OBSERVATIONS: observations }) },
  }).catch(async (error: unknown) => {
    await rm(folder, { recursive: true });
    throw error;
  });
  const { grpc, http, metrics } = server;
  const control = async (action: 'load' | 'unload'): Promise<void> => {
    const url = `${http}/v2/repository/models/hammer/${action}`;
    const response = await fetch(url, { method: 'POST' });
    if (!response.ok) throw new Error(`${action}: ${response.status} ${await response.text()}`);
  };
  return {
    grpc,
    http,
    metrics,
    get pid() {
      return server.pid;
    },
    set,
    sights: () => readSights(observations),
    saw: (predicate, from = 0) => saw(observations, predicate, from),
    load: () => control('load'),
    unload: () => control('unload'),
    killModel() {
      // Servers of this suite share the model's folder: of its processes, those whose parent is this server.
      for (const pid of stubPids(path.join(REPOSITORY, 'hammer'))) {
        if (parentOf(pid) === server.pid) process.kill(pid, 'SIGKILL');
      }
    },
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
    kill: (signal) => server.kill(signal),
    restart: () => server.restart(),
  };
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

async function saw(
  file: string,
  predicate: (sight: Sight) => boolean,
  from: number,
): Promise<Sight> {
  const signal = AbortSignal.timeout(OBSERVE_WITHIN_MS);
  // Before the file is read: what is written in between must not be missed.
  const watcher = watch(file);
  try {
    while (!signal.aborted) {
      const changed = once(watcher, 'change', { signal }).catch(() => {});
      const found = readSights(file).slice(from).find(predicate);
      if (found) return found;
      await changed;
    }
  } finally {
    watcher.close();
  }
  const last = readSights(file).slice(-20);
  throw new Error(
    `the model saw no such thing within ${OBSERVE_WITHIN_MS / 1000} s; the last: ${JSON.stringify(last)}`,
  );
}

function readSights(file: string): Sight[] {
  // A line may be half written.
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Sight);
}
