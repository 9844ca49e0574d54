import { createHook } from 'node:async_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type CallOptions, TritonClient, TritonError } from '#libs/triton';
import { seededRandom } from '../support/seeded-random.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { startTestTriton, type TestTriton } from '../support/triton.js';
import { collect, echo, STREAMS, streamText, take, TRANSPORTS } from '../support/triton-calls.js';

// What hangs fails soon.
vi.setConfig({ testTimeout: 30_000 });

const CALLS = 2_000;
const AT_ONCE = 32;
/** A fault comes with every so manieth call, and is mended with the one in the middle. */
const FAULT_EVERY = 20;
const MIB = 2 ** 20;
const CODES = ['cancelled', 'deadline_exceeded', 'right', 'unavailable'];
const tokens = ['a', 'b', 'c'];

let triton: TestTriton;

beforeAll(async () => {
  triton = await startTestTriton({ models: ['identity', 'text'] });
});
afterAll(async () => {
  await triton.kill();
  await triton.stop();
});

/** What each fault does to a proxy; `amount` is from 0 to 1. */
const FAULTS: readonly ((proxy: TcpProxy, amount: number) => void)[] = [
  (proxy) => proxy.reset(),
  (proxy) => {
    proxy.refuse();
    proxy.reset();
  },
  (proxy) => proxy.setFaults({ up: { blackHole: true } }),
  (proxy) => proxy.setFaults({ down: { blackHole: true } }),
  (proxy, amount) => proxy.setFaults({ up: { latencyMs: amount * 20 } }),
  (proxy, amount) => proxy.setFaults({ down: { bytesPerMs: 1 + amount * 100 } }),
  (proxy, amount) => {
    for (const { down } of proxy.connections) {
      down.setFaults({ endAfter: down.forwarded + Math.round(amount * 300) });
    }
  },
  (proxy, amount) => {
    for (const { up } of proxy.connections) {
      up.setFaults({ resetAfter: up.forwarded + Math.round(amount * 300) });
    }
  },
];

async function mend(proxy: TcpProxy): Promise<void> {
  proxy.setFaults({});
  proxy.refuse();
  await proxy.accept();
}

it(`${CALLS} calls among faults: each has its answer or its error, and nothing stays behind`, async () => {
  const timers = new Map<number, string>();
  const hook = createHook({
    init(id, type) {
      if (type !== 'Timeout') return;
      const { stack = '' } = new Error();
      // Undici keeps a clock of its own.
      if (/libs.triton.src/.test(stack) && !/undici/.test(stack)) timers.set(id, stack);
    },
    destroy: (id) => void timers.delete(id),
  });
  const resources = process.getActiveResourcesInfo();
  const memory = usedMemory();
  hook.enable();

  const random = seededRandom(5);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const addresses = { grpc: `grpc://${triton.grpc}`, http: triton.http };
  const proxies: TcpProxy[] = [];
  const by = {} as Record<(typeof TRANSPORTS)[number], TritonClient>;
  for (const transport of TRANSPORTS) {
    const proxy = await startTcpProxy({
      target: { port: Number(new URL(addresses[transport]).port) },
    });
    proxies.push(proxy);
    by[transport] = new TritonClient(`${transport}://${proxy.host}:${proxy.port}`, {
      timeoutMs: 500,
      stallMs: 200,
      connectTimeoutMs: 300,
      keepAliveTimeoutMs: 100,
    });
  }

  // Triton 2.51 crashes now and then when a gRPC inference is cancelled just as it ends, hence none of those here.
  const short = (options: CallOptions): Promise<unknown> =>
    random() < 0.5 ? by.grpc.serverMetadata(options) : echo(by.http, [1], options);
  const kinds: readonly (() => Promise<unknown>)[] = [
    async () => {
      const value = Math.fround(random());
      expect(await echo(by[pick(TRANSPORTS)], [value])).toEqual(Float32Array.of(value));
    },
    () => short({ timeoutMs: 1 + random() * 10 }),
    () => short({ signal: abortAfter(random() * 20) }),
    async () => {
      const [transport, method] = pick(STREAMS);
      expect(await collect(streamText(by[transport], method, { tokens }))).toEqual(tokens);
    },
    async () => {
      const [transport, method] = pick(STREAMS);
      const stream = streamText(by[transport], method, { tokens, every_ms: 5 });
      expect(await take(stream, 1)).toEqual(['a']);
      await stream.return();
    },
    async () => expect(await by[pick(TRANSPORTS)].serverReady()).toBe(true),
  ];

  const outcomes = new Map<string, number>();
  let changes: Promise<unknown> = Promise.resolve();
  let begun = 0;
  const work = async (): Promise<void> => {
    while (begun < CALLS) {
      const at = begun++;
      const proxy = proxies[Math.floor(at / FAULT_EVERY) % proxies.length];
      if (proxy !== undefined && at % FAULT_EVERY === 0) {
        changes = changes.then(() => pick(FAULTS)(proxy, random()));
      } else if (proxy !== undefined && at % FAULT_EVERY === FAULT_EVERY / 2) {
        changes = changes.then(() => mend(proxy));
      }
      await changes;
      const outcome = await pick(kinds)().then(() => 'right', errorCode);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  await Promise.all(proxies.map(mend));
  for (const transport of TRANSPORTS) {
    // It only reads, so that it is repeated where a connection turns out to be dead.
    expect(await by[transport].serverLive({ timeoutMs: 5_000 })).toBe(true);
    expect(await echo(by[transport], [1], { timeoutMs: 5_000 })).toEqual(Float32Array.of(1));
  }
  expect([...outcomes.keys()].toSorted()).toEqual(CODES);
  expect([...outcomes.values()].reduce((sum, count) => sum + count)).toBe(CALLS);
  expect(outcomes.get('right')).toBeGreaterThan(CALLS / 4);

  await Promise.all(TRANSPORTS.map((transport) => by[transport].close()));
  await Promise.all(proxies.flatMap(({ connections }) => connections.map(({ closed }) => closed)));
  await Promise.all(proxies.map((proxy) => proxy.close()));
  // Node closes handles at the end of a turn of its event loop.
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
  hook.disable();
  expect(more(resources, process.getActiveResourcesInfo())).toEqual([]);
  expect([...timers.values()]).toEqual([]);
  expect(usedMemory() - memory).toBeLessThan(16 * MIB);
});

/** What `now` has that was not there `before`, as often. */
function more(before: readonly string[], now: readonly string[]): string[] {
  const known = [...before];
  return now.filter((one) => {
    const at = known.indexOf(one);
    if (at !== -1) known.splice(at, 1);
    return at === -1;
  });
}

/** Aborts after so many turns of the event loop. */
function abortAfter(turns: number): AbortSignal {
  const controller = new AbortController();
  const turn = (left: number): void => {
    if (left < 1) controller.abort();
    else setImmediate(turn, left - 1);
  };
  turn(turns);
  return controller.signal;
}

function errorCode(error: unknown): string {
  if (!(error instanceof TritonError)) throw error;
  return error.code;
}

/** Bytes that are in use after a full collection. */
function usedMemory(): number {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
