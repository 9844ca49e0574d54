import { readdir } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { HammerlineError } from '#libs/contracts';
import { ledgerUnusable, type Pool } from './ledger/pool.js';

const MIGRATIONS_DIR = fileURLToPath(new URL('./migrations/', import.meta.url));
const MIGRATIONS_TABLE = 'migrations';

/** Brings the ledger to this version's schema. Concurrent runs wait for each other; a second run changes nothing. */
export async function migrate(databaseUrl: string): Promise<string[]> {
  // Loaded only here: every process imports this library, few migrate.
  const { runner } = await import('node-pg-migrate');
  const applied = await runner({
    databaseUrl,
    dir: MIGRATIONS_DIR,
    direction: 'up',
    migrationsTable: MIGRATIONS_TABLE,
    singleTransaction: true,
    advisoryLockMode: 'wait',
    log: () => undefined,
  });
  return applied.map(({ name }) => name);
}

/** Refuses a ledger that cannot be reached, lacks a migration, or has become one that this version cannot work with. */
export async function checkLedger(pool: Pool, databaseUrl: string): Promise<void> {
  const known = (await readdir(MIGRATIONS_DIR)).map((file) => file.replace(/\.sql$/, ''));
  let applied: Set<string>;
  try {
    const { rows } = await pool.query<{ name: string }>(`SELECT name FROM ${MIGRATIONS_TABLE}`);
    applied = new Set(rows.map(({ name }) => name));
  } catch (error) {
    const undefinedTable = error instanceof Error && 'code' in error && error.code === '42P01';
    if (!undefinedTable) throw ledgerUnusable(databaseUrl, error);
    applied = new Set();
  }
  const missing = known.filter((name) => !applied.has(name));
  if (missing.length > 0) {
    throw new HammerlineError(
      'ledger_unusable',
      `The ledger lacks the migration ${missing[0]}: run \`npm run migrate\` with its DATABASE_URL first.`,
    );
  }
  // The number of the last migration that this version knows.
  const level = Number.parseInt(known.toSorted().at(-1) ?? '', 10);
  const oldest = await oldestLevel(pool);
  if (oldest > level) {
    throw new HammerlineError(
      'ledger_unusable',
      `The ledger belongs to a newer version: it takes processes of level ${oldest} and up, and this one has ${level}. Start the newer version.`,
    );
  }
}

/** Of which version a process must at least be */
async function oldestLevel(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ oldest: number | null }>(
    'SELECT max(oldest) AS oldest FROM ledger_level',
  );
  return rows[0]?.oldest ?? 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const databaseUrl = process.env['DATABASE_URL'];
  try {
    if (!databaseUrl) throw new Error('DATABASE_URL is not set');
    if (!/^postgres(ql)?:\/\//.test(databaseUrl)) {
      throw new Error('DATABASE_URL is not a postgres:// URL');
    }
    const applied = await migrate(databaseUrl);
    console.log(applied.length > 0 ? `applied ${applied.join(', ')}` : 'the ledger is up to date');
  } catch (error) {
    const reached = databaseUrl?.startsWith('postgres');
    const line = reached
      ? ledgerUnusable(databaseUrl ?? '', error).message
      : (error as Error).message;
    console.error(`hammerline migrate: ${line}`);
    process.exitCode = 1;
  }
}
