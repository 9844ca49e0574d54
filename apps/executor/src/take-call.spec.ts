import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CallRecord, RunInput, RunRecord, Runs } from '#libs/runs';
import { createLogger } from '#libs/telemetry';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createCallTaker } from './take-call.js';

const running: Server[] = [];

afterEach(() => {
  vi.useRealTimers();
  for (const server of running.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  running.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that never answers: `request` resolves when it was asked, `closed` when the connection is. */
async function serveNothing(): Promise<{
  url: string;
  asked: Promise<void>;
  closed: Promise<void>;
}> {
  const asked = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const url = await serve(({ socket }) => {
    socket.once('close', () => closed.resolve());
    asked.resolve();
  });
  return { url, asked: asked.promise, closed: closed.promise };
}

interface Scene {
  url: string;
  effect?: 'read' | 'idempotent' | 'once';
  call?: Partial<CallRecord>;
  state?: RunRecord['state'];
  probe?: { url: string };
}

/** An executor whose ledger grants one claim, as the record says, and keeps what it is told after that. */
function executor({ url, effect = 'once', call, state = 'executing', probe }: Scene) {
  const halt = new AbortController();
  const leaving = new AbortController();
  const epoch = { id: 'p1', fresh: true, isFresh: () => epoch.fresh };
  const parameters = {
    type: 'object',
    properties: { invoice: { type: 'string' } },
    required: ['invoice'],
    additionalProperties: false,
  };
  const tool = {
    name: 'pay',
    description: 'Pay.',
    parameters,
    effect,
    approval: 'never',
    executor: { kind: 'http', method: 'POST', url },
    probe,
    timeoutMs: 10_000,
    maxResultBytes: 10_000,
  };
  const told: { input: RunInput; known: RunRecord | undefined }[] = [];
  const watched = { count: 0 };
  const engine = {
    ledger: { toolset: async () => ({ tools: [tool] }) },
    apply: async (_: string, input: RunInput, known?: RunRecord) => {
      if (input.type !== 'call.claim') {
        told.push({ input, known });
        return {};
      }
      expect(watched.count).toBe(1);
      const { token, holder } = input;
      const started = {
        id: 'c',
        name: 'pay',
        arguments: { invoice: 'A17' },
        effect,
        token,
        holder,
      };
      const calls = [
        { ...started, state: 'started', attempt: 1, due: true, hasProbe: true, ...call },
      ];
      const type = call?.state === 'outcome_unknown' ? 'call.probed' : 'call.claimed';
      return { run: { id: 'r', state, msLeft: 60_000, calls }, hints: [], events: [{ type }] };
    },
  };
  const take = createCallTaker({
    runs: { engine, epoch } as unknown as Runs,
    halts: {
      watch: () => {
        watched.count += 1;
        return { signal: halt.signal, release: () => void (watched.count -= 1) };
      },
    },
    leaving: leaving.signal,
    env: {},
    filesDir: '/nowhere',
    log: createLogger('test', 'fatal'),
  });
  const taken = async (): Promise<RunInput[]> => {
    await take({ runId: 'r', callId: 'c' });
    expect(watched.count).toBe(0);
    return told.map(({ input }) => input);
  };
  return { take: taken, told, halt, leaving, epoch };
}

const unknown = { state: 'outcome_unknown', error: { code: 'outcome_unknown' } };
const again = { state: 'failed', error: { code: 'cancelled' }, mayRetry: 'transient' };

it('makes the call with the arguments of its record, and settles it on the record that it has', async () => {
  const bodies: string[] = [];
  const url = await serve((request, response) => {
    request.setEncoding('utf8').on('data', (text: string) => bodies.push(text));
    request.on('end', () => response.end('paid'));
  });
  const { take, told } = executor({ url, call: { arguments: { invoice: 'B18' } } });
  expect(await take()).toMatchObject([
    { type: 'call.settle', callId: 'c', result: { state: 'succeeded', result: 'paid' } },
  ]);
  expect(bodies).toEqual(['{"invoice":"B18"}']);
  expect(told[0]?.known).toMatchObject({ id: 'r', calls: [{ id: 'c' }] });
  expect(told[0]?.known?.msLeft).toBeLessThan(60_000);
});

it('makes no call whose arguments its tool refuses', async () => {
  const url = await serve(() => expect.unreachable());
  expect(await executor({ url, call: { arguments: { invoice: 7 } } }).take()).toMatchObject([
    { type: 'call.settle', result: { state: 'failed', error: { code: 'invalid_arguments' } } },
  ]);
});

it('makes no call that it did not get', async () => {
  const url = await serve(() => expect.unreachable());
  expect(await executor({ url, call: { token: 'of another' } }).take()).toEqual([]);
});

describe('a call in work', () => {
  it.each([
    ['once', 'halt', unknown],
    ['idempotent', 'halt', again],
    ['read', 'halt', again],
    ['once', 'leaving', unknown],
  ] as const)('that is %s ends with its connection at: %s', async (effect, why, result) => {
    const { url, asked, closed } = await serveNothing();
    const scene = executor({ url, effect });
    const taken = scene.take();
    await asked;
    scene[why].abort();
    expect(await taken).toMatchObject([{ type: 'call.settle', result }]);
    await closed;
  });

  it.each(['read', 'idempotent'] as const)(
    'that is %s is left to another process when this one leaves',
    async (effect) => {
      const { url, asked, closed } = await serveNothing();
      const scene = executor({ url, effect });
      const taken = scene.take();
      await asked;
      scene.leaving.abort();
      expect(await taken).toMatchObject([{ type: 'call.release', callId: 'c' }]);
      await closed;
    },
  );

  it.each(['read', 'idempotent'] as const)(
    'that is %s ends once others may make it again',
    async (effect) => {
      vi.useFakeTimers({ toFake: ['setInterval'] });
      const { url, asked, closed } = await serveNothing();
      const scene = executor({ url, effect });
      const taken = scene.take();
      await asked;
      scene.epoch.fresh = false;
      vi.advanceTimersByTime(1_000);
      expect(await taken).toMatchObject([{ type: 'call.settle', result: again }]);
      await closed;
    },
  );

  it('that is once goes on then: nobody makes it again, and what it comes to counts', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    const answer = Promise.withResolvers<() => void>();
    const url = await serve((_, response) => answer.resolve(() => response.end('paid')));
    const scene = executor({ url });
    const taken = scene.take();
    const reply = await answer.promise;
    scene.epoch.fresh = false;
    vi.advanceTimersByTime(1_000);
    reply();
    expect(await taken).toMatchObject([{ result: { state: 'succeeded', result: 'paid' } }]);
  });
});

describe('a call that was claimed and not yet sent', () => {
  it.each(['halt', 'leaving'] as const)('is handed back at: %s', async (why) => {
    const url = await serve(() => expect.unreachable());
    const scene = executor({ url });
    const taken = scene.take();
    scene[why].abort();
    expect(await taken).toMatchObject([{ type: 'call.release', callId: 'c' }]);
  });

  it('is handed back when its run was ended in the same commit', async () => {
    const url = await serve(() => expect.unreachable());
    expect(await executor({ url, state: 'expiring' }).take()).toMatchObject([
      { type: 'call.release', callId: 'c' },
    ]);
  });

  it.each([
    ['the heartbeats fail', (epoch: { fresh: boolean }) => (epoch.fresh = false)],
    ['the process is another', (epoch: { id: string }) => (epoch.id = 'p2')],
  ])('is handed back when %s', async (_, change) => {
    const url = await serve(() => expect.unreachable());
    const scene = executor({ url });
    const taken = scene.take();
    change(scene.epoch);
    expect(await taken).toMatchObject([{ type: 'call.release', callId: 'c' }]);
  });
});

it.each(['leaving', 'stale'])('claims nothing when it is %s', async (why) => {
  const scene = executor({ url: await serve(() => expect.unreachable()) });
  if (why === 'leaving') scene.leaving.abort();
  else scene.epoch.fresh = false;
  expect(await scene.take()).toEqual([]);
});

describe('a call whose outcome is unknown', () => {
  const lost = { state: 'outcome_unknown', token: 'of who lost it', holder: 'p0' } as const;

  it('is not made: its tool is asked', async () => {
    const asked: unknown[] = [];
    const url = await serve(({ method, headers }, response) => {
      asked.push([method, headers['idempotency-key']]);
      response.end('paid');
    });
    const scene = executor({ url, call: lost, probe: { url } });
    expect(await scene.take()).toEqual([
      { type: 'call.probe', callId: 'c', found: { state: 'succeeded', result: 'paid' } },
    ]);
    expect(asked).toEqual([['GET', 'c']]);
  });

  it('is not asked about any more when its run is over', async () => {
    const { url, asked } = await serveNothing();
    const scene = executor({ url, call: lost, probe: { url } });
    const taken = scene.take();
    await asked;
    scene.halt.abort();
    expect(await taken).toEqual([]);
  });
});
