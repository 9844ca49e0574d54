import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** One of the clients that are compared, connected. */
export interface InferClient {
  /** Asks identity; gives its output. */
  infer(values: Float32Array<ArrayBuffer>): Promise<Float32Array>;
  /** Opens a stream, asks identity over it, resolves with the first answer and leaves the stream open. */
  openStream(values: Float32Array<ArrayBuffer>): Promise<void>;
  /** Reads a text of `tokens` tokens to its end, one every `everyMs`. */
  readTokens(request: { id: string; tokens: number; everyMs: number }): Promise<void>;
}

/** What a client's process is asked, one JSON a line. */
export type Work =
  | { readonly calls: number; readonly inFlight: number }
  | { readonly idleStreams: number }
  | { readonly texts: readonly string[]; readonly tokens: number; readonly everyMs: number };

/** What its work took; CPU is that of the whole process, memory what is more than before. */
export interface Took {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly heapBytes: number;
  readonly residentBytes: number;
}

/** A process of its own for each client, so that none pays for another's garbage: says on stdout what its work took. */
async function main(): Promise<void> {
  const [kind = '', url = ''] = process.argv.slice(2);
  const { connect } = await (kind === 'grpc-js'
    ? import('./triton-grpc-js.js')
    : import('./triton-product.js'));
  const client = connect(url);
  for await (const line of createInterface({ input: process.stdin })) {
    const took = await measured(() => run(client, JSON.parse(line) as Work));
    if (!process.stdout.write(`${JSON.stringify(took)}\n`)) await once(process.stdout, 'drain');
  }
  process.exit();
}

async function measured(work: () => Promise<unknown>): Promise<Took> {
  global.gc?.();
  const memory = process.memoryUsage();
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1e3;
  const { user, system } = process.cpuUsage(cpu);
  global.gc?.();
  const after = process.memoryUsage();
  return {
    seconds,
    cpuSeconds: (user + system) / 1e6,
    heapBytes: after.heapUsed + after.external - memory.heapUsed - memory.external,
    residentBytes: after.rss - memory.rss,
  };
}

const values = Float32Array.from({ length: 16 }, (_, at) => at);

async function run(client: InferClient, work: Work): Promise<void> {
  if ('texts' in work) {
    await Promise.all(work.texts.map((id) => client.readTokens({ ...work, id })));
  } else if ('idleStreams' in work) {
    await Promise.all(Array.from({ length: work.idleStreams }, () => client.openStream(values)));
  } else {
    let left = work.calls;
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const output = await client.infer(values);
        if (output.length !== values.length) throw new Error('the answer is not the question');
      }
    };
    await Promise.all(Array.from({ length: work.inFlight }, worker));
  }
}

await main();
