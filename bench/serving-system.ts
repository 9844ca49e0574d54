import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TERMINAL_RUN_STATES, type ToolDefinition } from '#libs/contracts';
import { ROOT } from '../scripts/root.mjs';
import { startStack, type Stack } from '../test/support/stack.js';

/** All of the product in processes of its own, with one worker after the other. */
export interface System {
  readonly stack: Stack;
  /** Stops the worker and starts another with these settings. */
  replaceWorker(env: NodeJS.ProcessEnv): Promise<void>;
  /** Submits a run and waits for its end. */
  run(request: Request): Promise<void>;
  stop(): Promise<void>;
}

export interface Request {
  readonly query: string;
  readonly toolset: string;
  readonly mode: 'resolve' | 'execute';
}

export interface Toolset {
  readonly name: string;
  readonly tools: readonly (ToolDefinition & { executor: object; effect?: 'read' })[];
}

/** What tells a worker to ask these servers. */
export function tritonAt(
  servers: readonly { readonly grpc: string }[],
  more: NodeJS.ProcessEnv = {},
): NodeJS.ProcessEnv {
  const urls = servers.map(({ grpc }) => `grpc://${grpc}`);
  return { RUNTIME: 'triton', TRITON_URL: urls.join(), ...more };
}

export async function startSystem(toolsets: readonly Toolset[]): Promise<System> {
  const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-serving-'));
  for (const { name, tools } of toolsets) {
    const toolset = { name, version: '1', description: 'Of a benchmark.', tools };
    writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(toolset));
  }
  const stack = await startStack({
    toolsets: [folder],
    // One that finds no model and takes nothing: each row brings its own.
    worker: tritonAt([{ grpc: '127.0.0.1:1' }]),
    prepare: async (stackFolder) => {
      const table = 'sales.csv';
      copyFileSync(
        path.join(ROOT, 'examples/office', table),
        path.join(stackFolder, 'files', table),
      );
      return { LOG_LEVEL: 'warn' };
    },
  });
  let current = stack.apps.worker;
  return {
    stack,
    async replaceWorker(env) {
      await current.stop();
      current = await stack.startApp('worker', env);
    },
    async run(request) {
      const accepted = await stack.submit(request, { prefer: 'wait=60' });
      const isOver = TERMINAL_RUN_STATES.has(accepted.state);
      const { state, error } = isOver ? accepted : await stack.ended(accepted.id);
      if (state !== 'succeeded')
        throw new Error(`a run ${state}: ${error?.code} ${error?.message}`);
    },
    async stop() {
      await stack.stop();
      rmSync(folder, { recursive: true });
    },
  };
}
