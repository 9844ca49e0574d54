import { EventEmitter, on } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Run, RunEvent } from '#libs/contracts';
import type { StoredSpan } from '#libs/runs';
import { startApp } from '../../scripts/app.mjs';
import { cacheFolder } from '../../scripts/artifacts.mjs';
import type { Server } from '../../scripts/server.mjs';
import { startServers } from './servers.js';

export const API_KEY = 'hl_test_key_for_the_end_to_end_suite';

type App = 'gateway' | 'worker' | 'executor';

/** The real system on this machine: Postgres, Redis and one process of each app, in a folder of its own. */
export interface Stack {
  folder: string;
  postgres: Server;
  redis: Server;
  apps: Record<App, Server>;
  env: NodeJS.ProcessEnv;
  /** Resolves when a process has logged this message; of an app, when one of its processes next does. */
  logged(by: App | Server, message: string): Promise<void>;
  /** One more process of an app, which `stop` stops too. */
  startApp(app: App, env?: NodeJS.ProcessEnv): Promise<Server>;
  request(route: string, init?: RequestInit & { key?: string | null }): Promise<Response>;
  submit(body: object, headers?: Record<string, string>): Promise<Run>;
  /** The run once it has ended. Fails when it has not within `withinMs`. */
  ended(id: string, withinMs?: number): Promise<Run>;
  /** Resolves at the first event of this type (and onwards from `after`). */
  event(id: string, type: RunEvent['type']): Promise<RunEvent>;
  events(id: string): Promise<RunEvent[]>;
  /** The run's spans, once there are `count` of them: processes export theirs a moment after they end. */
  spans(id: string, count: number): Promise<StoredSpan[]>;
  stop(): Promise<void>;
}

/**
 * @param options.toolsets paths of toolset files or folders
 * @param options.worker added to the environment of every worker: how it reaches its model
 * @param options.prepare fills the stack's folder (`files/` is where builtin tools work) and adds to the environment
 */
export async function startStack(options: {
  toolsets: string[];
  worker?: NodeJS.ProcessEnv;
  prepare?: (folder: string) => Promise<NodeJS.ProcessEnv>;
}): Promise<Stack> {
  const servers = await startServers();
  const { folder, postgres, redis } = servers;
  const files = path.join(folder, 'files');
  mkdirSync(files);
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    HAMMERLINE_API_KEY: API_KEY,
    HAMMERLINE_TOOLSETS: options.toolsets.join(','),
    HAMMERLINE_FILES: files,
    MODEL_CACHE: cacheFolder(),
    LOG_LEVEL: 'debug',
    ...(await options.prepare?.(folder)),
  };
  /** Each line of an app's processes: `line`. */
  const linesOf: Record<App, EventEmitter> = {
    gateway: new EventEmitter(),
    worker: new EventEmitter(),
    executor: new EventEmitter(),
  };
  /** What each process has said, and says: `line`. */
  const started = new Map<Server, { said: string[]; says: EventEmitter }>();
  const start = async (app: App, extra: NodeJS.ProcessEnv = {}): Promise<Server> => {
    const process = { said: [] as string[], says: new EventEmitter() };
    const server = await startApp({
      name: app,
      script: `dist/apps/${app}/src/main.js`,
      env: { ...env, PORT: '0', ...(app === 'worker' && options.worker), ...extra },
      log: (line: string) => {
        process.said.push(line);
        process.says.emit('line', line);
        linesOf[app].emit('line', line);
      },
    });
    started.set(server, process);
    return server;
  };
  const apps = {
    gateway: await start('gateway'),
    worker: await start('worker'),
    executor: await start('executor'),
  };

  const request: Stack['request'] = (route, { key = API_KEY, headers, ...init } = {}) =>
    fetch(new URL(route, apps.gateway.url), {
      ...init,
      headers: {
        ...(key !== null && { authorization: `Bearer ${key}` }),
        ...(init.body !== undefined && { 'content-type': 'application/json' }),
        ...(headers as Record<string, string>),
      },
    });

  const stack: Stack = {
    folder,
    postgres,
    redis,
    apps,
    env,
    startApp: start,
    logged: async (by, message) => {
      const isIt = (line: unknown): boolean => String(line).includes(`"msg":"${message}"`);
      const source = typeof by === 'string' ? { said: [], says: linesOf[by] } : started.get(by);
      if (!source) throw new Error('not a process of this stack');
      if (source.said.some(isIt)) return;
      for await (const [line] of on(source.says, 'line')) if (isIt(line)) return;
    },
    request,
    submit: async (body, headers = {}) => {
      const response = await request('/v1/runs', {
        method: 'POST',
        body: JSON.stringify(body),
        headers,
      });
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
      return (await response.json()) as Run;
    },
    ended: async (id, withinMs = 60_000) => {
      for await (const event of follow(stack, id, AbortSignal.timeout(withinMs))) {
        if (event.type === 'run.ended') break;
      }
      return (await (await request(`/v1/runs/${id}`)).json()) as Run;
    },
    event: async (id, type) => {
      for await (const event of follow(stack, id, AbortSignal.timeout(60_000))) {
        if (event.type === type) return event;
      }
      throw new Error(`run ${id} ended without ${type}`);
    },
    events: async (id) => {
      const events: RunEvent[] = [];
      for await (const event of follow(stack, id, AbortSignal.timeout(60_000))) events.push(event);
      return events;
    },
    spans: async (id, count) => {
      const signal = AbortSignal.timeout(10_000);
      for (;;) {
        const { spans } = (await (await request(`/v1/runs/${id}/trace`, { signal })).json()) as {
          spans: StoredSpan[];
        };
        if (spans.length >= count) return spans;
      }
    },
    stop: async () => {
      await Promise.all([...started.keys()].map((app) => app.stop()));
      await servers.stop();
    },
  };
  return stack;
}

/** A run's events as a client sees them, resuming where a broken stream ended. */
async function* follow(stack: Stack, id: string, signal: AbortSignal): AsyncGenerator<RunEvent> {
  let last = 0;
  for (;;) {
    signal.throwIfAborted();
    try {
      const response = await stack.request(`/v1/runs/${id}/events`, {
        headers: { 'last-event-id': String(last) },
        signal,
      });
      if (response.status === 204) return;
      if (!response.ok || !response.body) throw new Error(`events: HTTP ${response.status}`);
      let text = '';
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1];
          text = text.slice(end + 2);
          if (data === undefined) continue;
          const event = JSON.parse(data) as RunEvent;
          if (event.seq !== last + 1) throw new Error(`event ${event.seq} followed ${last}`);
          last = event.seq;
          yield event;
          if (event.type === 'run.ended') return;
        }
      }
    } catch (error) {
      if (signal.aborted || (error instanceof Error && /followed/.test(error.message))) throw error;
      // The gateway or its ledger is away for a moment: ask again, as a client would.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
