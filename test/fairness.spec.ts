import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  Gate,
  placeOf,
  type GateInput,
  type GateTimes,
  type LetThrough,
  type Ready,
} from '../libs/runs/src/dispatch/gate.js';
import { startRedis } from '../scripts/redis.mjs';
import type { Server } from '../scripts/server.mjs';
import { GateModel } from './support/gate-model.js';
import { seededRandom } from './support/seeded-random.js';

const JOBS = '{hammerline}:inference:';
const NEVER: GateTimes = { leaseMs: 600_000, sendingMs: 600_000, capacityMs: 600_000 };
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-fairness-'));
let server: Server;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis({ dir: folder });
  redis = new Redis(server.url);
});

beforeEach(() => redis.flushall());

afterAll(async () => {
  redis?.disconnect();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A gate before a queue that is as BullMQ's, as far as the gate looks at it. */
class Bench {
  readonly #times: GateTimes;

  constructor(times: Partial<GateTimes> = {}) {
    this.#times = { ...NEVER, ...times };
  }

  get gate(): Gate {
    return new Gate(redis, 'inference', this.#times);
  }

  capacity(hints: number, consumer = 'a'): Promise<LetThrough[]> {
    return this.pass({ capacity: { consumer, hints } });
  }

  add(...added: Ready[]): Promise<LetThrough[]> {
    return this.pass({ added });
  }

  async pass(input: GateInput = {}): Promise<LetThrough[]> {
    const through = await this.gate.pass(input);
    await this.put(through);
    return through;
  }

  async put(through: readonly LetThrough[]): Promise<void> {
    const commands = redis.pipeline();
    for (const { ticket, id } of through) {
      commands.hset(JOBS + ticket, 'id', id).lpush(`${JOBS}wait`, ticket);
    }
    await commands.exec();
  }

  /** The next hint of the queue, from now on in work. */
  async take(): Promise<{ id: string; ticket: string } | undefined> {
    const ticket = await redis.rpop(`${JOBS}wait`);
    if (ticket === null) return undefined;
    await redis.hset(JOBS + ticket, 'processedOn', 1);
    return { id: (await redis.hget(JOBS + ticket, 'id')) ?? '', ticket };
  }

  /** Ends what was taken, and lets more through. */
  async finish(one: { id: string; ticket: string }, cost?: number): Promise<LetThrough[]> {
    await redis.del(JOBS + one.ticket);
    return this.pass({ finished: [{ ...one, cost }] });
  }

  /** Takes and ends one hint after the other, until none comes. */
  async *drain(costOf: (id: string) => number | undefined = () => undefined) {
    for (let one = await this.take(); one; one = await this.take()) {
      yield one.id;
      await this.finish(one, costOf(one.id));
    }
  }

  async order(): Promise<string[]> {
    const order = [];
    for await (const id of this.drain()) order.push(id);
    return order;
  }

  window(): Promise<number> {
    return redis.llen(`${JOBS}wait`);
  }
}

function ready(
  id: string,
  options: Partial<Ready> & { weight?: number; cap?: number } = {},
): Ready {
  const { weight = 1, cap, ...rest } = options;
  const share = { weight, maxInWork: cap ?? null };
  return { id, tenantId: 'tenant', share, place: 0, cost: 1, body: TRACE, ...rest };
}

const ids = (through: readonly { id: string }[]): string[] => through.map(({ id }) => id);

/** Ids `NAME-0`, `NAME-1`, …, of one tenant. */
function backlog(tenantId: string, count: number, options: Parameters<typeof ready>[1] = {}) {
  return Array.from({ length: count }, (_, index) =>
    ready(`${tenantId}-${index}`, { tenantId, place: index, ...options }),
  );
}

describe('work is shared', () => {
  it('1 : 2 : 4 by cost where tenants have these weights', async () => {
    const bench = new Bench();
    const random = seededRandom(7);
    const costs = new Map<string, number>();
    for (const [tenantId, weight] of Object.entries({ one: 1, two: 2, four: 4 })) {
      const all = backlog(tenantId, 1_000, { weight }).map((one) => {
        // The heavier a tenant, the cheaper its runs: by number it would be another share.
        const cost = Math.ceil((random() * 400) / weight);
        costs.set(one.id, cost);
        return { ...one, cost };
      });
      await bench.add(...all);
    }
    await bench.capacity(4);
    const spent = { one: 0, two: 0, four: 0 };
    let taken = 0;
    for await (const id of bench.drain()) {
      const tenant = id.split('-')[0] as keyof typeof spent;
      spent[tenant] += costs.get(id) ?? 0;
      if (++taken === 900) break;
    }
    expect(spent.two / spent.one).toBeGreaterThan(1.8);
    expect(spent.two / spent.one).toBeLessThan(2.2);
    expect(spent.four / spent.one).toBeGreaterThan(3.6);
    expect(spent.four / spent.one).toBeLessThan(4.4);
  });

  it('by what it did cost, not by what was estimated', async () => {
    const bench = new Bench();
    await bench.add(...backlog('frank', 600, { cost: 10 }), ...backlog('sly', 600, { cost: 1 }));
    await bench.capacity(1);
    const spent = { frank: 0, sly: 0 };
    let taken = 0;
    for await (const id of bench.drain(() => 10)) {
      spent[id.split('-')[0] as keyof typeof spent] += 10;
      if (++taken === 400) break;
    }
    expect(spent.sly / spent.frank).toBeGreaterThan(0.9);
    expect(spent.sly / spent.frank).toBeLessThan(1.1);
  });

  it('also with a tenant that had nothing to do: it has saved up nothing', async () => {
    const bench = new Bench();
    await bench.add(...backlog('busy', 300));
    await bench.capacity(1);
    const order: string[] = [];
    for await (const id of bench.drain()) {
      order.push(id);
      if (order.length === 100) await bench.add(...backlog('late', 50));
    }
    const late = order.slice(102, 182).filter((id) => id.startsWith('late'));
    expect(late.length).toBeGreaterThanOrEqual(39);
    expect(late.length).toBeLessThanOrEqual(41);
  });

  it('with what a tenant owes, though its last run has ended', async () => {
    const bench = new Bench();
    await bench.add(...backlog('other', 100), ready('dear', { tenantId: 'dear' }));
    await bench.capacity(1);
    const order: string[] = [];
    for await (const id of bench.drain((one) => (one === 'dear' ? 40 : undefined))) {
      order.push(id);
      if (order.at(-2) === 'dear') await bench.add(ready('dear-2', { tenantId: 'dear' }));
    }
    expect(order.indexOf('dear-2') - order.indexOf('dear')).toBeGreaterThan(30);
  });
});

it('the time of all never runs back, though one was charged too much', async () => {
  const bench = new Bench();
  await bench.add(...backlog('a', 5, { cost: 10 }), ...backlog('b', 5, { cost: 100 }));
  await bench.capacity(1);
  const follow = async (cost?: number): Promise<string[]> => {
    const one = await bench.take();
    return ids(one ? await bench.finish(one, cost) : []);
  };
  expect(await follow()).toEqual(['a-1']);
  expect(await follow(1)).toEqual(['b-1']);
  await bench.add(...backlog('c', 5, { cost: 10 }));
  expect([await follow(), await follow(), await follow()].flat()).toEqual(['c-0', 'a-2', 'c-1']);
});

it('beside a backlog of 100,000 runs a light tenant waits for no more than the window, and an urgent run goes first', async () => {
  const memory = async (): Promise<number> =>
    Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
  const bench = new Bench();
  const empty = await memory();
  for (let page = 0; page < 100; page++) {
    const deadlineAtMs = 1_800_000_000_000 + page;
    const place = placeOf({ turn: 1, priority: 0, deadlineAtMs });
    const one = (): Ready => ready(uuidv7(), { tenantId: 'heavy', place, cost: 812 });
    await bench.add(...Array.from({ length: 1_000 }, one));
  }
  const bytes = (await memory()) - empty;
  expect(bytes / 100_000).toBeLessThanOrEqual(300);
  await bench.capacity(4);
  const window = await bench.window();
  expect(window).toBe(8);
  const urgent = placeOf({ turn: 1, priority: 9, deadlineAtMs: 1_900_000_000_000 });
  await bench.add(
    ready('light', { tenantId: 'light', cost: 900 }),
    ready('urgent', { tenantId: 'heavy', cost: 900, place: urgent }),
  );
  const order: string[] = [];
  for await (const id of bench.drain()) {
    order.push(id);
    if (id === 'urgent') break;
  }
  expect(order.indexOf('light')).toBeLessThanOrEqual(window);
  expect(order.indexOf('urgent')).toBeLessThanOrEqual(window + 1);
});

it('of one tenant: later turns first, then priority, then deadline, then number', async () => {
  const bench = new Bench();
  const places = {
    later: { turn: 2, priority: 0, deadlineAtMs: 9 },
    urgent: { turn: 1, priority: 9, deadlineAtMs: 9 },
    soon: { turn: 1, priority: 1, deadlineAtMs: 1 },
    'then-1': { turn: 1, priority: 1, deadlineAtMs: 2 },
    'then-2': { turn: 1, priority: 1, deadlineAtMs: 2 },
    overdue: { turn: 1, priority: 0, deadlineAtMs: -5 },
    endless: { turn: 1, priority: 0, deadlineAtMs: Number.MAX_SAFE_INTEGER },
  };
  const all = Object.entries(places).map(([id, work]) => ready(id, { place: placeOf(work) }));
  await bench.add(...all.toReversed());
  await bench.capacity(1);
  expect(await bench.order()).toEqual(Object.keys(places));
});

describe('a tenant with a cap', () => {
  const capped = (count: number, cap = 2): Ready[] => backlog('capped', count, { cap });

  it('never has more in the queue and in work than that, and holds up nobody', async () => {
    const bench = new Bench();
    await bench.capacity(10);
    await bench.add(...capped(6), ...backlog('free', 6));
    const [one, two, ...others] = [await bench.take(), await bench.take(), await bench.take()];
    expect(await bench.window()).toBe(8 - 3);
    expect(ids(await bench.pass())).toEqual([]);
    const first = [one, two, ...others].find((taken) => taken?.id.startsWith('capped'));
    if (!first) throw new Error('none of the capped tenant was let through');
    expect(ids(await bench.finish(first))).toEqual(['capped-2']);
    expect(ids(await bench.pass())).toEqual([]);
  });

  it('has them all done, one after the other', async () => {
    const bench = new Bench();
    await bench.capacity(10);
    await bench.add(...capped(20, 1));
    expect(await bench.order()).toEqual(ids(capped(20)));
  });

  it('gets a place back that nobody gave back in time', async () => {
    const bench = new Bench({ leaseMs: 30 });
    await bench.capacity(10);
    expect(ids(await bench.add(...capped(3, 1)))).toEqual(['capped-0']);
    await expect.poll(async () => ids(await bench.capacity(10))).toEqual(['capped-1']);
  });

  it('gets the place back of a run whose holder died, when that is offered again', async () => {
    const bench = new Bench();
    await bench.capacity(10);
    await bench.add(...capped(2, 1));
    const dead = await bench.take();
    const [again] = await bench.add(...capped(1, 1));
    expect(again?.id).toBe('capped-0');
    // The first holder comes back from the dead: that is not the second one's lease.
    await bench.pass({ finished: dead ? [dead] : [] });
    expect(ids(await bench.pass())).toEqual([]);
    const second = await bench.take();
    expect(ids(await bench.finish(second ?? { id: '', ticket: '' }))).toEqual(['capped-1']);
  });

  it('may have more when the cap is raised, and any number when it is lifted', async () => {
    const bench = new Bench();
    await bench.capacity(10);
    expect(await bench.add(...capped(9, 1))).toHaveLength(1);
    expect(await bench.add(...capped(10, 3).slice(9))).toHaveLength(2);
    expect(await bench.add(...backlog('capped', 11).slice(10))).toHaveLength(8);
  });
});

describe('the window', () => {
  it('is never exceeded, however many processes refill it at once', async () => {
    const bench = new Bench();
    await bench.capacity(3);
    const others = [1, 2, 3].map(() => new Redis(server.url));
    const gates = others.map((other) => new Gate(other, 'inference', NEVER));
    const work = backlog('tenant', 300);
    const seen: number[] = [];
    let taken = 0;
    await Promise.all(
      gates.map(async (gate, index) => {
        const mine = work.slice(index * 100, index * 100 + 100);
        for (let at = 0; at < mine.length; at += 5) {
          const through = await gate.pass({ added: mine.slice(at, at + 5) });
          // The others ask while these are on their way.
          await others[index]?.ping();
          await bench.put(through);
          seen.push(await bench.window());
          const one = at % 3 === 0 ? undefined : await bench.take();
          if (!one) continue;
          taken += 1;
          await bench.finish(one);
        }
      }),
    );
    for (const other of others) other.disconnect();
    expect(Math.max(...seen)).toBe(6);
    expect(await bench.order()).toHaveLength(work.length - taken);
  });

  it('is twice what the consumers can have in work together, and nothing while they can have none', async () => {
    const bench = new Bench();
    await bench.add(...backlog('tenant', 50));
    expect(await bench.window()).toBe(0);
    await bench.capacity(2, 'a');
    expect(await bench.window()).toBe(4);
    await bench.capacity(3, 'b');
    expect(await bench.window()).toBe(10);
    await bench.capacity(0, 'a');
    await bench.capacity(0, 'b');
    const one = await bench.take();
    expect(one && (await bench.finish(one))).toEqual([]);
    expect(await bench.window()).toBe(9);
  });

  it('shrinks when a consumer says nothing more', async () => {
    const bench = new Bench({ capacityMs: 30 });
    await bench.capacity(50, 'crashed');
    await expect
      .poll(async () => {
        await bench.capacity(1, 'alive');
        return redis.hget('{hammerline}:gate:inference', 'capacity');
      })
      .toBe('1');
    await bench.add(...backlog('tenant', 5));
    expect(await bench.window()).toBe(2);
  });
});

describe('an id', () => {
  it('waits once, however often it is offered: in the gate, on its way and in the queue', async () => {
    const bench = new Bench();
    const work = backlog('tenant', 4);
    await bench.add(...work);
    await bench.add(...work);
    expect(await bench.gate.waiting()).toBe(4);
    const through = await bench.gate.pass({ capacity: { consumer: 'a', hints: 1 } });
    expect(ids(through)).toEqual(['tenant-0', 'tenant-1']);
    await bench.add(...work);
    await bench.put(through);
    await bench.add(...work);
    expect(await bench.gate.waiting()).toBe(2);
    expect(await bench.order()).toEqual(ids(work));
    expect(await bench.gate.waiting()).toBe(0);
  });

  it('may wait again once it was taken', async () => {
    const bench = new Bench();
    await bench.capacity(1);
    await bench.add(ready('one'));
    await bench.take();
    expect(ids(await bench.add(ready('one')))).toEqual(['one']);
  });

  it('that was let through and did not come to the queue is let through when it is offered again', async () => {
    const bench = new Bench({ sendingMs: 30 });
    await bench.capacity(1);
    const [lost] = await bench.gate.pass({ added: [ready('one')] });
    expect(lost?.id).toBe('one');
    await expect.poll(async () => ids(await bench.add(ready('one')))).toEqual(['one']);
    expect(await bench.order()).toEqual(['one']);
  });

  it('comes out with the body that it went in with', async () => {
    const bench = new Bench();
    await bench.capacity(4);
    const through = await bench.add(
      ready('a'),
      ready('b', { body: '' }),
      ready('c', { body: 'x y' }),
    );
    expect(through.map(({ body }) => body)).toEqual([TRACE, '', 'x y']);
  });
});

it('leaves nothing behind but its state when all is done', async () => {
  const bench = new Bench();
  await bench.capacity(3);
  await bench.add(...backlog('capped', 20, { cap: 2 }), ...backlog('free', 20, { weight: 3 }));
  expect(await bench.order()).toHaveLength(40);
  await bench.capacity(0);
  expect((await redis.keys('*')).toSorted()).toEqual([
    '{hammerline}:gate:inference',
    '{hammerline}:gate:inference:idle',
  ]);
});

it('does what a simple model does, whatever comes in whichever order', async () => {
  const tenants = ['ann', 'bob', 'cid'];
  const added = fc.array(
    fc.record({
      number: fc.nat(11),
      tenant: fc.nat(2),
      place: fc.nat(3),
      cost: fc.integer({ min: 1, max: 20 }),
    }),
    { maxLength: 6 },
  );
  const step = fc.oneof(
    fc.record({ does: fc.constant('add' as const), added }),
    fc.record({ does: fc.constant('put' as const) }),
    fc.record({ does: fc.constant('take' as const), count: fc.integer({ min: 1, max: 3 }) }),
    fc.record({
      does: fc.constant('finish' as const),
      which: fc.nat(),
      cost: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
    }),
    fc.record({
      does: fc.constant('announce' as const),
      consumer: fc.constantFrom('a', 'b'),
      hints: fc.nat(4),
    }),
    fc.record({
      does: fc.constant('share' as const),
      tenant: fc.nat(2),
      weight: fc.constantFrom(1, 2, 3, 4),
      maxInWork: fc.constantFrom(null, 1, 2),
    }),
  );
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 30, maxLength: 80 }),
    async (steps) => {
      await redis.flushall();
      const bench = new Bench();
      const model = new GateModel();
      const shares = tenants.map(() => ({ weight: 1, maxInWork: null as number | null }));
      /** By the model's ticket, what was let through under which ticket of the gate. */
      const handed: { id: string; ticket: string }[] = [];
      const modelTicket = (ticket: string): number =>
        handed.findIndex((one) => one.ticket === ticket);
      const onTheWay: LetThrough[] = [];
      const inWork: { id: string; ticket: string }[] = [];

      const pass = async ({ finished = [], ...input }: GateInput): Promise<void> => {
        const through = await bench.gate.pass({ ...input, finished });
        const known = finished.map((one) => ({ ...one, ticket: String(modelTicket(one.ticket)) }));
        const expected = model.pass({ ...input, finished: known });
        expect(ids(through)).toEqual(ids(expected));
        handed.push(...through);
        onTheWay.push(...through);
        expect(await bench.gate.waiting()).toBe(model.waiting);
        for (const tenantId of tenants) {
          const leases = await redis.zcard(`{hammerline}:gate:inference:leases:${tenantId}`);
          expect(leases).toBe(model.leasesOf(tenantId));
        }
      };

      const put = async (): Promise<void> => {
        await bench.put(onTheWay);
        for (const { ticket } of onTheWay.splice(0)) {
          model.sending.delete(modelTicket(ticket));
          model.wait.push(modelTicket(ticket));
        }
      };

      const take = async (): Promise<void> => {
        const taken = await bench.take();
        if (taken) inWork.push(taken);
        expect(taken && modelTicket(taken.ticket)).toBe(model.wait.shift());
      };

      for (const one of steps) {
        if (one.does === 'announce') {
          await pass({ capacity: one });
        } else if (one.does === 'share') {
          const { weight, maxInWork } = one;
          shares[one.tenant] = { weight, maxInWork };
        } else if (one.does === 'put') {
          await put();
        } else if (one.does === 'take') {
          for (let count = 0; count < one.count; count++) await take();
        } else if (one.does === 'finish') {
          const [finished] = inWork.splice(one.which % Math.max(inWork.length, 1), 1);
          if (finished) {
            await redis.del(JOBS + finished.ticket);
            await pass({ finished: [{ ...finished, cost: one.cost }] });
          }
        } else {
          const work = one.added.map(({ number, tenant, place, cost }) => {
            const tenantId = tenants[tenant] ?? '';
            const share = shares[tenant] ?? { weight: 1, maxInWork: null };
            return ready(`${tenantId}-${number}`, { tenantId, share, place, cost });
          });
          await pass({ added: work });
        }
      }
    },
  );
  await fc.assert(property, { numRuns: 200, interruptAfterTimeLimit: 60_000 });
});
