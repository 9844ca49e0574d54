import { createHash } from 'node:crypto';
import type { Pool } from './pool.js';

/** Makes sure that the tenant exists and that `key` is one of its keys. */
export async function ensureApiKey(pool: Pool, tenantId: string, key: string): Promise<void> {
  await pool.query('INSERT INTO tenants (id) VALUES ($1) ON CONFLICT DO NOTHING', [tenantId]);
  await pool.query(
    'INSERT INTO api_keys (hash, tenant_id) VALUES ($1, $2) ON CONFLICT DO NOTHING',
    [hashOf(key), tenantId],
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
