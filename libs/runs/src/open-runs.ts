import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';
import type { HintQueues } from './hint-queues.js';
import { openLedger } from './ledger.js';
import { checkLedger } from './migrate.js';
import { openPool, type Pool } from './pool.js';
import { ProcessEpoch } from './process-epoch.js';
import { RunEngine } from './run-engine.js';
import { startSweep } from './sweep.js';

/** A process's whole hold on the runs: everything opened together and closed together. */
export interface Runs {
  pool: Pool;
  engine: RunEngine;
  epoch: ProcessEpoch;
  close(): Promise<void>;
}

/** Joins the fleet: checks the ledger's schema, begins a heartbeat and the sweep. */
export async function openRuns(options: {
  service: string;
  databaseUrl: string;
  redis: Redis;
  queues: HintQueues;
  log: Logger;
}): Promise<Runs> {
  const { service, databaseUrl, redis, queues, log } = options;
  const stopping = new AbortController();
  const pool = openPool({
    databaseUrl,
    service,
    onError: (error) => log.warn({ err: error.message }, 'a ledger connection was lost'),
  });
  await checkLedger(pool, databaseUrl);
  // A connection of its own: a heartbeat must not queue behind the work whose lease it is.
  const beatPool = openPool({ databaseUrl, service, max: 1, onError: () => undefined });
  const epoch = await ProcessEpoch.start(beatPool, service);
  const ledger = openLedger(pool, () => epoch.mayJudge(), stopping.signal);
  const able = (): boolean => redis.status === 'ready' && epoch.mayJudge();
  const sweep = startSweep({ pool, queues, able, log });
  return {
    pool,
    epoch,
    engine: new RunEngine(ledger, queues, redis, log),
    close: async () => {
      stopping.abort();
      await sweep.stop();
      await epoch.stop().catch(() => undefined);
      await Promise.all([pool.end(), beatPool.end()]);
      redis.disconnect();
    },
  };
}
