import { HammerlineError, type Run } from '#libs/contracts';
import { readRun, type Pool } from '#libs/runs';
import { validate as isUuid } from 'uuid';

/** A tenant's run. @throws HammerlineError `not_found` where there is none of this id, or it is another tenant's */
export async function findRun(pool: Pool, tenantId: string, id: string): Promise<Run> {
  const run = isUuid(id) ? await readRun(pool, tenantId, id) : undefined;
  if (run) return run;
  const why = isUuid(id) ? `There is no run ${id}.` : `${JSON.stringify(id)} is not a run id.`;
  throw new HammerlineError('not_found', `${why} GET /v1/runs lists yours.`);
}
