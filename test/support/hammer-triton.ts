import { cp, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from '../../scripts/root.mjs';
import { startTriton } from '../../scripts/triton.mjs';
import { stubPids } from './stub-pids.js';

/** Where the CPU model lies; a test's server has a copy of it. */
const MODEL = path.join(ROOT, 'triton/model_repository/cpu/hammer');

export interface HammerTritonOptions {
  /** A GGUF file, without an adapter. Default: SmolLM2 with the adapter of this repository. */
  readonly model?: string;
  /** How many requests are answered at once; further ones wait inside the model. Default: as model.json says. */
  readonly slots?: number;
  /** Memory for the computed prompts of earlier requests, MiB; 0 for none. Default: as model.json says. */
  readonly cacheMib?: number;
  /** Tokens that prompt and answer may take together. Default: as model.json says. */
  readonly context?: number;
  /** LoRA adapters (GGUF files) by the names that requests give. Default: none. */
  readonly loras?: Readonly<Record<string, string>>;
  /** Added to the environment of the server and its models. */
  readonly env?: NodeJS.ProcessEnv;
  /** Further flags of tritonserver. */
  readonly args?: string[];
  /** Default: free ports. */
  readonly grpcPort?: number;
  readonly httpPort?: number;
  readonly metricsPort?: number;
  /** What Triton and the model say. */
  readonly log?: (line: string) => void;
}

/** A real Triton on this machine's CPU that serves `hammer`, as vLLM's backend would. */
export interface HammerTriton {
  /** host:port */
  readonly grpc: string;
  /** http://host:port */
  readonly http: string;
  /** The whole URL. */
  readonly metrics: string;
  /** The folder of the model, which is removed by `stop`. */
  readonly repository: string;
  /** That of the process which runs now. */
  readonly pid: number;
  /** The processes of the model's instances: a killed one stays dead until the model is loaded anew. */
  stubPids(model: string): number[];
  stop(): Promise<void>;
  /** SIGKILL to the server; resolves when nothing is left of it. */
  kill(): Promise<void>;
  /** On the same ports, also after `kill`. */
  restart(): Promise<void>;
}

/** Fetches what is missing (Triton, the engine, the default model), once for all, and starts a server with it. */
export async function startHammerTriton(options: HammerTritonOptions = {}): Promise<HammerTriton> {
  const { model, slots, cacheMib, context, loras, ...server } = options;
  const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'hammerline-hammer-')));
  const repository = path.join(folder, 'models');
  const version = path.join(repository, 'hammer/1');
  try {
    await cp(MODEL, path.join(repository, 'hammer'), { recursive: true });
    const settings = JSON.parse(await readFile(path.join(version, 'model.json'), 'utf8')) as object;
    // What is undefined is not written, and so left out.
    const changed = {
      ...settings,
      ...(model !== undefined && { model, adapter: undefined }),
      ...(slots !== undefined && { slots }),
      ...(cacheMib !== undefined && { cache_mib: cacheMib }),
      ...(context !== undefined && { context }),
    };
    await writeFile(path.join(version, 'model.json'), JSON.stringify(changed));
    if (loras) await writeFile(path.join(version, 'multi_lora.json'), JSON.stringify(loras));
    const triton = await startTriton({ modelRepository: repository, ...server });
    return {
      grpc: triton.grpc,
      http: triton.http,
      metrics: triton.metrics,
      repository,
      get pid() {
        return triton.pid;
      },
      stubPids: (name) => stubPids(path.join(repository, name)),
      async stop() {
        await triton.stop();
        await rm(folder, { recursive: true, force: true });
      },
      kill: () => triton.kill(),
      restart: () => triton.restart(),
    };
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
}
