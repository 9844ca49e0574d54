import { startTestTriton, type TestTriton } from '../test/support/triton.js';
import {
  type Bench,
  type BenchOptions,
  compare,
  measure,
  type Measure,
  type Row,
} from './harness.js';
import type { Took } from './triton-client.js';
import { type LineProcess, Processes } from './triton-processes.js';
import { perfAnalyzerCalls, pythonClient, setupReferences } from './triton-references.js';

/** Rounds are short: product and reference shall meet the same speed of a machine that has two. */
interface Scale {
  readonly rounds: number;
  readonly calls: number;
  /** Milliseconds of each of perf_analyzer's three windows. */
  readonly windowMs: number;
  readonly tokens: number;
  readonly idleRounds: number;
}
const full: Scale = {
  rounds: 25,
  calls: 3_000,
  windowMs: 200,
  tokens: 100,
  idleRounds: 5,
};
const small: Scale = {
  rounds: 2,
  calls: 200,
  windowMs: 100,
  tokens: 20,
  idleRounds: 1,
};

/** So many also where little is asked for: the resident memory of a few is lost in that of the process. */
const idleStreams = 1_000;

interface Pair<T> {
  readonly product: T;
  readonly reference: T;
}

export const triton: Bench = {
  name: 'triton',
  about:
    'the Triton client, on a real Triton and on a stub: calls and CPU beside other clients, streams (5 minutes)',
  async run({ smoke }: BenchOptions) {
    const scale = smoke ? small : full;
    const server = await startTestTriton({ models: ['identity', 'text'] });
    const processes = new Processes();
    try {
      return await run(processes, server, scale);
    } finally {
      await processes.stop();
      await server.stop();
    }
  },
};

async function run(processes: Processes, server: TestTriton, scale: Scale): Promise<Row[]> {
  const warm = async (client: LineProcess): Promise<LineProcess> => {
    await client.work({ calls: scale.calls * 2, inFlight: 64 });
    return client;
  };
  const stub = `grpc://${await processes.echoStub('unary')}`;
  const [grpc, http, grpcJs, stubGrpc, stubGrpcJs] = await Promise.all([
    warm(processes.client('grpc', `grpc://${server.grpc}`)),
    warm(processes.client('http', server.http)),
    warm(processes.client('grpc-js', `grpc://${server.grpc}`)),
    warm(processes.client('grpc', stub)),
    warm(processes.client('grpc-js', stub)),
  ]);
  const stubbed = { product: stubGrpc, reference: stubGrpcJs };
  const real = { product: grpc, reference: grpcJs };
  const overHttp = { product: http, reference: grpcJs };
  const calls = async (client: LineProcess): Promise<number> =>
    scale.calls / (await client.work({ calls: scale.calls, inFlight: 64 })).seconds;

  return [
    ...(await compareCalls('gRPC, identity', real, 16, scale, { calls: 1.3, cpu: 0.5 })),
    ...(await compareCalls('gRPC, identity', real, 64, scale, { calls: 1.3, cpu: 0.5 })),
    ...(await compareCalls('gRPC, echo stub', stubbed, 64, scale, { calls: 2, cpu: 0.45 })),
    ...(await compareCalls('HTTP, identity', overHttp, 16, scale, { calls: 1.5 })),
    await compareNative(
      'tritonclient aio of Python',
      () => calls(grpc),
      scale,
      1.3,
      async () => {
        const python = processes.add(pythonClient(await setupReferences(), server.grpc));
        await warm(python);
        return () => calls(python);
      },
    ),
    await compareNative(
      'perf_analyzer of C++',
      () => calls(grpc),
      scale,
      1,
      async () => {
        const references = await setupReferences();
        const { windowMs } = scale;
        const asked = { address: server.grpc, inFlight: 64, windowMs };
        await perfAnalyzerCalls(references, asked);
        return () => perfAnalyzerCalls(references, asked);
      },
    ),
    await compareTokens(grpc, server, scale),
    ...(await compareIdleStreams(processes, scale)),
  ];
}

/** Two rows of the same calls: how many a second, and how much CPU each takes of its client's process. */
async function compareCalls(
  what: string,
  clients: Pair<LineProcess>,
  inFlight: number,
  { rounds, calls }: Scale,
  target: { readonly calls: number; readonly cpu?: number },
): Promise<Row[]> {
  const name = `${what}, ${inFlight} in flight (reference: @grpc/grpc-js)`;
  const took = await alternately(rounds, {
    product: () => clients.product.work({ calls, inFlight }),
    reference: () => clients.reference.work({ calls, inFlight }),
  });
  const speed = figures(took, ({ seconds }) => calls / seconds);
  const cpu = figures(took, ({ cpuSeconds }) => (cpuSeconds / calls) * 1e6);
  return [
    await compare(name, 'calls/s', rounds, { ...speed, ratio }, { atLeast: target.calls }),
    await compare(
      `${name}: client CPU`,
      'µs',
      rounds,
      { ...cpu, ratio },
      target.cpu === undefined ? undefined : { atMost: target.cpu },
    ),
  ];
}

