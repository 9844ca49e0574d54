import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { migrate } from '#libs/runs';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cacheFolder } from '../scripts/artifacts.mjs';
import { startPostgres } from '../scripts/postgres.mjs';
import { run } from '../scripts/process.mjs';
import { startRedis } from '../scripts/redis.mjs';
import type { Server } from '../scripts/server.mjs';

const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-start-'));
let postgres: Server;
let redis: Server;
let good: NodeJS.ProcessEnv;

beforeAll(async () => {
  [postgres, redis] = await Promise.all([
    startPostgres({ dir: path.join(folder, 'postgres') }),
    startRedis({ dir: path.join(folder, 'redis') }),
  ]);
  await migrate(postgres.url);
  good = {
    PATH: process.env['PATH'],
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    HAMMERLINE_API_KEY: 'hl_a_key_for_this_test',
    HAMMERLINE_TOOLSETS: 'examples/office',
    HAMMERLINE_FILES: folder,
    MODEL_CACHE: cacheFolder(),
    PORT: '0',
  };
});

afterAll(async () => {
  await Promise.all([postgres?.stop(), redis?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

/** Starts an app that must refuse to start; returns what it said on stderr. */
async function refusal(app: string, change: NodeJS.ProcessEnv): Promise<string> {
  const said: string[] = [];
  const { code } = await run(process.execPath, [`dist/apps/${app}/src/main.js`], {
    env: { ...good, ...change },
    onLine: (text: string, stream: string) => {
      if (stream === 'stderr') said.push(text);
    },
  });
  expect(code).toBe(1);
  return said.join('\n');
}

const file = (name: string, content: unknown): string => {
  const target = path.join(folder, name);
  writeFileSync(target, typeof content === 'string' ? content : JSON.stringify(content));
  return target;
};

it.each<[string, string, () => NodeJS.ProcessEnv, RegExp]>([
  [
    'every variable that is missing or wrong',
    'gateway',
    () => ({ DATABASE_URL: '', REDIS_URL: 'http://x', HAMMERLINE_API_KEY: 'short' }),
    /^hammerline gateway: DATABASE_URL is not set; REDIS_URL is not valid .*; HAMMERLINE_API_KEY is not valid .*$/,
  ],
  [
    'a database that cannot be reached, without its password',
    'executor',
    () => ({ DATABASE_URL: 'postgres://user:secret@127.0.0.1:1/ledger' }),
    /^hammerline executor: Postgres at 127\.0\.0\.1:1\/ledger cannot be used: .*ECONNREFUSED(?!.*secret).*DATABASE_URL.*$/,
  ],
  [
    'a Redis that cannot be reached',
    'worker',
    () => ({ REDIS_URL: 'redis://127.0.0.1:1' }),
    /^hammerline worker: Redis at 127\.0\.0\.1:1 cannot be reached: .*REDIS_URL.*$/,
  ],
  [
    'a missing model file',
    'worker',
    () => ({ MODEL: path.join(folder, 'none.gguf') }),
    /^hammerline worker: .*none\.gguf.*MODEL.*$/,
  ],
  [
    'a corrupt model file',
    'worker',
    () => ({ MODEL: file('corrupt.gguf', 'GGUF but not really') }),
    /^hammerline worker: .*corrupt\.gguf.*MODEL.*$/,
  ],
  [
    'a default model that is not what it should be',
    'worker',
    () => ({ MODEL_CACHE: path.dirname(file('SmolLM2-135M-Instruct.Q4_1.gguf', 'damaged')) }),
    /^hammerline worker: .*SmolLM2-135M-Instruct\.Q4_1\.gguf.*npm start.*$/,
  ],
  [
    'an unknown runtime',
    'worker',
    () => ({ RUNTIME: 'vllm' }),
    /^hammerline worker: RUNTIME is not valid .*embedded.*$/,
  ],
  [
    'a runtime without the address of its server',
    'worker',
    () => ({ RUNTIME: 'triton' }),
    /^hammerline worker: TRITON_URL is not set: .*grpc:\/\/.*$/,
  ],
  [
    'a toolset file that is not JSON',
    'gateway',
    () => ({ HAMMERLINE_TOOLSETS: file('broken.json', '{') }),
    /^hammerline gateway: .*broken\.json.*$/,
  ],
  [
    'a tool of an unknown kind',
    'gateway',
    () => ({
      HAMMERLINE_TOOLSETS: file('odd.json', {
        name: 'odd',
        version: '1',
        tools: [{ name: 'f', description: 'd', parameters: {}, executor: { kind: 'magic' } }],
      }),
    }),
    /^hammerline gateway: .*odd\.json.*executor.*$/,
  ],
])('%s: one readable line', async (_what, app, change, line) => {
  expect(await refusal(app, change())).toMatch(line);
});

it('a Redis that evicts keys: one readable line', async () => {
  const client = new Redis(redis.url);
  await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  expect(await refusal('gateway', {})).toMatch(
    /^hammerline gateway: Redis at \S+ evicts keys \(maxmemory-policy allkeys-lru\): .*noeviction.*$/,
  );
  await client.config('SET', 'maxmemory-policy', 'noeviction');
  client.disconnect();
});

it('a port in use: one readable line', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => {
    server.once('listening', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  for (const app of ['gateway', 'executor']) {
    expect(await refusal(app, { PORT: String(port) })).toMatch(
      new RegExp(`^hammerline ${app}: port ${port} is in use: .*PORT.*$`),
    );
  }
  server.close();
});

it('a ledger without its schema: one readable line', async () => {
  const fresh = await startPostgres({ dir: path.join(folder, 'fresh') });
  expect(await refusal('gateway', { DATABASE_URL: fresh.url })).toMatch(
    /^hammerline gateway: The ledger lacks the migration 0001_ledger: run `npm run migrate`.*$/,
  );
  await fresh.stop();
});
