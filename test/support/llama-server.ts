import path from 'node:path';
import { adapterPath } from '../../apps/worker/src/models/default-model.js';
import { artifactPath, MODEL } from '../../scripts/artifacts.mjs';
import { freePort } from '../../scripts/platform.mjs';
import { startProcess } from '../../scripts/process.mjs';
import { ROOT } from '../../scripts/root.mjs';
import { type Server, startServer } from '../../scripts/server.mjs';
import { setupLlm } from '../../scripts/triton-llm.mjs';
import { setupTriton } from '../../scripts/triton-setup.mjs';

export interface LlamaServerOptions {
  /** Requests that are answered at once; default 2. */
  readonly slots?: number;
  /** Tokens that prompt and answer may take together; default 4,096. */
  readonly context?: number;
  /** Default: none is asked for. */
  readonly apiKey?: string;
}

/**
 * A real llama.cpp server on a free port, with the default model and its adapter. Its `url` is that of its OpenAI API.
 * What is missing is fetched, as for Triton's CPU model.
 */
export async function startLlamaServer({
  slots = 2,
  context = 4096,
  apiKey,
}: LlamaServerOptions = {}): Promise<Server> {
  const triton = await setupTriton();
  const packages = await setupLlm(triton, path.join(ROOT, 'triton/model_repository/cpu'));
  const port = await freePort();
  const options = {
    weights: artifactPath(MODEL),
    adapter: adapterPath(),
    slots,
    context,
    apiKey,
    port,
  };
  const program = path.join(ROOT, 'test/support/llama-server.py');
  return startServer({
    name: 'llama.cpp',
    launch: () =>
      startProcess(path.join(triton.bin, 'python3'), [program, JSON.stringify(options)], {
        env: { ...process.env, ...packages },
      }),
    async ready(child) {
      await child.line(/^serving /);
      return `http://127.0.0.1:${port}/v1`;
    },
    explain: (child) => child.tail().at(-1)?.text,
  });
}
