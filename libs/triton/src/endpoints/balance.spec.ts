import { describe, expect, it } from 'vitest';
import { retries } from '../retry.js';
import type { StreamCall, UnaryCall } from '../transport.js';
import { TritonError } from '../triton-error.js';
import { balance, type BalanceOptions, type BalancedTransport } from './balance.js';
import { roundRobin } from './policies.js';
import { prefixAffinity } from './prefix-affinity.js';
import { readAll, refuse, StubServers, urls } from '../../../../test/support/stub-servers.js';

const infer = {
  operation: 'ModelInfer',
  request: { model: 'm', inputs: [] },
  context: { metadata: {} },
} as const satisfies UnaryCall;
const streamInfer = {
  operation: 'ModelStreamInfer',
  requests: [infer.request],
  context: { metadata: {} },
} as const satisfies StreamCall;

function over(count: number, options: Partial<BalanceOptions> = {}) {
  const servers = new StubServers();
  const transport = balance({
    endpoints: urls(count),
    connect: servers.connect,
    policy: roundRobin(),
    ...options,
  });
  return { servers, transport };
}

function inFlight(transport: BalancedTransport): number[] {
  return transport.snapshot().map((endpoint) => endpoint.inFlight);
}

describe('balance', () => {
  it('spreads calls over its endpoints as the policy says', async () => {
    const { servers, transport } = over(3);
    for (let call = 0; call < 6; call++) expect(await transport.unary(infer)).toBe('answer');
    expect(servers.calls).toEqual([2, 2, 2]);
  });

  it('asks where the fewest calls are under way, if no policy is given', async () => {
    const { servers, transport } = over(2, { policy: undefined });
    const gate = Promise.withResolvers<string>();
    servers.server(1).behave = () => gate.promise;
    const stuck = transport.unary(infer);
    for (let call = 0; call < 4; call++) await transport.unary(infer);
    expect(servers.calls).toEqual([1, 4]);
    gate.resolve('late');
    expect(await stuck).toBe('late');
  });

  it('keeps calls of one affinity together', async () => {
    const { servers, transport } = over(4, { policy: prefixAffinity() });
    const context = { metadata: {}, affinity: 'tenant/toolset' };
    for (let call = 0; call < 8; call++) await transport.unary({ ...infer, context });
    expect(servers.calls.toSorted((a, b) => a - b)).toEqual([0, 0, 0, 8]);
  });

  it('counts a call as under way until it is answered or fails', async () => {
    const { servers, transport } = over(2);
    const gates = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
    for (const [at, gate] of gates.entries()) servers.server(at + 1).behave = () => gate.promise;
    const calls = [transport.unary(infer), transport.unary(infer), transport.unary(infer)];
    expect(inFlight(transport)).toEqual([2, 1]);
    gates[0]?.resolve('answer');
    await Promise.all([calls[0], calls[2]]);
    expect(inFlight(transport)).toEqual([0, 1]);
    gates[1]?.reject(new TritonError('internal', 'a model error'));
    await expect(calls[1]).rejects.toThrow('a model error');
    expect(inFlight(transport)).toEqual([0, 0]);
  });

  it('counts a stream as under way until it ends, fails or is left', async () => {
    const { servers, transport } = over(1);
    const server = servers.server(1);
    let left = false;
    server.behave = async function* () {
      try {
        yield 1;
        yield 2;
      } finally {
        left = true;
      }
    };
    const seen: unknown[] = [];
    for await (const answer of transport.stream(streamInfer))
      seen.push(answer, inFlight(transport));
    expect(seen).toEqual([1, [1], 2, [1]]);
    expect(inFlight(transport)).toEqual([0]);

    left = false;
    for await (const _ of transport.stream(streamInfer)) break;
    expect(left).toBe(true);
    expect(inFlight(transport)).toEqual([0]);

    server.behave = async function* () {
      yield 1;
      refuse();
    };
    await expect(readAll(transport.stream(streamInfer))).rejects.toMatchObject({
      reason: 'connection',
      endpoint: '10.0.0.1:8001',
    });
    expect(inFlight(transport)).toEqual([0]);
  });

  it('counts and sends nothing for a stream that nobody reads', () => {
    const { servers, transport } = over(1);
    transport.stream(streamInfer);
    expect(inFlight(transport)).toEqual([0]);
    expect(servers.calls).toEqual([0]);
  });

  it('names the endpoint in errors', async () => {
    const { servers, transport } = over(1);
    servers.server(1).behave = () => {
      throw new TritonError('not_found', 'unknown model');
    };
    await expect(transport.unary(infer)).rejects.toMatchObject({ endpoint: '10.0.0.1:8001' });
  });

  it('lets a retry go to another endpoint, and to the same one if there is no other', async () => {
    const { servers, transport } = over(3, { policy: () => 0 });
    for (const server of servers.connected) server.behave = refuse;
    servers.server(3).behave = () => 'answer';
    const retrying = retries({ random: () => 0 })(transport);
    expect(await retrying.unary(infer)).toBe('answer');
    expect(servers.calls).toEqual([1, 1, 1]);

    const lone = over(1);
    let times = 0;
    lone.servers.server(1).behave = () => (times++ === 0 ? refuse() : 'answer');
    expect(await retries({ random: () => 0 })(lone.transport).unary(infer)).toBe('answer');
  });

  it('closes every endpoint and takes no more calls', async () => {
    const { servers, transport } = over(2);
    await transport.close();
    expect(servers.connected.map(({ closed }) => closed)).toEqual([true, true]);
    await expect(transport.unary(infer)).rejects.toMatchObject({
      code: 'cancelled',
      operation: 'ModelInfer',
    });
    await expect(readAll(transport.stream(streamInfer))).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(servers.calls).toEqual([0, 0]);
  });

  it('takes a port that is not named for the one of the scheme', () => {
    const { transport } = over(0, { endpoints: ['grpc://a', 'http://b', 'https://[::1]'] });
    expect(transport.snapshot().map(({ address }) => address)).toEqual([
      'a:8001',
      'b:80',
      '[::1]:443',
    ]);
  });

  it.each([
    [{ endpoints: [] }, /^endpoints: there is none; give at least one URL/],
    [
      { endpoints: ['grpc://a:1', 'localhost:8001'] },
      /^endpoints\[1\]: "localhost:8001" is no URL of a server; give/,
    ],
    [{ endpoints: ['grpc://me:pa/ss@a:1'] }, /^endpoints\[0\]: "grpc:\/\/…@a:1" is no URL/],
    [{ endpoints: ['me:pass@a:1'] }, /^endpoints\[0\]: "…@a:1" is no URL/],
    [{ endpoints: ['ftp://me:pass@a'] }, /^endpoints\[0\]: "ftp:\/\/…@a" is no URL/],
    [{ endpoints: ['grpc://a', 'grpc://a:8001'] }, /^endpoints\[1\]: a:8001 is there already/],
    [{ health: { failures: 0 } }, /^health.failures: 0 is no number above 0/],
    [{ health: { panicShare: -1 } }, /^health.panicShare: -1/],
  ] as const)('refuses %j', (options, message) => {
    expect(() => over(1, options)).toThrow(message);
  });
});
