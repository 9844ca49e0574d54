import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { migrate } from '#libs/runs';
import { startPostgres } from '../../scripts/postgres.mjs';
import { startRedis } from '../../scripts/redis.mjs';
import type { Server } from '../../scripts/server.mjs';

/** What all of the product stands on, in a folder of its own: a real Redis, and a real Postgres with the ledger's schema. */
export interface Servers {
  folder: string;
  postgres: Server;
  redis: Server;
  stop(): Promise<void>;
}

export async function startServers(): Promise<Servers> {
  const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-e2e-'));
  const [postgres, redis] = await Promise.all([
    startPostgres({ dir: path.join(folder, 'postgres') }),
    startRedis({ dir: path.join(folder, 'redis') }),
  ]);
  await migrate(postgres.url);
  return {
    folder,
    postgres,
    redis,
    stop: async () => {
      await Promise.all([postgres.stop(), redis.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
