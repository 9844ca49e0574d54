import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TritonClient, TritonError } from '#libs/triton';
import { type LaneFaults, startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { startTestTriton, type TestTriton } from '../support/triton.js';
import { echo, STREAMS, streamText, TRANSPORTS } from '../support/triton-calls.js';

// What hangs fails soon.
vi.setConfig({ testTimeout: 30_000 });

/** Connections at once. */
const AT_ONCE = 16;
/** So much more than was counted: gRPC's own frames vary. */
const SPARE = 60;
/** A gRPC client's first bytes, before any call. */
const PREFACE = 100;
const values = [1.5, -2];
const tokens = ['a', 'b', 'c'];

let triton: TestTriton;

beforeAll(async () => {
  triton = await startTestTriton({ models: ['identity', 'text'] });
});
afterAll(async () => {
  await triton.kill();
  await triton.stop();
});

/** What comes of a use of a new client on a connection with these faults. */
async function through<T>(
  transport: string,
  faults: LaneFaults,
  use: (client: TritonClient, proxy: TcpProxy) => Promise<T>,
): Promise<T> {
  const address = new URL(transport === 'grpc' ? `grpc://${triton.grpc}` : triton.http);
  const proxy = await startTcpProxy({ target: { port: Number(address.port) }, faults });
  const url = `${transport}://${proxy.host}:${proxy.port}`;
  const client = new TritonClient(url, { retry: false, checkInputs: false, keepAliveMs: 1e6 });
  try {
    return await use(client, proxy);
  } finally {
    await client.close();
    // Both sides end by themselves, as they should.
    await Promise.all(proxy.connections.map(({ closed }) => closed));
    await proxy.close();
  }
}

/** One result for each offset up to `end`, a few at once. */
async function sweep<T>(
  { end, step = 1 }: { end: number; step?: number },
  at: (offset: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index * step <= end; index = next++) {
      results[index] = await at(index * step);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

/** `whole`, or what the error says. Anything that is no TritonError is thrown on. */
async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'whole';
  } catch (error) {
    if (!(error instanceof TritonError)) throw error;
    return `${error.code} ${error.reason} ${error.progress}`;
  }
}

const distinct = (outcomes: readonly string[]): string[] => [...new Set(outcomes)].toSorted();

const bytes = (
  transport: string,
  lane: 'up' | 'down',
  use: (client: TritonClient) => Promise<unknown>,
) =>
  through(transport, {}, async (client, proxy) => {
    await use(client);
    return (await proxy.connected())[lane].forwarded;
  });

describe.each(TRANSPORTS)('%s: a call', (transport) => {
  const call = async (client: TritonClient): Promise<void> => {
    const answer = await echo(client, values, { timeoutMs: 5_000 });
    if (answer.join() !== values.join()) throw new Error(`a wrong answer: ${answer.join()}`);
  };

  it('whose answer is cut off fails, or has it all', async () => {
    const end = await bytes(transport, 'down', call);
    const outcomes = await sweep({ end: end + SPARE }, (endAfter) =>
      through(transport, { down: { endAfter } }, (client) => outcome(call(client))),
    );
    // gRPC waits for the server's first frame, and its status comes after the answer.
    const others = transport === 'grpc' ? ['answered', 'sent', 'unsent'] : ['sent'];
    const errors = others.map((progress) => `unavailable connection ${progress}`);
    expect(distinct(outcomes)).toEqual([...errors, 'whole']);
    expect(outcomes.lastIndexOf('unavailable connection sent')).toBeGreaterThan(end / 2);
    expect(outcomes.at(-1)).toBe('whole');
  });

  it('whose request is cut off fails, or was all there', async () => {
    const end = await bytes(transport, 'up', call);
    const outcomes = await sweep({ end: end + SPARE }, (endAfter) =>
      through(transport, { up: { endAfter } }, (client) => outcome(call(client))),
    );
    // The server says so itself, where it has read the head.
    const ownWords = transport === 'grpc' ? ['unavailable undefined sent'] : [];
    expect(distinct(outcomes)).toEqual(['unavailable connection sent', ...ownWords, 'whole']);
    expect(outcomes.at(-1)).toBe('whole');
  });

  it.each(['up', 'down'] as const)('%s with a wrong byte fails, or is answered', async (lane) => {
    const end = await bytes(transport, lane, call);
    const outcomes = await sweep({ end: end - 1 }, (corruptAt) =>
      through(transport, { [lane]: { corruptAt } }, async (client, proxy) => {
        const came = await outcome(echo(client, values, { timeoutMs: 250 }));
        const sent = proxy.connections.some(({ up }) => up.forwarded > PREFACE);
        return came.endsWith('unsent') && sent ? `${came}, though it was sent` : came;
      }),
    );
    expect(outcomes).toHaveLength(end);
    expect(outcomes).toContain('whole');
    expect(distinct(outcomes).filter((one) => one.includes('though'))).toEqual([]);
  });
});

describe.each(STREAMS)('%s %s that is cut off', (transport, method) => {
  /** How many tokens came, in their order, and how it ended. */
  const read = async (client: TritonClient): Promise<string> => {
    let count = 0;
    const ended = await outcome(
      (async () => {
        for await (const token of streamText(client, method, { tokens })) {
          if (token !== tokens[count++]) throw new Error(`${token} in place ${count}`);
        }
      })(),
    );
    return `${count} ${ended}`;
  };

  it('gives what came, and is never taken for whole', async () => {
    const end = await bytes(transport, 'down', read);
    const outcomes = await sweep({ end: end + 100, step: 3 }, (endAfter) =>
      through(transport, { down: { endAfter } }, read),
    );
    expect(outcomes[0]).toMatch(/^0 unavailable connection (un)?sent$/);
    expect(outcomes.at(-1)).toBe('3 whole');
    for (const one of outcomes) {
      expect(one).toMatch(
        /^(0 unavailable connection \w+|[123] unavailable connection answered|3 whole)$/,
      );
    }
    for (const count of [1, 2]) {
      expect(outcomes).toContain(`${count} unavailable connection answered`);
    }
  });
});

it('a server lives, whatever it was sent', async () => {
  expect((await fetch(`${triton.http}/v2/health/ready`)).status).toBe(200);
});