const ratio = (product: number, reference: number): number => product / reference;

/** Beside a client that may not be to be had here: then the row says why, and has only our figure. */
async function compareNative(
  client: string,
  product: Measure,
  { rounds }: Scale,
  atLeast: number,
  prepare: () => Promise<Measure>,
): Promise<Row> {
  const name = 'gRPC, identity, 64 in flight';
  const reference = await prepare().catch((error: unknown) => `${error as Error}`);
  if (typeof reference === 'string') {
    const why = reference.split('\n')[0] ?? '';
    const row = await measure(`${name} (no ${client}: ${why})`, 'calls/s', rounds, product);
    return { ...row, target: `≥ ${atLeast} ×` };
  }
  const work = { product, reference, ratio };
  return compare(`${name} (reference: ${client})`, 'calls/s', rounds, work, { atLeast });
}

/**
 * Sixteen texts at once, a token every 10 ms. The model says when it began the first text and when it ended the last; the
 * client's time is from before its first request to after its last answer, so that it has all costs of a call.
 */
async function compareTokens(
  client: LineProcess,
  server: TestTriton,
  { rounds, tokens }: Scale,
): Promise<Row> {
  const texts = 16;
  const models: number[] = [];
  let round = 0;
  const product = async (): Promise<number> => {
    const ids = Array.from({ length: texts }, (_, at) => `bench-${round}-${at}`);
    round++;
    const finished = new Set<string>();
    const [began, ended, took] = await Promise.all([
      server.observed(({ event, id }) => event === 'started' && ids.includes(id)).then(now),
      server
        .observed(({ event, id }) => {
          if (event === 'finished' && ids.includes(id)) finished.add(id);
          return finished.size === texts;
        })
        .then(now),
      client.work({ texts: ids, tokens, everyMs: 10 }),
    ]);
    models.push((texts * tokens) / ((ended - began) / 1e3));
    return (texts * tokens) / took.seconds;
  };
  await product();
  models.length = 0;
  return compare(
    'tokens of 16 streams through the client (reference: the model, as it observed)',
    'tokens/s',
    rounds,
    { product, reference: () => models.shift() ?? NaN, ratio },
    { atLeast: 0.97 },
  );
}

const now = (): number => performance.now();

/** Each stream has had one answer; before and after that the garbage is collected. Each round in processes of its own. */
async function compareIdleStreams(processes: Processes, { idleRounds }: Scale): Promise<Row[]> {
  const stub = await processes.echoStub('streams');
  const open = async (kind: 'grpc' | 'grpc-js'): Promise<Took> => {
    const client = processes.client(kind, `grpc://${stub}`);
    // What the first streams load is not theirs.
    await client.work({ idleStreams: 50 });
    const took = await client.work({ idleStreams });
    await client.stop();
    return took;
  };
  const took = await alternately(idleRounds, {
    product: () => open('grpc'),
    reference: () => open('grpc-js'),
  });
  const kib = (bytes: number): number => bytes / idleStreams / 1024;
  const name = `${idleStreams} idle streams (reference: @grpc/grpc-js)`;
  const heap = figures(took, ({ heapBytes }) => kib(heapBytes));
  const resident = figures(took, ({ residentBytes }) => kib(residentBytes));
  return [
    await compare(`${name}: heap of each`, 'KiB', idleRounds, { ...heap, ratio }),
    await compare(`${name}: resident memory of each`, 'KiB', idleRounds, { ...resident, ratio }),
  ];
}

async function alternately(
  rounds: number,
  work: Pair<() => Promise<Took>>,
): Promise<Pair<readonly Took[]>> {
  const product: Took[] = [];
  const reference: Took[] = [];
  for (let round = 0; round < rounds; round++) {
    product.push(await work.product());
    reference.push(await work.reference());
  }
  return { product, reference };
}

/** One figure of rounds that are over, for `compare` to take round by round. */
function figures(took: Pair<readonly Took[]>, figure: (took: Took) => number): Pair<Measure> {
  const product = took.product.map(figure);
  const reference = took.reference.map(figure);
  return {
    product: () => product.shift() ?? NaN,
    reference: () => reference.shift() ?? NaN,
  };
}
