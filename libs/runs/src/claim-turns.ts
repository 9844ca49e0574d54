import type { Message } from '#libs/contracts';
import type { Pool } from './pool.js';
import { MAX_ATTEMPTS, type RunRecord } from './reducer.js';

export interface TurnClaim {
  runId: string;
  /** Names this claim in every later write. */
  token: string;
  /** Epoch of the process that claims. */
  holder: string;
}

export interface ClaimedTurn {
  run: RunRecord;
  messages: Message[];
}

/**
 * Claims many turns in one statement and one round trip, with what their prompts are made of. It takes the plain case
 * alone: queued, due, tries left, nobody else at it. Whatever it leaves out is for the reducer to judge, whose rule for
 * this case stands here once more; a test holds the two together.
 *
 * The commit does not wait for the disk. A crash of Postgres can undo it, and the turn then be claimed again, at the same
 * version: that is why every later write of the turn compares the token, too. A claim whose token is not there any more
 * changes nothing, and what was told of it (a notice, a number of the event stream) is told again by the next.
 */
export async function claimTurns(
  pool: Pool,
  claims: readonly TurnClaim[],
): Promise<Map<string, ClaimedTurn>> {
  const { rows } = await pool.query<ClaimedTurn>({
    name: 'claim-turns',
    text: `
      WITH lazy AS (
        SELECT set_config('synchronous_commit', 'off', true)
      ), wanted AS (
        SELECT w.* FROM lazy, unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS w(run_id, token, holder)
      ), free AS (
        SELECT r.id, w.token, w.holder FROM runs r JOIN wanted w ON w.run_id = r.id
        WHERE r.state = 'queued' AND r.due_at <= now() AND r.tries < ${MAX_ATTEMPTS}
        ORDER BY r.id FOR NO KEY UPDATE OF r SKIP LOCKED
      ), claimed AS (
        UPDATE runs r SET state = 'inferring', version = r.version + 1, attempt = r.attempt + 1, tries = r.tries + 1,
               token = free.token, holder = free.holder
        FROM free WHERE r.id = free.id RETURNING r.*
      ), recorded AS (
        INSERT INTO events (run_id, seq, tenant_id, type, data)
        SELECT id, version, tenant_id, 'turn.claimed', json_build_object('turn', turn, 'attempt', attempt) FROM claimed
      )
      SELECT json_build_object(
               'id', c.id, 'tenantId', c.tenant_id, 'state', c.state, 'version', c.version, 'mode', c.mode, 'mask', c.mask,
               'toolsetHash', c.toolset_hash, 'traceparent', c.traceparent, 'turn', c.turn, 'attempt', c.attempt,
               'tries', c.tries, 'token', c.token, 'holder', c.holder, 'held', false, 'due', true, 'outcome', c.outcome,
               'model', c.model, 'confidence', c.confidence, 'error', c.error, 'calls', '[]'::json) AS run,
             i.messages
      FROM claimed c JOIN inputs i ON i.run_id = c.id`,
    values: [
      claims.map(({ runId }) => runId),
      claims.map(({ token }) => token),
      claims.map(({ holder }) => holder),
    ],
  });
  return new Map(rows.map((row) => [row.run.id, row]));
}
