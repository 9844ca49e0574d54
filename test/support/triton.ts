import { once } from 'node:events';
import { readFileSync, watch } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from '../../scripts/root.mjs';
import { startTriton } from '../../scripts/triton.mjs';
import { stubPids } from './stub-pids.js';

/** The models of test/triton/model_repository; `late` is loaded only where it is asked for. */
export const MODELS = ['identity', 'types', 'batched', 'slow', 'text', 'broken', 'late'] as const;
type Model = (typeof MODELS)[number];

const OBSERVE_WITHIN_MS = 10_000;

/** What the models `slow` and `text` saw of a request. */
export interface Observation {
  model: 'slow' | 'text';
  event: 'started' | 'cancelled' | 'failed' | 'finished';
  /** The request's id; empty where it has none. */
  id: string;
  /** Its parameters, with the headers that the server forwards. */
  parameters: Record<string, unknown>;
}

/** A real Triton server on free ports, with a model repository of its own. */
export interface TestTriton {
  /** host:port */
  grpc: string;
  /** http://host:port */
  http: string;
  /** The whole URL. */
  metrics: string;
  /** The folder of the models, which is removed by `stop`. */
  repository: string;
  /** That of the process which runs now. */
  readonly pid: number;
  /** The processes that run a model's instances: killing them breaks the model until it is loaded anew. */
  stubPids(model: string): number[];
  /** The first observation, past or to come, that passes. Fails when there is none within 10 s. */
  observed(predicate: (observation: Observation) => boolean): Promise<Observation>;
  stop(): Promise<void>;
  /** SIGKILL to the server; resolves when nothing is left of it. */
  kill(): Promise<void>;
  /** On the same ports and repository, also after `kill`. */
  restart(): Promise<void>;
}

/**
 * Sets Triton up where it is not, and starts it.
 *
 * @param options.models those in the repository; default: all but `late`
 * @param options.explicit models are loaded and unloaded by request only; these at the start
 * @param options.args further flags of tritonserver
 */
export async function startTestTriton(
  options: { models?: readonly Model[]; explicit?: readonly Model[]; args?: string[] } = {},
): Promise<TestTriton> {
  const { models = MODELS.filter((name) => name !== 'late'), explicit, args = [] } = options;
  const folder = await mkdtemp(path.join(tmpdir(), 'hammerline-triton-'));
  const repository = path.join(folder, 'models');
  const observations = path.join(folder, 'observations.jsonl');
  for (const name of models) {
    const source = path.join(ROOT, 'test/triton/model_repository', name);
    await cp(source, path.join(repository, name), { recursive: true });
  }
  await writeFile(observations, '');
  const control = explicit && [
    '--model-control-mode=explicit',
    ...explicit.map((name) => `--load-model=${name}`),
  ];
  const server = await startTriton({
    modelRepository: repository,
    args: [...(control ?? []), ...args],
    env: { HAMMERLINE_OBSERVATIONS: observations },
  }).catch(async (error: unknown) => {
    await rm(folder, { recursive: true });
    throw error;
  });
  return {
    grpc: server.grpc,
    http: server.http,
    metrics: server.metrics,
    repository,
    get pid() {
      return server.pid;
    },
    stubPids: (model) => stubPids(path.join(repository, model)),
    observed: (predicate) => observed(observations, predicate),
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
    kill: () => server.kill(),
    restart: () => server.restart(),
  };
}

async function observed(
  file: string,
  predicate: (observation: Observation) => boolean,
): Promise<Observation> {
  const signal = AbortSignal.timeout(OBSERVE_WITHIN_MS);
  // Before the file is read: what is written in between must not be missed.
  const watcher = watch(file);
  try {
    while (!signal.aborted) {
      const changed = once(watcher, 'change', { signal }).catch(() => {});
      const found = readObservations(file).find(predicate);
      if (found) return found;
      await changed;
    }
  } finally {
    watcher.close();
  }
  const seen = readObservations(file).map(({ model, event, id }) => `${model} ${event} ${id}`);
  const last = seen.slice(-20).join(', ') || 'none';
  throw new Error(`no such observation within ${OBSERVE_WITHIN_MS / 1000} s; the last: ${last}`);
}

function readObservations(file: string): Observation[] {
  // A line may be half written.
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Observation);
}
