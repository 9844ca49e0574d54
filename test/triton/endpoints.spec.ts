import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  balance,
  type BalanceChange,
  type BalanceOptions,
  dnsEndpoints,
  grpcTransport,
  httpTransport,
  leastOutstanding,
  type Policy,
  prefixAffinity,
  retries,
  roundRobin,
  TritonClient,
} from '#libs/triton';
import { startTestTriton, type TestTriton } from '../support/triton.js';
import {
  collect,
  echo,
  streamText,
  take,
  type TransportName,
  TRANSPORTS,
} from '../support/triton-calls.js';

// What hangs fails soon.
vi.setConfig({ testTimeout: 30_000 });

/** Two addresses of this machine, so that both servers can have the same port, as behind a headless service. */
const HOSTS = ['127.0.0.1', '127.0.0.2'] as const;
const hanging = { tokens: ['a', 'b', 'c', 'd'], hang: 2 };
const one = Float32Array.of(1);

let servers: TestTriton[];
let ports: Record<TransportName, number>;
const clients: TritonClient[] = [];

beforeAll(async () => {
  const models = ['identity', 'text'] as const;
  const first = await startTestTriton({ models });
  ports = { grpc: Number(first.grpc.split(':')[1]), http: Number(new URL(first.http).port) };
  const args = TRANSPORTS.flatMap((name) => [
    `--${name}-address=${HOSTS[1]}`,
    `--${name}-port=${ports[name]}`,
  ]);
  servers = [first, await startTestTriton({ models, args })];
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.kill()));
  await Promise.all(servers.map((server) => server.stop()));
});

const urlOf = (transport: TransportName, host: string): string =>
  `${transport}://${host}:${ports[transport]}`;

function connect(
  transport: TransportName,
  options: { policy?: Policy; hosts?: readonly string[] } = {},
): TritonClient {
  const { hosts = HOSTS, policy } = options;
  const urls = hosts.map((host) => urlOf(transport, host));
  const client = new TritonClient(urls, { checkInputs: false, retry: false, policy });
  clients.push(client);
  return client;
}

/** A balanced client that tells its changes. */
function watched(options: Omit<BalanceOptions, 'connect' | 'onChange'>) {
  const changes: string[] = [];
  let heard = Promise.withResolvers<void>();
  const transport = balance({
    ...options,
    connect: (url) => (url.protocol === 'grpc:' ? grpcTransport(url) : httpTransport(url)),
    onChange: (change: BalanceChange) => {
      if ('unresolved' in change) changes.push('unresolved');
      else changes.push(`${change.endpoint.address.split(':')[0]} ${change.endpoint.state}`);
      heard.resolve();
      heard = Promise.withResolvers();
    },
  });
  const client = new TritonClient(retries({ baseMs: 1 })(transport), {
    checkInputs: false,
    retry: false,
  });
  clients.push(client);
  return {
    client,
    transport,
    changes,
    /** Until this has been told, also before. */
    told: async (change: string): Promise<void> => {
      while (!changes.includes(change)) await heard.promise;
    },
  };
}

/** How many of the `total` inferences of a model that `work` does are done by each server. */
async function shares(
  model: string,
  total: number,
  work: () => Promise<unknown>,
): Promise<number[]> {
  const counts = async (): Promise<number[]> => {
    const statistics = HOSTS.map((host) => connect('grpc', { hosts: [host] }).statistics(model));
    return (await Promise.all(statistics)).map(([only]) => only?.inference_count ?? NaN);
  };
  const before = await counts();
  await work();
  for (;;) {
    const done = (await counts()).map((count, at) => count - (before[at] ?? NaN));
    // The server counts an inference a little after its answer.
    if (done.reduce((sum, count) => sum + count) >= total) return done;
  }
}

async function echoes(client: TritonClient, affinities: readonly (string | undefined)[]) {
  for (const affinity of affinities) expect(await echo(client, [1], { affinity })).toEqual(one);
}

const times = (count: number): undefined[] => Array.from({ length: count }, () => undefined);

