import { checkLedger, migrate, openPool, readRun, type Pool } from '#libs/runs';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startLedger, TENANT, type TestLedger } from '../support/ledger.js';

let ground: TestLedger;
let pool: Pool;
let databaseUrl: string;
let databases = 0;

beforeAll(async () => {
  ground = await startLedger();
});

afterAll(async () => {
  await pool?.end();
  await ground?.stop();
});

/** A database of its own for each test. */
beforeEach(async () => {
  await pool?.end();
  databases += 1;
  await ground.pool.query(`CREATE DATABASE ledger_${databases}`);
  const url = new URL(ground.postgres.url);
  url.pathname = `/ledger_${databases}`;
  databaseUrl = url.href;
  pool = openPool({ databaseUrl, service: 'test', max: 2, onError: () => undefined });
});

it('names the first migration that a ledger lacks, also one in the middle', async () => {
  await expect(checkLedger(pool, databaseUrl)).rejects.toThrow(/lacks the migration 0001_ledger/);
  await migrate(databaseUrl);
  await checkLedger(pool, databaseUrl);
  await pool.query("DELETE FROM migrations WHERE name = '0002_tries'");
  await expect(checkLedger(pool, databaseUrl)).rejects.toThrow(/lacks the migration 0002_tries/);
});

it('refuses a ledger that has become one of a newer version, and says which', async () => {
  await migrate(databaseUrl);
  await pool.query('UPDATE ledger_level SET oldest = 99');
  await expect(checkLedger(pool, databaseUrl)).rejects.toThrow(
    /level 99 and up, and this one has 3/,
  );
});

it('takes a ledger with migrations that this version does not know, as in a rolling upgrade', async () => {
  await migrate(databaseUrl);
  await pool.query("INSERT INTO migrations (name, run_on) VALUES ('9999_later', now())");
  await expect(checkLedger(pool, databaseUrl)).resolves.toBeUndefined();
});

it('leaves nothing of a migration that fails half-way', async () => {
  // What the last one creates at its end is there already.
  await pool.query('CREATE TABLE ledger_level (other text)');
  await expect(migrate(databaseUrl)).rejects.toThrow(/ledger_level/);
  const { rows } = await pool.query("SELECT to_regclass('runs') AS runs");
  expect(rows[0]).toEqual({ runs: null });
  await pool.query('DROP TABLE ledger_level');
  await migrate(databaseUrl);
  await checkLedger(pool, databaseUrl);
});

it('lets the version before go on writing: what it accepts has all that is new', async () => {
  await migrate(databaseUrl);
  const id = uuidv7();
  await pool.query('INSERT INTO tenants (id) VALUES ($1)', [TENANT]);
  await pool.query("INSERT INTO toolsets (hash, body) VALUES ('h', '{}')");
  await pool.query(
    `INSERT INTO runs (id, tenant_id, state, version, mode, mask, toolset_name, toolset_hash, traceparent, turn, attempt,
                       due_at) VALUES ($1, $2, 'queued', 1, 'resolve', 'auto', 'desk', 'h', '', 1, 0, now())`,
    [id, TENANT],
  );
  await pool.query(
    "INSERT INTO inputs (run_id, tenant_id, messages, query) VALUES ($1, $2, '[]', 'do it')",
    [id, TENANT],
  );
  const run = await readRun(pool, TENANT, id);
  expect(run).toMatchObject({ state: 'queued', priority: 0 });
  const lifeMs = Date.parse(run?.deadline ?? '') - Date.parse(run?.createdAt ?? '');
  expect(lifeMs).toBe(86_400_000);
});
