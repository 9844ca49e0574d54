import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Budget } from '#libs/contracts';
import {
  checkLedger,
  ensureApiKey,
  migrate,
  openPool,
  type Ledger,
  type NewRun,
  type PlannedCall,
  type Pool,
  type RunInput,
} from '#libs/runs';
import { v7 as uuidv7 } from 'uuid';
import { openLedger } from '../../libs/runs/src/ledger/ledger.js';
import { startPostgres } from '../../scripts/postgres.mjs';
import type { Server } from '../../scripts/server.mjs';

export const TENANT = 'default';

/** A real Postgres with the ledger's schema and two tenants, `default` and `other`. */
export interface TestLedger {
  postgres: Server;
  /** Of the test itself. */
  pool: Pool;
  /** The ledger as one more process has it, with connections of its own. */
  open(mayJudge?: () => boolean): { ledger: Ledger; pool: Pool };
  stop(): Promise<void>;
}

export async function startLedger(): Promise<TestLedger> {
  const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-ledger-'));
  const postgres = await startPostgres({ dir: folder });
  const pools: Pool[] = [];
  const openPoolOf = (max: number): Pool => {
    const databaseUrl = postgres.url;
    const pool = openPool({ databaseUrl, service: 'test', max, onError: () => undefined });
    pools.push(pool);
    return pool;
  };
  const pool = openPoolOf(20);
  // Two gateways that start at once must both get through.
  await Promise.all([migrate(postgres.url), migrate(postgres.url)]);
  await checkLedger(pool, postgres.url);
  await ensureApiKey(pool, TENANT, 'key-of-default');
  await ensureApiKey(pool, 'other', 'key-of-other');
  return {
    postgres,
    pool,
    open: (mayJudge = () => false) => {
      const own = openPoolOf(4);
      return { ledger: openLedger(own, mayJudge, new AbortController().signal), pool: own };
    },
    stop: async () => {
      await Promise.all(pools.map((one) => one.end()));
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Does `work` while nothing but a commit that waits for it brings the log to the disk, and hands it a look at whether all of
 * the log is there.
 */
export async function withoutWalWriter<T>(
  pool: Pool,
  work: (isFlushed: () => Promise<boolean>) => Promise<T>,
): Promise<T> {
  const { rows } = await pool.query<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE backend_type IN ('walwriter', 'background writer', 'checkpointer')",
  );
  const pids = rows.map(({ pid }) => pid);
  if (pids.length !== 3) throw new Error('who writes the log is not found');
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  try {
    return await work(async () => {
      const { rows: seen } = await pool.query<{ flushed: boolean }>(
        'SELECT pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn() AS flushed',
      );
      return seen[0]?.flushed ?? true;
    });
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT');
  }
}

export function newRun(over: Partial<NewRun> = {}): NewRun {
  return {
    id: uuidv7(),
    tenantId: TENANT,
    mode: 'execute',
    until: 'calls',
    budget: Budget.parse({}),
    mask: 'auto',
    priority: 0,
    cost: 1,
    expiresInS: 3_600,
    toolset: { name: 'desk', hash: 'h1', body: { tools: [] } },
    messages: [{ role: 'user', content: 'do it' }],
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    ...over,
  };
}

export function plannedCall(over: Partial<PlannedCall> = {}): PlannedCall {
  return {
    id: uuidv7(),
    name: 't',
    arguments: { b: 1, a: 2 },
    effect: 'idempotent',
    approval: 'never',
    hasProbe: false,
    ...over,
  };
}

/** That a turn came to these calls; without any, that no tool fits. */
export function resolveTurn(token: string, calls: PlannedCall[]): RunInput {
  const answer =
    calls.length > 0
      ? { outcome: 'calls' as const, calls }
      : { outcome: 'irrelevant' as const, text: '' };
  const confident = { model: 'm', confidence: 1, confidenceThreshold: 0, tokens: 7 };
  return { type: 'turn.resolve', token, ...confident, answer };
}

/** A run whose turn resolved to these calls; returns its id. */
export async function executing(ledger: Ledger, calls: PlannedCall[]): Promise<string> {
  const run = newRun();
  await ledger.accept(run);
  const token = uuidv7();
  await ledger.apply(run.id, { type: 'turn.claim', holder: uuidv7(), token });
  await ledger.apply(run.id, resolveTurn(token, calls));
  return run.id;
}
