import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';
import { Announcer } from './dispatch/announcer.js';
import { Dispatcher } from './dispatch/dispatcher.js';
import type { HintQueues } from './dispatch/hint-queues.js';
import { startSweep } from './dispatch/sweep.js';
import { openLedger } from './ledger/ledger.js';
import { checkLedger } from './migrate.js';
import { openPool, type Pool } from './ledger/pool.js';
import { ProcessEpoch } from './ledger/process-epoch.js';
import { RunEngine } from './run-engine.js';
import { tenantShares } from './tenants.js';

/** A process's whole hold on the runs: everything opened together and closed together. */
export interface Runs {
  pool: Pool;
  engine: RunEngine;
  epoch: ProcessEpoch;
  dispatcher: Dispatcher;
  /** Waits for an absent Postgres no more: what would have been written is left to others, once this process is dead. */
  abandon(): void;
  close(): Promise<void>;
}

/** Joins the fleet: checks the ledger's schema, begins a heartbeat and the sweep. */
export async function openRuns(options: {
  service: string;
  databaseUrl: string;
  redis: Redis;
  queues: HintQueues;
  /** Days that ended runs are kept; undefined: for ever. */
  retentionDays?: number | undefined;
  log: Logger;
}): Promise<Runs> {
  const { service, databaseUrl, redis, queues, retentionDays, log } = options;
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
  const dispatcher = new Dispatcher({ redis, queues, shares: tenantShares(pool), log });
  const announcer = new Announcer(redis, log);
  const engine = new RunEngine({ ledger, dispatch: dispatcher, announce: announcer, log });
  const sweep = startSweep({
    pool,
    engine,
    redis: dispatcher,
    mayJudge: () => epoch.mayJudge(),
    retentionDays,
    log,
  });
  return {
    pool,
    epoch,
    engine,
    dispatcher,
    abandon: () => stopping.abort(),
    close: async () => {
      stopping.abort();
      await sweep.stop();
      await dispatcher.close();
      await epoch.stop().catch(() => undefined);
      await Promise.all([pool.end(), beatPool.end()]);
      redis.disconnect();
    },
  };
}
