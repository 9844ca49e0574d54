import type { RunRecord } from '../reducer/index.js';
import type { Pool } from './pool.js';
import { runRecord } from './run-rows.js';

/** These runs as they are, each with the calls of its present turn; undefined where there is none of that id. */
export async function loadRuns(
  pool: Pool,
  runIds: readonly string[],
  mayJudge: boolean,
): Promise<(RunRecord | undefined)[]> {
  const { rows } = await pool.query<{ run: RunRecord }>({
    name: 'load-runs',
    text: `SELECT ${runRecord('$2::boolean')} AS run FROM runs r WHERE r.id = ANY ($1::uuid[])`,
    values: [runIds, mayJudge],
  });
  const byId = new Map(rows.map(({ run }) => [run.id, run]));
  return runIds.map((id) => byId.get(id));
}
