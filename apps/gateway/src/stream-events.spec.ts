import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { ServerResponse } from 'node:http';
import type { RunEvent } from '#libs/contracts';
import type { RunNotices } from '#libs/runs';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { streamEvents } from './stream-events.js';

type Listener = Awaited<ReturnType<RunNotices['listen']>>;

/** One that is never told anything. */
const deaf: Listener = { changed: () => new Promise(() => undefined), close: () => undefined };

let fastify: FastifyInstance;
let events: RunEvent[];
let read: (after: number) => RunEvent[];
let listener: Listener;
let stopping: AbortController;
/** What the server writes to, of the latest request. */
let raw: ServerResponse | undefined;
let port: number;

beforeEach(async () => {
  events = [];
  read = (after) => events.filter(({ seq }) => seq > after);
  raw = undefined;
  listener = deaf;
  stopping = new AbortController();
  fastify = new FastifyAdapter().getInstance<FastifyInstance>();
  fastify.get('/', (request, reply) => {
    ({ raw } = reply);
    return streamEvents(reply, {
      after: Number(request.headers['last-event-id'] ?? 0),
      read: async (after) => read(after),
      listen: async () => listener,
      stopping: stopping.signal,
    });
  });
  await fastify.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = fastify.server.address() as { port: number });
});

afterEach(async () => {
  vi.useRealTimers();
  fastify.server.closeAllConnections();
  await fastify.close();
});

const event = (seq: number, type: RunEvent['type'] = 'call.settled', text = ''): RunEvent => ({
  seq,
  type,
  at: '2026-01-01T00:00:00.000Z',
  data: { text },
});

const get = (after: number): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}/`, { headers: { 'last-event-id': String(after) } });

const numbers = (text: string): number[] =>
  [...text.matchAll(/^id: (\d+)\n.*\n.*\n\n/gm)].map(([, seq]) => Number(seq));

/** A client that has asked and reads nothing yet. */
async function ask(after: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.pause();
  await once(socket, 'connect');
  socket.write(`GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nlast-event-id: ${after}\r\n\r\n`);
  return socket;
}

/** All that it is sent. */
async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  socket.resume();
  await once(socket, 'close');
  return text;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}

describe('a reader that does not read', () => {
  /** More than all the buffers between take. */
  const MANY = 64;
  const BYTES = 1 << 20;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    events = Array.from({ length: MANY }, (_, index) =>
      event(index + 1, index + 1 < MANY ? 'call.settled' : 'run.ended', 'x'.repeat(BYTES)),
    );
  });

  /** The server's side of a client that has asked and reads nothing, once that has come to a halt. */
  async function stalled(): Promise<{ socket: Socket; served: ServerResponse }> {
    const socket = await ask(0);
    await until(() => raw?.writableNeedDrain === true);
    if (!raw) throw new Error('nobody asked');
    return { socket, served: raw };
  }

  it('is cut in time, one event waiting for it at most; it comes back and misses nothing', async () => {
    const { socket, served } = await stalled();
    expect(served.writableLength + (served.socket?.writableLength ?? 0)).toBeLessThan(3 * BYTES);
    const closed = once(served, 'close');
    vi.advanceTimersByTime(30_000);
    await closed;
    const before = numbers(await readAll(socket));
    expect(before.length).toBeLessThan(MANY);
    const after = numbers(await readAll(await ask(before.at(-1) ?? 0)));
    expect([...before, ...after]).toEqual(events.map(({ seq }) => seq));
    // Who reads leaves no timer behind.
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is cut at once when the process stops', async () => {
    const { socket, served } = await stalled();
    const closed = once(served, 'close');
    stopping.abort();
    await closed;
    expect(served.writableFinished).toBe(false);
    socket.destroy();
  });
});

it('says that it is open before there is an event, and that it still is', async () => {
  let wake: (() => void) | undefined;
  const asked: unknown[] = [];
  listener = {
    ...deaf,
    changed: (...args) => {
      asked.push(args);
      return new Promise((resolve) => (wake = resolve));
    },
  };
  events = [event(1)];
  const response = await get(1);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  wake?.();
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  expect(await reader?.read()).toMatchObject({ value: ': still here\n\n' });
  events.push(event(2, 'run.ended'));
  await until(() => asked.length === 2);
  wake?.();
  expect(numbers(String((await reader?.read())?.value))).toEqual([2]);
  expect(await reader?.read()).toMatchObject({ done: true });
  expect(asked).toEqual([
    [1, 15_000],
    [1, 15_000],
  ]);
});

it('ends between two events when the process stops', async () => {
  events = [event(1), event(2)];
  listener = {
    ...deaf,
    changed: async () => {
      stopping.abort();
    },
  };
  expect(numbers(await (await get(0)).text())).toEqual([1, 2]);
});

it('has no more to give once the end was sent, even where evidence came in after it', async () => {
  events = [event(1), event(2, 'run.ended')];
  expect((await get(2)).status).toBe(204);
  events.push(event(3, 'call.evidence'));
  for (const after of [2, 3, 99]) expect((await get(after)).status).toBe(204);
  expect(numbers(await (await get(1)).text())).toEqual([2]);
});

it('streams the end to a client that has not seen it, where the run ends while the ledger is read', async () => {
  listener = { ...deaf, changed: async () => undefined };
  const all = [event(1), event(2), event(3, 'run.ended')];
  let seen = 2;
  // The first look finds nothing new; the run has ended by the next.
  read = (after) => {
    const found = all.slice(after, seen);
    seen = 3;
    return found;
  };
  expect(numbers(await (await get(2)).text())).toEqual([3]);
});
