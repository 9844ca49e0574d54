import { HammerlineError } from '#libs/contracts';
import pg from 'pg';

export type Pool = pg.Pool;

/**
 * All statements find few rows by an index. Without this, one that is prepared while the tables are small is planned to read
 * them whole, and goes on to until the next ANALYZE, however large they have become.
 */
const PLAN_BY_INDEX =
  'SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off';

/** A pool on the ledger. Lost connections are replaced; `onError` hears of those that die idle. */
export function openPool(options: {
  databaseUrl: string;
  service: string;
  max?: number;
  onError: (error: Error) => void;
}): Pool {
  const pool = new pg.Pool({
    connectionString: options.databaseUrl,
    application_name: `hammerline-${options.service}`,
    max: options.max ?? 8,
    connectionTimeoutMillis: 5_000,
    // A half-open connection would otherwise hold its caller until TCP gives up, a quarter of an hour.
    query_timeout: 10_000,
    keepAlive: true,
    onConnect: (client) => client.query(PLAN_BY_INDEX),
  });
  pool.on('error', options.onError);
  return pool;
}

/** SQLSTATE classes of what is wrong with a statement or its data, and no passing state of the server. */
const FINAL = /^(0A|22|23|42(?!501)|54)/;

/**
 * Postgres is away, restarting, failing over, full, overloaded or lets nobody in for now: the same statement may succeed
 * later. As opposed to one that it will always refuse.
 */
export function isLedgerAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  if (error instanceof pg.DatabaseError) return !FINAL.test(code);
  // Of the system: no connection, or a broken one.
  if (/^E[A-Z_]+$/.test(code) && !code.startsWith('ERR_')) return true;
  return /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error)/.test(
    error.message,
  );
}

/** Host, port and database of a URL, for messages: never the password. */
function describeDatabase(databaseUrl: string): string {
  const url = URL.parse(databaseUrl);
  return url ? `${url.host}${url.pathname}` : 'DATABASE_URL';
}

/** Any failure to use the ledger at start-up, as one line with its mend. */
export function ledgerUnusable(databaseUrl: string, error: unknown): HammerlineError {
  const reason =
    error instanceof AggregateError
      ? error.errors.map(String).join('; ')
      : error instanceof Error
        ? error.message
        : String(error);
  return new HammerlineError(
    'ledger_unusable',
    `Postgres at ${describeDatabase(databaseUrl)} cannot be used: ${reason}. Check that it runs and that DATABASE_URL is right.`,
    { cause: error },
  );
}
