import type { RunFilter } from '#libs/contracts';
import type { Pool } from '../ledger/pool.js';

/** An id begins with the time at the gateway that made it; the run's own times are the ledger's. So far their clocks may differ. */
const CLOCKS_APART_MS = 3_600_000;
const LEAST_ID = idAt(0);
const ABOVE_ALL_IDS = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Which of a tenant's runs are looked at: ids from `from` to below `below`. The index of runs by tenant and id holds them together. */
export interface IdRange {
  from: string;
  below: string;
}

/** The ids that runs of the filter's times can have. @param before id of a run: only runs that came before it */
export function idRange(filter: RunFilter, before: string = ABOVE_ALL_IDS): IdRange {
  const { createdAfter, createdBefore } = filter;
  const below =
    createdBefore === undefined ? before : idAt(Date.parse(createdBefore) + CLOCKS_APART_MS);
  return {
    from: createdAfter === undefined ? LEAST_ID : idAt(Date.parse(createdAfter) - CLOCKS_APART_MS),
    below: below < before ? below : before,
  };
}

/**
 * The newest `most` runs of a range; no filter has more than that to sift.
 *
 * @returns the range, and whether it holds all that the given one did
 */
export async function newestOf(
  pool: Pool,
  tenantId: string,
  { from, below }: IdRange,
  most: number,
): Promise<IdRange & { isWhole: boolean }> {
  const { rows } = await pool.query<{ id: string }>(
    'SELECT id FROM runs WHERE tenant_id = $1 AND id >= $2 AND id < $3 ORDER BY id DESC OFFSET $4 LIMIT 2',
    [tenantId, from, below, most - 1],
  );
  const [last, more] = rows;
  return { from: last?.id ?? from, below, isWhole: more === undefined };
}

/** SQL: the run `r` fits the filter whose values are the parameters from number `first`. */
export function fits(first: number): string {
  const [state, callState, code, toolset, after, before] = [0, 1, 2, 3, 4, 5].map(
    (n) => `$${first + n}`,
  );
  // Not by `->>`: it fails at an error whose text holds the escape of a NUL. Within a text, quotes are escaped.
  return `(${state}::text[] IS NULL OR r.state = ANY (${state}))
    AND (${callState}::text[] IS NULL
      OR EXISTS (SELECT FROM calls f WHERE f.run_id = r.id AND f.state = ANY (${callState})))
    AND (${code}::text IS NULL OR strpos(r.error::text, ${code}) > 0)
    AND (${toolset}::text IS NULL OR r.toolset_name = ${toolset})
    AND (${after}::timestamptz IS NULL OR r.created_at >= ${after})
    AND (${before}::timestamptz IS NULL OR r.created_at < ${before})`;
}

/** The six values of `fits`. */
export function fitValues(filter: RunFilter): unknown[] {
  const { state, callState, code, toolset, createdAfter, createdBefore } = filter;
  return [
    state ?? null,
    callState ?? null,
    code === undefined ? null : `"code":"${code}"`,
    toolset ?? null,
    createdAfter ?? null,
    createdBefore ?? null,
  ];
}

/** The least id of a run that was accepted at a time, Unix milliseconds. */
function idAt(ms: number): string {
  const hex = Math.max(ms, 0).toString(16).padStart(12, '0').slice(-12);
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
