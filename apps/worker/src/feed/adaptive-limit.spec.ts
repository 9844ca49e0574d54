import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../test/support/seeded-random.js';
import {
  latency,
  limitsBetween,
  simulate,
  throughput,
  type Servers,
  type SimulatedRequest,
  type Simulation,
} from '../../../../test/support/simulated-servers.js';
import { AdaptiveLimit } from './adaptive-limit.js';
import { fixedLimit, type Limit } from './limit.js';

/** A request takes a second of a slot. */
const plain: SimulatedRequest = { inputTokens: 500, outputTokens: 21, promptMs: 200, tokenMs: 40 };
const MINUTES = 60_000;

const slots = (count: number, servers = 1): Servers => ({
  count: servers,
  slots: count,
  slowness: () => 1,
});

/** Service times that differ by up to `share` either way. */
const noisy = (share: number, base = plain): (() => SimulatedRequest) => {
  const random = seededRandom(7);
  return () => {
    const factor = 1 + share * (2 * random() - 1);
    return { ...base, promptMs: base.promptMs * factor, tokenMs: base.tokenMs * factor };
  };
};

function run(servers: Servers, over: Partial<Parameters<typeof simulate>[0]> = {}): Simulation {
  return simulate({
    makeLimit: (now) => new AdaptiveLimit(now),
    servers,
    request: () => plain,
    untilMs: 5 * MINUTES,
    ...over,
  });
}

describe('on a server with slots', () => {
  it.each([4, 8, 16, 32, 64])('finds all %i within ten round trips, and stays', (count) => {
    const simulation = run(slots(count));
    const found = simulation.limits.find(({ limit }) => limit >= count)?.at;
    expect(found).toBeLessThanOrEqual(10_000);
    const { mean, max } = limitsBetween(simulation, MINUTES, 5 * MINUTES);
    expect(Math.abs(mean / count - 1)).toBeLessThan(0.25);
    expect(max).toBeLessThanOrEqual(1.25 * count + 1);
    expect(throughput(simulation, MINUTES, 5 * MINUTES)).toBeGreaterThan(0.95 * count);
  });

  it('keeps one or two in flight where there is a single slot', () => {
    const { min, max } = limitsBetween(run(slots(1)), 0, 5 * MINUTES);
    expect([min, max]).toEqual([1, 2]);
  });

  it.each([8, 32])('does not drift on %i slots when service times vary by a third', (count) => {
    const simulation = run(slots(count), { request: noisy(0.3), untilMs: 10 * MINUTES });
    for (const minute of [1, 3, 5, 7, 9]) {
      const { mean } = limitsBetween(simulation, minute * MINUTES, (minute + 1) * MINUTES);
      expect(Math.abs(mean / count - 1)).toBeLessThan(0.25);
    }
    expect(throughput(simulation, MINUTES, 10 * MINUTES)).toBeGreaterThan(0.93 * count);
  });

  it('is not fooled by prompts and answers of many lengths', () => {
    const random = seededRandom(3);
    const request = (): SimulatedRequest => {
      const inputTokens = [100, 500, 2_000, 6_000][Math.floor(random() * 4)] ?? 0;
      const outputTokens = 5 + Math.floor(random() * 60);
      return { inputTokens, outputTokens, promptMs: inputTokens * 0.4, tokenMs: 20 };
    };
    const simulation = run(slots(32), { request });
    const { mean } = limitsBetween(simulation, MINUTES, 5 * MINUTES);
    expect(Math.abs(mean / 32 - 1)).toBeLessThan(0.25);
  });

  it('is not fooled by prompts of one length of which the server knows some already', () => {
    const random = seededRandom(5);
    const request = (): SimulatedRequest => ({ ...plain, promptMs: random() < 0.6 ? 30 : 600 });
    const simulation = run(slots(32), { request, untilMs: 10 * MINUTES });
    const { mean } = limitsBetween(simulation, 2 * MINUTES, 10 * MINUTES);
    expect(Math.abs(mean / 32 - 1)).toBeLessThan(0.25);
  });

  it('makes nothing of the time per token where answers come in one piece', () => {
    const random = seededRandom(9);
    const request = (): SimulatedRequest => ({ ...plain, promptMs: 1_000, tokenMs: random() ** 4 });
    const simulation = run(slots(8), { request });
    expect(throughput(simulation, MINUTES, 5 * MINUTES)).toBeGreaterThan(0.93 * 8);
  });

  it('leaves the limit alone while there is not enough work for it', () => {
    const simulation = run(slots(64), { demand: () => 10 });
    expect(limitsBetween(simulation, MINUTES, 5 * MINUTES).max).toBeLessThanOrEqual(20);
    expect(latency(simulation, 0.99, MINUTES)).toBe(1_000);
  });
});

