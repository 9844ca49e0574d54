import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { UnaryCall } from '../transport.js';
import type { TritonError } from '../triton-error.js';
import { balance, type BalanceChange } from './balance.js';
import { dnsEndpoints, type DnsOptions } from './dns-endpoints.js';
import type { HealthOptions } from './health.js';
import { roundRobin } from './policies.js';
import { refuse, StubServers } from '../../../../test/support/stub-servers.js';

const infer = {
  operation: 'ModelInfer',
  request: { model: 'm', inputs: [] },
  context: { metadata: {} },
} as const satisfies UnaryCall;

/** A name server of one name. */
class Names {
  addresses: string[];
  failure: Error | undefined;
  /** Waited for by each look-up. */
  gate: Promise<void> = Promise.resolve();
  readonly asked: { host: string; at: number }[] = [];

  constructor(...addresses: string[]) {
    this.addresses = addresses;
  }

  readonly lookup = async (host: string): Promise<{ address: string }[]> => {
    this.asked.push({ host, at: performance.now() });
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    return this.addresses.map((address) => ({ address }));
  };
}

function over(
  names: Names,
  options: DnsOptions & { health?: HealthOptions } = {},
  url = 'grpcs://triton:8001',
) {
  const servers = new StubServers();
  const changes: BalanceChange[] = [];
  const transport = balance({
    endpoints: dnsEndpoints(url, { lookup: names.lookup, ...options }),
    connect: servers.connect,
    policy: roundRobin(),
    health: options.health,
    onChange: (change) => changes.push(change),
  });
  const addresses = (): string[] =>
    transport.snapshot().map(({ address, state }) => `${address} ${state}`);
  return { servers, transport, changes, addresses };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('balance over a host name', () => {
  it('takes each address for an endpoint, under the name that its certificate has', async () => {
    const { servers, transport } = over(new Names('10.0.0.1', 'fd00::1'));
    expect(await transport.unary(infer)).toBe('answer');
    expect(servers.connected.map(({ address, serverName }) => [address, serverName])).toEqual([
      ['10.0.0.1:8001', 'triton'],
      ['[fd00::1]:8001', 'triton'],
    ]);
  });

  it('asks for no name where the host is an address', async () => {
    const names = new Names('fd00::1');
    const { servers, transport } = over(names, {}, 'grpc://[fd00::1]:8001');
    await transport.unary(infer);
    expect(names.asked).toMatchObject([{ host: 'fd00::1' }]);
    expect(servers.connected).toMatchObject([{ address: '[fd00::1]:8001', serverName: undefined }]);
  });

  it('asks the system by default', async () => {
    const found = await dnsEndpoints('http://127.0.0.1:8000').resolve();
    expect(found.map(({ url }) => url.host)).toEqual(['127.0.0.1:8000']);
  });

  it('lets calls wait for the first answer, but no longer than they want', async () => {
    const names = new Names('10.0.0.1');
    const gate = Promise.withResolvers<void>();
    names.gate = gate.promise;
    const { transport } = over(names);
    const signal = AbortSignal.abort();
    const patient = transport.unary(infer);
    const hasty = transport
      .unary({ ...infer, context: { metadata: {}, deadline: performance.now() + 100 } })
      .catch((error: TritonError) => error);
    const gone = transport.unary({ ...infer, context: { metadata: {}, signal } });
    await expect(gone).rejects.toMatchObject({ code: 'cancelled', operation: 'ModelInfer' });
    await vi.advanceTimersByTimeAsync(100);
    expect(await hasty).toMatchObject({ code: 'deadline_exceeded', progress: 'unsent' });
    gate.resolve();
    expect(await patient).toBe('answer');
    expect(names.asked).toHaveLength(1);
  });

  it('says which name does not resolve, and tries again', async () => {
    const names = new Names('10.0.0.1');
    names.failure = new Error('getaddrinfo ENOTFOUND triton');
    const { transport, changes } = over(names);
    const expected = {
      code: 'unavailable',
      reason: 'connection',
      progress: 'unsent',
      operation: 'ModelInfer',
      endpoint: 'triton:8001',
      message: 'the host name triton does not resolve: getaddrinfo ENOTFOUND triton',
    };
    await expect(transport.unary(infer)).rejects.toMatchObject(expected);
    await expect(transport.unary(infer)).rejects.toMatchObject(expected);
    expect(names.asked).toHaveLength(1);
    expect(changes).toMatchObject([{ unresolved: { message: expected.message } }]);
    names.failure = undefined;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await transport.unary(infer)).toBe('answer');
    expect(names.asked).toHaveLength(2);
  });

  it('gives up on a resolver that does not answer', async () => {
    const names = new Names();
    names.gate = new Promise(() => {});
    const { transport } = over(names);
    const outcome = transport.unary(infer).catch((error: TritonError) => error);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await outcome).toMatchObject({
      code: 'unavailable',
      reason: 'connection',
      message: 'DNS of triton: no answer in 5000 ms',
    });
  });

  it('adds addresses that come and drains those that go', async () => {
    const names = new Names('10.0.0.1', '10.0.0.2');
    const { servers, transport, addresses } = over(names, { refreshMs: 10_000 });
    await transport.unary(infer);
    const gate = Promise.withResolvers<string>();
    servers.server(2).behave = () => gate.promise;
    const underWay = transport.unary(infer);

    names.addresses = ['10.0.0.1', '10.0.0.3'];
    await vi.advanceTimersByTimeAsync(10_000);
    expect(addresses()).toEqual([
      '10.0.0.1:8001 ready',
      '10.0.0.2:8001 draining',
      '10.0.0.3:8001 ready',
    ]);
    for (let call = 0; call < 4; call++) await transport.unary(infer);
    expect(servers.calls).toEqual([3, 1, 2]);
    expect(servers.server(2).closed).toBe(false);
    gate.resolve('late');
    expect(await underWay).toBe('late');
    expect(servers.server(2).closed).toBe(true);
    expect(addresses()).toEqual(['10.0.0.1:8001 ready', '10.0.0.3:8001 ready']);
  });

  it('keeps draining an endpoint that a probe finds to be ready', async () => {
    const names = new Names('10.0.0.1', '10.0.0.2');
    const { servers, transport, addresses } = over(names, { health: { probeIntervalMs: 3_000 } });
    await vi.advanceTimersByTimeAsync(0);
    const gate = Promise.withResolvers<string>();
    for (const server of servers.connected) server.behave = () => gate.promise;
    const underWay = [transport.unary(infer), transport.unary(infer)];
    const probe = Promise.withResolvers<boolean>();
    servers.server(2).ready = probe.promise;
    await vi.advanceTimersByTimeAsync(9_000);
    names.addresses = ['10.0.0.1'];
    await vi.advanceTimersByTimeAsync(1_500);
    expect(transport.snapshot()[1]).toMatchObject({ state: 'draining', probing: true });
    probe.resolve(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(addresses()).toEqual(['10.0.0.1:8001 ready', '10.0.0.2:8001 draining']);
    gate.resolve('answer');
    await Promise.all(underWay);
  });

  it('closes at once an endpoint that goes with no call under way', async () => {
    const names = new Names('10.0.0.1', '10.0.0.2');
    const { servers, transport, changes } = over(names);
    await transport.unary(infer);
    names.addresses = ['10.0.0.1'];
    await vi.advanceTimersByTimeAsync(10_000);
    expect(servers.server(2).closed).toBe(true);
    expect(
      changes.map((change) =>
        'endpoint' in change ? [change.endpoint.address, change.endpoint.state] : change,
      ),
    ).toEqual([
      ['10.0.0.1:8001', 'ready'],
      ['10.0.0.2:8001', 'ready'],
      ['10.0.0.2:8001', 'draining'],
      ['10.0.0.2:8001', 'closed'],
    ]);
  });

  it('takes an address back that returns while it drains', async () => {
    const names = new Names('10.0.0.1', '10.0.0.2');
    const { servers, transport, addresses } = over(names);
    await transport.unary(infer);
    const gate = Promise.withResolvers<string>();
    servers.server(2).behave = () => gate.promise;
    const underWay = transport.unary(infer);
    names.addresses = ['10.0.0.1'];
    await vi.advanceTimersByTimeAsync(10_000);
    names.addresses = ['10.0.0.1', '10.0.0.2'];
    await vi.advanceTimersByTimeAsync(10_000);
    gate.resolve('answer');
    await underWay;
    expect(addresses()).toEqual(['10.0.0.1:8001 ready', '10.0.0.2:8001 ready']);
    expect(servers.connected).toHaveLength(2);
    expect(servers.server(2).closed).toBe(false);
  });

  it.each([
    ['fails', new Error('getaddrinfo EAI_AGAIN triton')],
    ['finds nothing', undefined],
  ])('keeps what it knows when a later look-up %s', async (_, failure) => {
    const names = new Names('10.0.0.1');
    const { transport, addresses, changes } = over(names);
    await transport.unary(infer);
    names.failure = failure;
    names.addresses = [];
    await vi.advanceTimersByTimeAsync(10_000);
    expect(changes.at(-1)).toHaveProperty('unresolved.reason', 'connection');
    expect(addresses()).toEqual(['10.0.0.1:8001 ready']);
    expect(await transport.unary(infer)).toBe('answer');
  });

  it('looks again soon after a connection has failed, but not at once each time', async () => {
    const names = new Names('10.0.0.1');
    const { servers, transport } = over(names);
    await transport.unary(infer);
    servers.server(1).behave = refuse;
    names.addresses = ['10.0.0.2'];
    await vi.advanceTimersByTimeAsync(300);
    for (let call = 0; call < 3; call++) await transport.unary(infer).catch(() => {});
    await vi.advanceTimersByTimeAsync(700);
    expect(names.asked.map(({ at }) => at - (names.asked[0]?.at ?? 0))).toEqual([0, 1_000]);
    expect(await transport.unary(infer)).toBe('answer');
    expect(servers.server(2).calls).toBe(1);
  });

  it('looks once and no more, if that is asked for, but for a connection that fails', async () => {
    const names = new Names('10.0.0.1');
    const { servers, transport } = over(names, { refreshMs: Infinity });
    await transport.unary(infer);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(names.asked).toHaveLength(1);
    servers.server(1).behave = refuse;
    await transport.unary(infer).catch(() => {});
    await vi.advanceTimersByTimeAsync(1_000);
    expect(names.asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(names.asked).toHaveLength(2);
  });

  it('takes an interval longer than any timer', async () => {
    const names = new Names('10.0.0.1');
    const { transport } = over(names, { refreshMs: 2 ** 31 });
    await transport.unary(infer);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(names.asked).toHaveLength(1);
    await transport.close();
  });

  it.each([0, -1, NaN])('refuses to look every %d ms', (refreshMs) => {
    expect(() => dnsEndpoints('grpc://triton', { refreshMs })).toThrow(/^refreshMs: .* is no time/);
  });

  it('ends the waiting and looks no more, once it is closed', async () => {
    const names = new Names();
    names.gate = new Promise(() => {});
    const { transport } = over(names);
    const waiting = transport.unary(infer).catch((error: TritonError) => error);
    await transport.close();
    expect(await waiting).toMatchObject({ code: 'cancelled' });
    expect(vi.getTimerCount()).toBe(0);

    const known = over(new Names('10.0.0.1'));
    await known.transport.unary(infer);
    await known.transport.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(known.servers.server(1).closed).toBe(true);
  });
});
