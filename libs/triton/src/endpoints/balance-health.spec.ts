import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StreamCall, UnaryCall } from '../transport.js';
import { TritonError, type TritonErrorOptions } from '../triton-error.js';
import {
  balance,
  type BalanceChange,
  type BalancedTransport,
  type BalanceOptions,
} from './balance.js';
import { roundRobin } from './policies.js';
import {
  readAll,
  refuse,
  refused,
  StubServers,
  urls,
} from '../../../../test/support/stub-servers.js';

const context = { metadata: {} };

function inferOf(model: string): UnaryCall<'ModelInfer'> {
  return { operation: 'ModelInfer', request: { model, inputs: [] }, context };
}
const infer = inferOf('m');

/** Its random number is a half, so that each time is exactly as long as said. */
function over(count: number, options: Partial<BalanceOptions> = {}) {
  const servers = new StubServers();
  const changes: string[] = [];
  const transport = balance({
    endpoints: urls(count),
    connect: servers.connect,
    policy: roundRobin(),
    random: () => 0.5,
    onChange: (change: BalanceChange) => {
      if ('endpoint' in change) changes.push(`${change.endpoint.address} ${change.endpoint.state}`);
    },
    ...options,
  });
  return { servers, transport, changes };
}

/** The codes and reasons of that many calls, one after the other. */
async function ask(
  transport: BalancedTransport,
  times: number,
  call: UnaryCall = infer,
): Promise<string[]> {
  const outcomes: string[] = [];
  for (let at = 0; at < times; at++) {
    outcomes.push(
      await transport.unary(call).then(
        () => 'answer',
        (error: TritonError) => error.reason ?? error.code,
      ),
    );
  }
  return outcomes;
}

function states(transport: BalancedTransport): string[] {
  return transport.snapshot().map(({ state }) => state);
}

