import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ClientOptions, TritonClient, type TritonError } from '#libs/triton';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { type Observation, startTestTriton, type TestTriton } from '../support/triton.js';
import {
  collect,
  echo,
  STREAMS,
  streamText,
  take,
  type TransportName,
  TRANSPORTS,
  wait,
} from '../support/triton-calls.js';

// What hangs fails soon.
vi.setConfig({ testTimeout: 30_000 });

/** The first three come, then the model says nothing more. */
const hanging = { tokens: ['a', 'b', 'c', 'd', 'e'], hang: 3 };
/** Goes on until the server is back. */
const patient = { attempts: 10_000, baseMs: 20, maxMs: 20, burst: 10_000 };

const lost = (progress: string): object => ({
  name: 'TritonError',
  code: 'unavailable',
  reason: 'connection',
  progress,
});
const brokenProcess = { name: 'TritonError', code: 'unavailable', reason: 'model_process' };

let triton: TestTriton;
const clients: TritonClient[] = [];

beforeAll(async () => {
  const models = ['identity', 'slow', 'text'] as const;
  triton = await startTestTriton({ models, explicit: models });
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  // A clean stop takes long, and has a test of its own.
  await triton.kill();
  await triton.stop();
});

function connect(transport: TransportName, options: ClientOptions = {}): TritonClient {
  const url = transport === 'grpc' ? `grpc://${triton.grpc}` : triton.http;
  const client = new TritonClient(url, { retry: false, checkInputs: false, ...options });
  clients.push(client);
  return client;
}

const both = (options?: ClientOptions): Record<TransportName, TritonClient> => ({
  grpc: connect('grpc', options),
  http: connect('http', options),
});

/** One of each kind, with the first tokens read. */
async function openStreams(by: Record<TransportName, TritonClient>) {
  const streams = STREAMS.map(([transport, method]) => streamText(by[transport], method, hanging));
  for (const stream of streams) expect(await take(stream, 3)).toEqual(['a', 'b', 'c']);
  return streams;
}

/** Everything works, with the clients there are. */
async function expectService(by: Record<TransportName, TritonClient>): Promise<void> {
  for (const [transport, method] of STREAMS) {
    const stream = streamText(by[transport], method, { tokens: ['f', 'g'] });
    expect(await collect(stream)).toEqual(['f', 'g']);
  }
  for (const transport of TRANSPORTS) {
    expect(await echo(by[transport], [1])).toEqual(Float32Array.of(1));
    await wait(by[transport], { ms: 1 });
  }
}

let marks = 0;

/** How many requests the models have begun with that pass. */
async function starts(passes: (observation: Observation) => boolean): Promise<number> {
  const mark = `mark ${++marks}`;
  await wait(connect('grpc'), { id: mark, ms: 1 });
  const seen: Observation[] = [];
  // It is there already, hence everything is read once.
  await triton.observed((observation) => {
    seen.push(observation);
    return observation.id === mark && observation.event === 'finished';
  });
  return seen.filter((one) => one.event === 'started' && passes(one)).length;
}

describe.each(TRANSPORTS)('%s: retries', (transport) => {
  let proxy: TcpProxy;

  beforeEach(async () => {
    const address = new URL(transport === 'grpc' ? `grpc://${triton.grpc}` : triton.http);
    proxy = await startTcpProxy({ target: { port: Number(address.port) } });
  });
  afterEach(() => proxy.close());

  it('do not repeat an inference that was sent: it ran once', async () => {
    const client = new TritonClient(`${transport}://${proxy.host}:${proxy.port}`);
    clients.push(client);
    const id = `${transport} once`;
    const call = wait(client, { id, ms: 300 });
    await triton.observed((seen) => seen.id === id && seen.event === 'started');
    proxy.reset();
    await expect(call).rejects.toMatchObject(lost('sent'));
    expect(await starts((one) => one.id === id)).toBe(1);
  });

  it('do not begin a stream anew', async () => {
    const client = new TritonClient(`${transport}://${proxy.host}:${proxy.port}`);
    clients.push(client);
    const before = await starts(({ model }) => model === 'text');
    const stream = streamText(client, 'generateStream', hanging);
    expect(await take(stream, 3)).toEqual(['a', 'b', 'c']);
    proxy.reset();
    await expect(stream.next()).rejects.toMatchObject(lost('answered'));
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect((await starts(({ model }) => model === 'text')) - before).toBe(1);
  });

  it('repeat what was refused, until it is not', async () => {
    proxy.refuse();
    let refused = 0;
    const client = new TritonClient(`${transport}://${proxy.host}:${proxy.port}`, {
      checkInputs: false,
      retry: {
        baseMs: 1,
        random: () => {
          // Between the second attempt and the third, it listens again.
          if (++refused === 2) void proxy.accept();
          return 0;
        },
      },
    });
    clients.push(client);
    expect(await echo(client, [1])).toEqual(Float32Array.of(1));
    expect(refused).toBe(2);
  });
});

