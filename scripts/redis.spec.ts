import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { artifactPath, VALKEY } from './artifacts.mjs';
import { installedRedis, startRedis } from './redis.mjs';
import type { Server } from './server.mjs';

// Set-up fetches no server where REDIS_URL names one.
describe.skipIf(!installedRedis() && !existsSync(artifactPath(VALKEY)))('startRedis', () => {
  let dir: string;
  let server: Server;

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'redis-'));
    server = await startRedis({ dir });
  });

  afterAll(async () => {
    await server.stop();
    await rm(dir, { recursive: true });
  });

  async function withClient<T>(use: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(server.url, { retryStrategy: () => null });
    client.on('error', () => {});
    try {
      return await use(client);
    } finally {
      client.disconnect();
    }
  }

  it('evicts nothing and protects itself', async () => {
    const config = await withClient((client) =>
      client.config('GET', 'maxmemory-policy', 'bind', 'protected-mode', 'appendonly'),
    );
    expect(config).toEqual(expect.arrayContaining(['noeviction', '127.0.0.1', 'yes']));
  });

  it('keeps what was written when it is stopped, and when it is killed', async () => {
    await withClient((client) => client.set('a', '1'));
    await server.restart();
    await withClient(async (client) => {
      // As it is set, a kill may take the last second; what is tested is that the file is read again.
      await client.config('SET', 'appendfsync', 'always');
      await client.set('b', '2');
    });
    await server.kill();
    await server.restart();
    expect(await withClient((client) => client.mget('a', 'b'))).toEqual(['1', '2']);
  });

  it('says in one line that its port is taken', async () => {
    const other = await mkdtemp(path.join(tmpdir(), 'redis-'));
    const port = Number(new URL(server.url).port);
    await expect(startRedis({ dir: other, port })).rejects.toThrow(`Redis: port ${port} is in use`);
    await rm(other, { recursive: true });
  });
});