function failWith(code: TritonError['code'], options: TritonErrorOptions): () => never {
  return () => {
    throw new TritonError(code, 'as it happens', { progress: 'sent', ...options });
  };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('ejection', () => {
  it('takes an endpoint out after failures in a row, and asks it before it is used again', async () => {
    const { servers, transport, changes } = over(3);
    const bad = servers.server(2);
    bad.behave = refuse;
    await ask(transport, 15);
    expect(states(transport)).toEqual(['ready', 'ejected', 'ready']);
    expect(transport.snapshot()[1]).toMatchObject({
      failures: 5,
      nextProbeMs: 1_000,
      problem: 'connect ECONNREFUSED',
    });
    expect(await ask(transport, 10)).toEqual(Array.from({ length: 10 }, () => 'answer'));
    expect(bad.calls).toBe(5);

    bad.behave = () => 'answer';
    const probe = Promise.withResolvers<boolean>();
    bad.ready = probe.promise;
    await vi.advanceTimersByTimeAsync(999);
    expect(bad.probes).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(bad.probes).toHaveLength(1);
    expect(transport.snapshot()[1]).toMatchObject({ state: 'ejected', probing: true });
    await ask(transport, 4);
    expect(bad.calls).toBe(5);
    probe.resolve(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(transport.snapshot()[1]).toMatchObject({ state: 'ready', probing: false, failures: 0 });
    await ask(transport, 3);
    expect(bad.calls).toBe(6);
    expect(changes.slice(3)).toEqual(['10.0.0.2:8001 ejected', '10.0.0.2:8001 ready']);
  });

  it('forgets failures at an answer, even one that concerns the request alone', async () => {
    const { servers, transport } = over(1);
    const server = servers.server(1);
    for (const answer of [() => 'answer', failWith('invalid_argument', {})]) {
      server.behave = refuse;
      await ask(transport, 4);
      server.behave = answer;
      await ask(transport, 1);
    }
    server.behave = refuse;
    await ask(transport, 4);
    expect(states(transport)).toEqual(['ready']);
    await ask(transport, 1);
    expect(states(transport)).toEqual(['ejected']);
  });

  it.each([
    ['unavailable', { reason: 'queue_full' }],
    ['unavailable', { reason: 'queue_timeout' }],
    ['unavailable', { status: 14 }],
    ['internal', { reason: 'model_error' }],
    ['invalid_argument', {}],
    ['cancelled', {}],
    ['deadline_exceeded', {}],
  ] as const)('does not follow from %s %j', async (code, options) => {
    const { servers, transport } = over(1);
    servers.server(1).behave = failWith(code, options);
    await ask(transport, 20);
    expect(transport.snapshot()).toMatchObject([{ state: 'ready', failures: 0 }]);
  });

  it('lasts twice as long each time, up to a cap, and begins anew after a good while', async () => {
    const { servers, transport } = over(2, { health: { failures: 1, maxEjectionMs: 5_000 } });
    const server = servers.server(1);
    server.behave = refuse;
    server.ready = refused;
    await ask(transport, 1);
    const waits: (number | undefined)[] = [];
    for (let probe = 0; probe < 5; probe++) {
      const wait = transport.snapshot()[0]?.nextProbeMs;
      waits.push(wait);
      await vi.advanceTimersByTimeAsync(wait ?? 0);
      expect(server.probes).toHaveLength(probe + 1);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
    expect(states(transport)).toEqual(['down', 'ready']);

    server.ready = true;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(states(transport)).toEqual(['ready', 'ready']);
    await vi.advanceTimersByTimeAsync(4_000);
    await ask(transport, 2);
    // Well for less than the cap: it goes on where it was.
    expect(transport.snapshot()[0]?.nextProbeMs).toBe(5_000);
    await vi.advanceTimersByTimeAsync(5_000 + 5_001);
    await ask(transport, 2);
    expect(transport.snapshot()[0]?.nextProbeMs).toBe(1_000);
  });

  it.each([
    [0, 750],
    [1, 1_250],
  ])('lasts a quarter more or less: at random %d, %d ms', async (random, ms) => {
    const { servers, transport } = over(2, { random: () => random });
    servers.server(1).behave = refuse;
    await ask(transport, 10);
    expect(transport.snapshot()[0]?.nextProbeMs).toBe(ms);
  });

  it('gives a probe its metadata and only so much time', async () => {
    const metadata = { 'triton-grpc-protocol-key': 'secret' };
    const { servers, transport } = over(1, {
      health: { failures: 1, metadata, probeTimeoutMs: 300 },
    });
    servers.server(1).behave = refuse;
    await ask(transport, 1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(servers.server(1).probes).toMatchObject([
      { context: { metadata, deadline: performance.now() + 300 } },
    ]);
  });

  it('takes a server that refuses the probe for one that is there', async () => {
    const { servers, transport } = over(2, { health: { failures: 1 } });
    servers.server(1).behave = refuse;
    servers.server(1).ready = new TritonError('permission_denied', 'restricted', {
      progress: 'sent',
    });
    await ask(transport, 1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(states(transport)).toEqual(['ready', 'ready']);
  });

  it('does not take one for ready that is unavailable to the probe, in whatever words', async () => {
    const { servers, transport } = over(2, { health: { failures: 1 } });
    servers.server(1).behave = refuse;
    servers.server(1).ready = new TritonError('unavailable', 'come back later', {
      progress: 'sent',
      status: 14,
    });
    await ask(transport, 1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(states(transport)).toEqual(['down', 'ready']);
  });
});

describe('when few are fit', () => {
  it('uses those ejected as well, if less than half is fit, until a probe fails', async () => {
    const { servers, transport } = over(3);
    for (const server of [servers.server(1), servers.server(2)]) {
      server.behave = refuse;
      server.ready = refused;
    }
    await ask(transport, 15);
    expect(states(transport)).toEqual(['ejected', 'ejected', 'ready']);
    const suspected = servers.server(1).calls + servers.server(2).calls;
    expect(await ask(transport, 3)).toEqual(['answer', 'answer', 'answer']);
    expect(servers.server(1).calls + servers.server(2).calls).toBeGreaterThan(suspected);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(states(transport)).toEqual(['down', 'down', 'ready']);
    expect(await ask(transport, 3)).toEqual(['answer', 'answer', 'answer']);
  });

  it('does not use those ejected while half is fit', async () => {
    const { servers, transport } = over(2);
    servers.server(1).behave = refuse;
    await ask(transport, 10);
    expect(states(transport)).toEqual(['ejected', 'ready']);
    expect(await ask(transport, 3)).toEqual(['answer', 'answer', 'answer']);
  });

  it('takes an answer for a sign that a suspicion was wrong', async () => {
    const { servers, transport } = over(1);
    servers.server(1).behave = refuse;
    await ask(transport, 5);
    expect(states(transport)).toEqual(['ejected']);
    servers.server(1).behave = () => 'answer';
    expect(await ask(transport, 1)).toEqual(['answer']);
    expect(states(transport)).toEqual(['ready']);
  });

  it('says of each endpoint why it is not fit, if none is', async () => {
    const { servers, transport } = over(2, { health: { failures: 1 } });
    for (const server of servers.connected) {
      server.behave = refuse;
      server.ready = new TritonError('unavailable', `${server.address}: connect ECONNREFUSED`);
    }
    await ask(transport, 2);
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(transport.unary(infer)).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'no_endpoint',
      progress: 'unsent',
      operation: 'ModelInfer',
      message:
        'no endpoint is fit: 10.0.0.1:8001 is down (connect ECONNREFUSED); ' +
        '10.0.0.2:8001 is down (connect ECONNREFUSED)',
    });
  });

  it('probes at once, but not too often, when calls wait for an endpoint', async () => {
    const { servers, transport } = over(1, { health: { failures: 1 } });
    const server = servers.server(1);
    server.behave = refuse;
    server.ready = refused;
    await ask(transport, 1);
    await vi.advanceTimersByTimeAsync(1_000 + 2_000 + 4_000);
    expect(server.probes).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(999);
    expect(await ask(transport, 2)).toEqual(['no_endpoint', 'no_endpoint']);
    expect(server.probes).toHaveLength(3);
    server.ready = true;
    server.behave = () => 'answer';
    await vi.advanceTimersByTimeAsync(1);
    // Long before the probe that is due.
    expect(await ask(transport, 1)).toEqual(['no_endpoint']);
    await vi.advanceTimersByTimeAsync(0);
    expect(await ask(transport, 1)).toEqual(['answer']);
    expect(server.probes).toHaveLength(4);
  });

  it('does not probe an endpoint twice at a time', async () => {
    const { servers, transport } = over(1, { health: { failures: 1 } });
    const server = servers.server(1);
    server.behave = refuse;
    server.ready = refused;
    await ask(transport, 1);
    await vi.advanceTimersByTimeAsync(1_000);
    const probe = Promise.withResolvers<boolean>();
    server.ready = probe.promise;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await ask(transport, 3)).toEqual(['no_endpoint', 'no_endpoint', 'no_endpoint']);
    expect(server.probes).toHaveLength(2);
    probe.resolve(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(states(transport)).toEqual(['ready']);
  });
});

describe('active probes', () => {
  const health = { probeIntervalMs: 5_000 };

  it('keep calls from servers that start or shut down', async () => {
    const { servers, transport } = over(3, { health });
    expect(states(transport)).toEqual(['starting', 'starting', 'starting']);
    servers.server(1).ready = false;
    await vi.advanceTimersByTimeAsync(0);
    expect(states(transport)).toEqual(['not_ready', 'ready', 'ready']);
    await ask(transport, 4);
    expect(servers.calls).toEqual([0, 2, 2]);

    servers.server(1).ready = true;
    servers.server(2).ready = false;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(states(transport)).toEqual(['ready', 'not_ready', 'ready']);
    // An answer to a call that was under way does not make a server ready that shuts down.
    await ask(transport, 4);
    expect(servers.calls).toEqual([2, 2, 4]);
  });

  it('use servers that say they are not ready rather than nobody', async () => {
    const { servers, transport } = over(2, { health });
    for (const server of servers.connected) server.ready = false;
    await vi.advanceTimersByTimeAsync(0);
    expect(states(transport)).toEqual(['not_ready', 'not_ready']);
    expect(await ask(transport, 2)).toEqual(['answer', 'answer']);
    expect(states(transport)).toEqual(['not_ready', 'not_ready']);
  });

  it('do not keep the first calls waiting', async () => {
    const { transport } = over(2, { health });
    expect(await ask(transport, 2)).toEqual(['answer', 'answer']);
    expect(states(transport)).toContain('starting');
    await vi.advanceTimersByTimeAsync(0);
    expect(states(transport)).toEqual(['ready', 'ready']);
  });

  it('find a server that fails, without any call, after as many failures', async () => {
    const { servers, transport } = over(2, { health: { ...health, failures: 3 } });
    await vi.advanceTimersByTimeAsync(0);
    servers.server(1).ready = refused;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(states(transport)).toEqual(['ready', 'ready']);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(states(transport)).toEqual(['ejected', 'ready']);
    expect(servers.calls).toEqual([0, 0]);
  });

  it('end when the transport is closed', async () => {
    const { servers, transport } = over(2, { health });
    await vi.advanceTimersByTimeAsync(0);
    await transport.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(servers.server(1).probes).toHaveLength(1);
  });
});

describe('a dead model process', () => {
  const dead = failWith('unavailable', { reason: 'model_process' });

  /** Server 1 has lost model m; everything else is well. */
  function withDeadModel() {
    const made = over(2);
    const server = made.servers.server(1);
    server.behave = (call) =>
      'request' in call && call.request === infer.request ? dead() : 'answer';
    return { ...made, server };
  }

  it('takes out this model at this endpoint, and no other', async () => {
    const { servers, transport } = withDeadModel();
    expect(await ask(transport, 5)).toEqual([
      'model_process',
      'answer',
      'answer',
      'answer',
      'answer',
    ]);
    expect(transport.snapshot()).toMatchObject([
      { state: 'ready', brokenModels: ['m'] },
      { state: 'ready', brokenModels: [] },
    ]);
    const before = servers.server(1).calls;
    expect(await ask(transport, 4, inferOf('other'))).toEqual([
      'answer',
      'answer',
      'answer',
      'answer',
    ]);
    expect(servers.server(1).calls).toBe(before + 2);
    expect(transport.snapshot()).toMatchObject([{ brokenModels: ['m'] }, {}]);
  });

  it('is not believed to be mended because the server says it is ready', async () => {
    const { server, transport } = withDeadModel();
    await ask(transport, 1);
    const ready = { operation: 'ModelReady', request: { model: 'm' }, context } as const;
    server.behave = () => 'answer';
    await vi.advanceTimersByTimeAsync(1_000);
    await ask(transport, 4, ready);
    expect(transport.snapshot()).toMatchObject([{ brokenModels: ['m'] }, {}]);
  });

  it('lets one call try after a while, then after twice as long', async () => {
    const { server, transport } = withDeadModel();
    await ask(transport, 1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await ask(transport, 6)).filter((outcome) => outcome !== 'answer')).toEqual([
      'model_process',
    ]);
    await vi.advanceTimersByTimeAsync(1_999);
    expect(await ask(transport, 2)).toEqual(['answer', 'answer']);
    expect(server.calls).toBe(2);
    await vi.advanceTimersByTimeAsync(1);
    expect((await ask(transport, 6)).filter((outcome) => outcome !== 'answer')).toEqual([
      'model_process',
    ]);

    server.behave = () => 'answer';
    await vi.advanceTimersByTimeAsync(4_000);
    await ask(transport, 4);
    expect(transport.snapshot()).toMatchObject([{ brokenModels: [] }, {}]);
    expect(server.calls).toBe(3 + 2);
  });

  it('everywhere is asked all the same, and the answer says what is wrong', async () => {
    const { servers, transport } = over(2);
    for (const server of servers.connected) server.behave = dead;
    expect(await ask(transport, 4)).toEqual(Array.from({ length: 4 }, () => 'model_process'));
    expect(states(transport)).toEqual(['ready', 'ready']);
    expect(servers.calls).toEqual([2, 2]);
  });

  it('is seen in the answers of a stream', async () => {
    const { servers, transport } = over(2);
    servers.server(1).behave = async function* () {
      yield {
        error: new TritonError('unavailable', 'dead', {
          reason: 'model_process',
          progress: 'sent',
        }),
        answer: {},
      };
    };
    servers.server(2).behave = async function* () {
      yield { answer: {} };
    };
    const call: StreamCall<'ModelStreamInfer'> = {
      operation: 'ModelStreamInfer',
      requests: [infer.request],
      context,
    };
    const [first] = await readAll(transport.stream(call));
    expect(first).toMatchObject({ error: { reason: 'model_process' } });
    expect(transport.snapshot()).toMatchObject([{ brokenModels: ['m'] }, { brokenModels: [] }]);
    for (let at = 0; at < 3; at++) await readAll(transport.stream(call));
    expect(servers.calls).toEqual([1, 3]);
  });
});

describe('streams', () => {
  const call: StreamCall<'GenerateStream'> = {
    operation: 'GenerateStream',
    requests: [{ model: 'm', fields: {} }],
    context,
  };

  it('count against an endpoint where they stall', async () => {
    const { servers, transport } = over(2);
    servers.server(1).behave = async function* () {
      yield {};
      failWith('deadline_exceeded', { reason: 'stalled' })();
    };
    servers.server(2).behave = async function* () {
      yield {};
    };
    for (let at = 0; at < 10; at++) await readAll(transport.stream(call)).catch(() => {});
    // Each had answered before: that is a sign of life, so no two failures are in a row.
    expect(states(transport)).toEqual(['ready', 'ready']);
    servers.server(1).behave = async function* () {
      failWith('deadline_exceeded', { reason: 'stalled' })();
      yield {};
    };
    for (let at = 0; at < 10; at++) await readAll(transport.stream(call)).catch(() => {});
    expect(states(transport)).toEqual(['ejected', 'ready']);
  });
});
