import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Effect {
  /** The call's id, as the tool received it. */
  key: string;
  path: string;
  body: unknown;
}

/**
 * An HTTP tool that records each effect at its arrival, then answers when it is told to. It never forgets and never
 * removes duplicates, so it can tell how often a call really happened.
 */
export interface ToolServer {
  url: string;
  effects: Effect[];
  /** Holds answers back until `release`. */
  hold(): void;
  release(): void;
  /** Resolves at the arrival of the effect number `count` (1 is the first). */
  arrival(count: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startToolServer(): Promise<ToolServer> {
  const effects: Effect[] = [];
  const arrivals: { count: number; resolve: () => void }[] = [];
  let held: (() => void)[] | undefined;
  const answer = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"done":true}');
  };
  const server = createServer((request, response) => {
    const take = async (): Promise<void> => {
      const body = await readBody(request);
      effects.push({
        key: String(request.headers['idempotency-key'] ?? ''),
        path: request.url ?? '',
        body: body === '' ? null : JSON.parse(body),
      });
      for (const waiter of arrivals) if (effects.length >= waiter.count) waiter.resolve();
      if (held) held.push(() => answer(response));
      else answer(response);
    };
    void take();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    effects,
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

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
  return text;
}
