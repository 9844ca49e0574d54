import { LRUCache } from 'lru-cache';
import type { Pool } from './ledger/pool.js';

/** What a tenant may use beside others. */
export interface Share {
  /** From 1 to 1,000: where two tenants wait, work is shared in proportion. */
  weight: number;
  /** Most turns, and most calls, in work at once; null: any number. */
  maxInWork: number | null;
}

const DEFAULT_SHARE: Share = { weight: 1, maxInWork: null };
/** A change of a share is noticed with the next work of the tenant after this time. */
const CACHE_MS = 10_000;

/**
 * Tells the share of a tenant. It is read again every ten seconds, for which nobody waits. Where the ledger is away, it is
 * as it was, or the default.
 */
export function tenantShares(pool: Pool): (tenantId: string) => Promise<Share> {
  const shares = new LRUCache<string, Share>({
    max: 10_000,
    ttl: CACHE_MS,
    allowStale: true,
    allowStaleOnFetchRejection: true,
    fetchMethod: async (tenantId) => {
      const { rows } = await pool.query<Share>({
        name: 'tenant-share',
        text: 'SELECT weight, max_in_work AS "maxInWork" FROM tenants WHERE id = $1',
        values: [tenantId],
      });
      return rows[0] ?? DEFAULT_SHARE;
    },
  });
  return async (tenantId) => (await shares.fetch(tenantId).catch(() => undefined)) ?? DEFAULT_SHARE;
}