describe('on a server whose capacity halves and recovers', () => {
  const halve: Record<string, [(servers: Servers) => void, (servers: Servers) => void]> = {
    slots: [(server) => void (server.slots /= 2), (server) => void (server.slots *= 2)],
    speed: [
      (server) => void (server.slowness = () => 2),
      (server) => void (server.slowness = () => 1),
    ],
  };

  it.each([
    ['slots', 8],
    ['slots', 32],
    ['speed', 8],
    ['speed', 32],
  ])(
    '(%s, %i) does nearly as much as under the best fixed limit, nearly as soon',
    (what, count) => {
      const [less, more] = halve[what] ?? [];
      const under = (makeLimit: (now: () => number) => Limit): Simulation =>
        run(slots(count), {
          makeLimit,
          request: noisy(0.15),
          untilMs: 3 * MINUTES,
          events: [
            { at: MINUTES, change: less ?? (() => undefined) },
            { at: 2 * MINUTES, change: more ?? (() => undefined) },
          ],
        });
      const best = [count, count + 1, 1.25 * count, 1.5 * count].map((limit) =>
        under(() => fixedLimit(limit)),
      );
      const most = Math.max(...best.map((one) => throughput(one, 0, 3 * MINUTES)));
      const good = best.filter((one) => throughput(one, 0, 3 * MINUTES) > 0.99 * most);
      const adaptive = under((now) => new AdaptiveLimit(now));
      expect(throughput(adaptive, 0, 3 * MINUTES)).toBeGreaterThan(0.9 * most);
      expect(latency(adaptive, 0.99)).toBeLessThan(
        1.5 * Math.min(...good.map((one) => latency(one, 0.99))),
      );
    },
  );

  it('learns anew when it became slower for good', () => {
    const simulation = run(slots(16), {
      events: [{ at: MINUTES, change: (servers) => void (servers.slowness = () => 4) }],
    });
    const { mean } = limitsBetween(simulation, 2 * MINUTES, 5 * MINUTES);
    expect(Math.abs(mean / 16 - 1)).toBeLessThan(0.25);
  });
});

describe('when servers come or go', () => {
  it('each brings or takes its share at once', () => {
    const { limits } = run(slots(8, 2), {
      request: noisy(0.1),
      events: [
        { at: 2 * MINUTES, change: (servers) => void (servers.count = 3) },
        { at: 4 * MINUTES, change: (servers) => void (servers.count = 1) },
      ],
    });
    const around = (at: number): [number, number] => [
      limits.findLast((one) => one.at <= at)?.limit ?? 0,
      limits.find((one) => one.at > at)?.limit ?? 0,
    ];
    const [two, three] = around(2 * MINUTES);
    expect(three).toBe(Math.round((two * 3) / 2));
    const [before, one] = around(4 * MINUTES);
    expect(one).toBe(Math.round(before / 3));
  });

  it('also counts where the limit was lowered for a moment just then', () => {
    for (let at = 10_000; at < 21_000; at += 500) {
      const simulation = run(slots(8, 2), {
        untilMs: at + 500,
        events: [{ at, change: (servers) => void (servers.count = 3) }],
      });
      expect(simulation.limits.at(-1)?.limit).toBeGreaterThanOrEqual(24);
    }
  });
});

describe('on a server that batches without end', () => {
  /** Everything takes (1 + batch / c) times as long: c requests double the time of each. */
  const batching = (c: number): Servers => ({
    count: 1,
    slots: Infinity,
    slowness: (batch) => 1 + batch / c,
  });

  it.each([2, 8])('(c = %i) gets most of what it can do, without piling up requests', (c) => {
    const simulation = run(batching(c), { untilMs: 15 * MINUTES });
    const { min, max } = limitsBetween(simulation, 5 * MINUTES, 15 * MINUTES);
    expect(min).toBeGreaterThanOrEqual(c);
    expect(max).toBeLessThanOrEqual(16 * c);
    expect(throughput(simulation, 5 * MINUTES, 15 * MINUTES)).toBeGreaterThan(0.85 * c);
  });

  it('never asks for more than 256 at a time', () => {
    const simulation = run(batching(500));
    expect(limitsBetween(simulation, MINUTES, 5 * MINUTES).max).toBe(256);
  });
});

it('falls by a third when a queue is full, once for all that were sent together', () => {
  let now = 0;
  const limit = new AdaptiveLimit(() => now);
  limit.setServers(30);
  expect(limit.current).toBe(30);
  const sample = { inputTokens: 10, outputTokens: 1, firstTokenMs: 100, totalMs: 100 };
  now = 100;
  for (let count = 0; count < 30; count += 1) limit.record({ ...sample, inFlight: 30 });
  expect(limit.current).toBe(60);
  now = 200;
  for (let count = 0; count < 20; count += 1) expect(limit.refused(50)).toBe(true);
  expect(limit.current).toBe(40);
  expect(limit.refused(0)).toBe(true);
  expect(limit.current).toBe(30);
  // It fell after these were sent; of what is sent at its least, none may be refused.
  expect(limit.refused(50)).toBe(true);
  expect(limit.refused(0)).toBe(false);
  expect(limit.current).toBe(30);
});