describe('a server that is killed', () => {
  it('breaks what is under way; the same clients work when it is back', async () => {
    const by = both();
    await expectService(by);
    const streams = await openStreams(by);
    const calls = TRANSPORTS.map((transport) => wait(by[transport], { id: 'killed', ms: 60_000 }));
    const outcomes = Promise.allSettled(calls);
    await triton.observed(({ id, event }) => id === 'killed' && event === 'started');
    await triton.kill();
    expect(await outcomes).toMatchObject(calls.map(() => ({ reason: lost('sent') })));
    for (const stream of streams) {
      await expect(stream.next()).rejects.toMatchObject(lost('answered'));
    }
    for (const transport of TRANSPORTS) {
      await expect(echo(by[transport], [1])).rejects.toMatchObject(lost('unsent'));
    }
    const waiting = both({ retry: patient });
    const later = Promise.all([
      ...TRANSPORTS.map((transport) => echo(waiting[transport], [1])),
      ...STREAMS.filter(([, method]) => method !== 'openStream').map(([transport, method]) =>
        collect(streamText(waiting[transport], method, { tokens: ['f'] })),
      ),
    ]);
    await triton.restart();
    const one = Float32Array.of(1);
    expect(await later).toEqual([one, one, ['f'], ['f'], ['f']]);
    await expectService(by);
  });
});

describe('a server that shuts down', () => {
  it('finishes what is under way or says that it does not', async () => {
    const by = both();
    await expectService(by);
    const calls = TRANSPORTS.map((transport) => wait(by[transport], { id: 'graceful', ms: 200 }));
    const streams = STREAMS.map(([transport, method]) =>
      collect(streamText(by[transport], method, { tokens: ['a', 'b', 'c'], every_ms: 100 })),
    );
    const outcomes = Promise.allSettled([...calls, ...streams]);
    await triton.observed(({ id, event }) => id === 'graceful' && event === 'started');
    process.kill(triton.pid, 'SIGINT');
    expect(await outcomes).toMatchObject([
      { value: { outputs: { WAITED: {} } } },
      { value: { outputs: { WAITED: {} } } },
      ...streams.map(() => ({ value: ['a', 'b', 'c'] })),
    ]);
    const waiting = both({ retry: patient });
    const later = Promise.allSettled(TRANSPORTS.map((transport) => echo(waiting[transport], [1])));
    await triton.restart();
    // Repeated until it is back; unless it takes one on its way out and drops it, which is told.
    const ends = (await later).map((end) =>
      end.status === 'fulfilled' ? [...end.value] : (end.reason as TritonError).progress,
    );
    for (const end of ends) expect([[1], 'sent']).toContainEqual(end);
    await expectService(by);
  });
});

describe("a model's process that is killed", () => {
  it('is told from the rest; unloading and loading mends it', async () => {
    const by = both({ stallMs: 400 });
    await expectService(by);
    const streams = await openStreams(by);
    const calls = TRANSPORTS.map((transport) => wait(by[transport], { id: 'stub', ms: 60_000 }));
    const outcomes = Promise.allSettled(calls);
    await triton.observed(({ id, event }) => id === 'stub' && event === 'started');
    for (const pid of [...triton.stubPids('text'), ...triton.stubPids('slow')]) {
      process.kill(pid, 'SIGKILL');
    }
    const ends = await Promise.allSettled(streams.map((stream) => stream.next()));
    expect(ends).toMatchObject(
      ends.map(() => ({
        reason: { code: 'deadline_exceeded', reason: 'stalled', progress: 'answered' },
      })),
    );
    expect(await outcomes).toMatchObject(calls.map(() => ({ reason: brokenProcess })));
    for (const transport of TRANSPORTS) {
      await expect(wait(by[transport], { ms: 1 })).rejects.toMatchObject(brokenProcess);
      expect(await echo(by[transport], [1])).toEqual(Float32Array.of(1));
    }
    // The server takes a second to find out.
    const patientReaders = both();
    const text = STREAMS.map(([transport, method]) =>
      collect(streamText(patientReaders[transport], method, { tokens: ['f'] })),
    );
    expect(await Promise.allSettled(text)).toMatchObject(
      text.map(() => ({ reason: brokenProcess })),
    );
    await Promise.all([
      by.grpc.unloadModel('text').then(() => by.grpc.loadModel('text')),
      by.http.unloadModel('slow').then(() => by.http.loadModel('slow')),
    ]);
    await expectService(by);
  });
});
