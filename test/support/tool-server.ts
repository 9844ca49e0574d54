import type { EventEmitter } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Effect {
  /** The call's id, as the tool received it. */
  key: string;
  method: string;
  path: string;
  body: unknown;
  /** Resolves when its answer has left. */
  answered: Promise<unknown>;
  /** Resolves when its connection is closed. */
  closed: Promise<unknown>;
}

/** An answer that is not the usual one: 200 with `{"done":true}`. */
export interface ScriptedAnswer {
  status: number;
  body?: unknown;
}

/**
 * An HTTP tool that records each effect at its arrival, then answers when it is told to. It never forgets and never
 * removes duplicates, so it can tell how often a call really happened.
 */
export interface ToolServer {
  url: string;
  effects: Effect[];
  /** What the next requests of this path are answered with. */
  script(path: string, ...answers: ScriptedAnswer[]): void;
  /** Holds answers back until `release`. */
  hold(): void;
  release(): void;
  /** Resolves at the arrival of the effect number `count` (1 is the first). */
  arrival(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** @param port 0: any that is free */
export async function startToolServer(port = 0): Promise<ToolServer> {
  const effects: Effect[] = [];
  const arrivals: { count: number; resolve: () => void }[] = [];
  let held: (() => void)[] | undefined;
  const scripts = new Map<string, ScriptedAnswer[]>();
  const answer = (response: ServerResponse, { status, body }: ScriptedAnswer): void => {
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(JSON.stringify(body ?? null));
  };
  const server = createServer((request, response) => {
    const take = async (): Promise<void> => {
      const { method = '', url: path = '' } = request;
      const answered = emitted(response, 'finish');
      const closed = emitted(request.socket, 'close');
      const body = await readBody(request);
      effects.push({
        key: String(request.headers['idempotency-key'] ?? ''),
        method,
        path,
        body: body === '' ? null : JSON.parse(body),
        answered,
        closed,
      });
      const scripted = scripts.get(path)?.shift() ?? { status: 200, body: { done: true } };
      for (const waiter of arrivals) if (effects.length >= waiter.count) waiter.resolve();
      if (held) held.push(() => answer(response, scripted));
      else answer(response, scripted);
    };
    void take();
  });
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    effects,
    script: (path, ...answers) => void scripts.set(path, answers),
    hold: () => {
      held = [];
    },
    release: () => {
      const waiting = held ?? [];
      held = undefined;
      for (const go of waiting) go();
    },
    arrival: (count) =>
      new Promise((resolve) => {
        if (effects.length >= count) resolve();
        else arrivals.push({ count, resolve });
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Unlike `once` of node:events, it never rejects: a connection that is reset is closed, too. */
function emitted(source: EventEmitter, event: string): Promise<unknown> {
  return new Promise((resolve) => source.once(event, resolve));
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
  return text;
}
