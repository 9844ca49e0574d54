import { createHash } from 'node:crypto';
import type { Pool } from './ledger/pool.js';

/** Keys that came from the environment carry this name; a tenant has one of them at a time. */
const CONFIGURED = 'configured';

/** Makes sure that the tenant exists and that `key` is its one configured key: an earlier one is revoked. */
export async function ensureApiKey(pool: Pool, tenantId: string, key: string): Promise<void> {
  await pool.query('INSERT INTO tenants (id) VALUES ($1) ON CONFLICT DO NOTHING', [tenantId]);
  await pool.query(
    `WITH revoked AS (
       UPDATE api_keys SET revoked_at = now()
       WHERE tenant_id = $2 AND name = $3 AND hash <> $1 AND revoked_at IS NULL
     )
     INSERT INTO api_keys (hash, tenant_id, name) VALUES ($1, $2, $3)
     ON CONFLICT (hash) DO UPDATE SET revoked_at = NULL`,
    [hashOf(key), tenantId, CONFIGURED],
  );
}

/** The tenant that `key` belongs to, or undefined. */
export async function tenantOfKey(pool: Pool, key: string): Promise<string | undefined> {
  const { rows } = await pool.query<{ tenant_id: string }>(
    'SELECT tenant_id FROM api_keys WHERE hash = $1 AND revoked_at IS NULL',
    [hashOf(key)],
  );
  return rows[0]?.tenant_id;
}

function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
