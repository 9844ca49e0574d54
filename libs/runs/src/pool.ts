import { HammerlineError } from '#libs/contracts';
import pg from 'pg';

export type Pool = pg.Pool;

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
    keepAlive: true,
  });
  pool.on('error', options.onError);
  return pool;
}

/** Postgres is away (refused, reset, restarting), as opposed to refusing what it was asked. */
export function isLedgerAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  return (
    /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_)/.test(code) ||
    // connection_exception, operator intervention (shutdown, crash, cannot_connect_now), too_many_connections
    /^(08|57P0|53300)/.test(code) ||
    /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/.test(
      error.message,
    )
  );
}

/** Host, port and database of a URL, for messages: never the password. */
export function describeDatabase(databaseUrl: string): string {
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
