import type { Pool } from './pool.js';

/** Deletes runs that ended more than `days` ago, with all that belongs to them. @param limit most of them at a time */
export async function deleteEnded(pool: Pool, days: number, limit: number): Promise<number> {
  const { rows } = await pool.query<{ id: string; traceparent: string; toolset: string }>({
    name: 'find-old-runs',
    text: `SELECT id, traceparent, toolset_hash AS toolset FROM runs WHERE ended_at < now() - $1 * interval '1 day' ORDER BY ended_at LIMIT $2`,
    values: [days, limit],
  });
  if (rows.length === 0) return 0;
  const ids = rows.map(({ id }) => id);
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    // First, as whoever changes a run locks it first.
    await client.query('SELECT FROM runs WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE', [
      ids,
    ]);
    for (const table of ['events', 'calls', 'inputs', 'idempotency_keys']) {
      await client.query(`DELETE FROM ${table} WHERE run_id = ANY ($1::uuid[])`, [ids]);
    }
    await client.query('DELETE FROM spans WHERE trace_id = ANY ($1::text[])', [
      rows.map(({ traceparent }) => traceparent.split('-')[1] ?? ''),
    ]);
    await client.query('DELETE FROM runs WHERE id = ANY ($1::uuid[])', [ids]);
    await client.query(
      `DELETE FROM toolsets t WHERE hash = ANY ($1::text[])
         AND NOT EXISTS (SELECT FROM runs r WHERE r.toolset_hash = t.hash)`,
      [rows.map(({ toolset }) => toolset)],
    );
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
  return ids.length;
}