describe.each(TRANSPORTS)('%s: two servers', (transport) => {
  it('take turns with round robin', async () => {
    const client = connect(transport, { policy: roundRobin() });
    expect(await shares('identity', 10, () => echoes(client, times(10)))).toEqual([5, 5]);
  });

  it('with least outstanding: whoever is free', async () => {
    const client = connect(transport, { policy: leastOutstanding() });
    const stream = streamText(client, 'generateStream', hanging);
    const busy = await shares('text', 1, () => take(stream, 2));
    expect(new Set(busy)).toEqual(new Set([0, 1]));
    const expected = busy.map((streams) => (streams === 1 ? 0 : 6));
    expect(await shares('identity', 6, () => echoes(client, times(6)))).toEqual(expected);
  });

  it('with prefix affinity: the same for the same, and both for many', async () => {
    const client = connect(transport, { policy: prefixAffinity() });
    const same = await shares('identity', 8, () =>
      echoes(
        client,
        times(8).map(() => 'same'),
      ),
    );
    expect(new Set(same)).toEqual(new Set([0, 8]));
    // Another client, as another process would be, chooses the same one.
    const other = connect(transport, { policy: prefixAffinity(), hosts: HOSTS.toReversed() });
    expect(
      await shares('identity', 8, () =>
        echoes(
          other,
          times(8).map(() => 'same'),
        ),
      ),
    ).toEqual(same);
    const keys = Array.from({ length: 40 }, (_, key) => `key ${key}`);
    const many = await shares('identity', 40, () => echoes(client, keys));
    expect(many[0] ?? 0).toBeGreaterThan(10);
    expect(many[1] ?? 0).toBeGreaterThan(10);
  });
});

describe('a server that is killed', () => {
  it('is left and found again, while the callers see nothing of it', async () => {
    const [, second] = servers;
    const by = TRANSPORTS.map((transport) =>
      watched({
        endpoints: HOSTS.map((host) => urlOf(transport, host)),
        policy: roundRobin(),
        health: { failures: 2, ejectionMs: 50, maxEjectionMs: 100 },
      }),
    );
    const work = (): Promise<unknown> =>
      Promise.all(by.map(({ client }) => echoes(client, times(8))));
    await work();
    await second?.kill();
    await work();
    for (const { told } of by) await told('127.0.0.2 ejected');
    await work();
    for (const { changes } of by) changes.length = 0;
    await second?.restart();
    for (const { told } of by) await told('127.0.0.2 ready');
    expect(await shares('identity', 16, work)).toEqual([8, 8]);
  });
});

describe.each(TRANSPORTS)('%s: addresses of a name', (transport) => {
  it('that come and go; a stream on one that went is read to its end', async () => {
    let addresses: string[] = [HOSTS[0]];
    const endpoints = dnsEndpoints(urlOf(transport, 'models.test'), {
      refreshMs: 10,
      lookup: async () => addresses.map((address) => ({ address })),
    });
    const {
      client,
      changes,
      told,
      transport: balanced,
    } = watched({
      endpoints,
      policy: roundRobin(),
    });
    expect(await shares('identity', 4, () => echoes(client, times(4)))).toEqual([4, 0]);
    const tokens = ['a', 'b', 'c', 'd'];
    const stream = streamText(client, 'generateStream', { tokens, every_ms: 100 });
    expect(await take(stream, 1)).toEqual(['a']);
    addresses = [...HOSTS];
    await told('127.0.0.2 ready');
    addresses = [HOSTS[1]];
    await told('127.0.0.1 draining');
    expect(await shares('identity', 4, () => echoes(client, times(4)))).toEqual([0, 4]);
    expect(changes).not.toContain('127.0.0.1 closed');
    expect(await collect(stream)).toEqual(['b', 'c', 'd']);
    await told('127.0.0.1 closed');
    expect(balanced.snapshot().map(({ address }) => address)).toEqual([
      `127.0.0.2:${ports[transport]}`,
    ]);
    addresses = [];
    await told('unresolved');
    await echoes(client, [undefined]);
  });
});
