import type { RunChange } from '../dispatch/channels.js';
import type { Pool } from '../ledger/pool.js';

/** How far these runs have come, as a notice would say it. Runs that are not there are left out. */
export async function readRunVersions(pool: Pool, runIds: readonly string[]): Promise<RunChange[]> {
  const { rows } = await pool.query<RunChange>({
    name: 'run-versions',
    text: `SELECT id AS "runId", version, ended_at IS NOT NULL AS "isOver" FROM runs WHERE id = ANY ($1::uuid[])`,
    values: [runIds],
  });
  return rows;
}
