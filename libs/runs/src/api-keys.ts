import { createHash } from 'node:crypto';
import { HammerlineError } from '#libs/contracts';
import type { Pool } from './ledger/pool.js';

/** Keys that came from the environment carry this name; a tenant has one of them at a time. */
const CONFIGURED = 'configured';

/** Makes sure that the tenant exists and that `key` is its one configured key: an earlier one is revoked. */
export async function ensureApiKey(pool: Pool, tenantId: string, key: string): Promise<void> {
  await pool.query('INSERT INTO tenants (id) VALUES ($1) ON CONFLICT DO NOTHING', [tenantId]);
  const { rowCount } = await pool.query(
    `WITH revoked AS (
       UPDATE api_keys SET revoked_at = now()
       WHERE tenant_id = $2 AND name = $3 AND hash <> $1 AND revoked_at IS NULL
     )
     INSERT INTO api_keys (hash, tenant_id, name) VALUES ($1, $2, $3)
     ON CONFLICT (hash) DO UPDATE SET revoked_at = NULL WHERE api_keys.tenant_id = $2`,
    [hashOf(key), tenantId, CONFIGURED],
  );
  if (rowCount === 0) {
    const message = `The API key of the tenant ${tenantId} belongs to another one. Give each tenant a key of its own.`;
    throw new HammerlineError('config_invalid', message);
  }
}

/** Whose a key is, and what it is called: what was decided with it is told under that name. */
export interface KeyOwner {
  tenantId: string;
  keyName: string;
}

/** Whom `key` belongs to; undefined: nobody, or nobody any more. */
export async function tenantOfKey(pool: Pool, key: string): Promise<KeyOwner | undefined> {
  const { rows } = await pool.query<KeyOwner>(
    `SELECT k.tenant_id AS "tenantId", k.name AS "keyName" FROM api_keys k JOIN tenants t ON t.id = k.tenant_id
     WHERE k.hash = $1 AND k.revoked_at IS NULL AND t.deleted_at IS NULL`,
    [hashOf(key)],
  );
  return rows[0];
}

function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
