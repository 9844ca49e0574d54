import { MAX_TRIES } from '../reducer/index.js';
import type { Pool } from './pool.js';
import { runRecord, TURN_INPUT, type ClaimedTurn, type TurnInput } from './run-rows.js';

export interface TurnClaim {
  runId: string;
  /** Names this claim in every later write. */
  token: string;
  /** Epoch of the process that claims. */
  holder: string;
}

/**
 * Claims many turns in one statement and one round trip, with what their prompts are made of. It takes the plain case
 * alone: queued, due, before the deadline, tries left, nobody else at it. Whatever it leaves out (undefined) is for the
 * reducer to judge, whose rule for this case stands here once more; a test holds the two together.
 *
 * The commit does not wait for the disk. A crash of Postgres can undo it, and the turn then be claimed again, at the same
 * version: that is why every later write of the turn compares the token, too. A claim whose token is not there any more
 * changes nothing, and what was told of it (a notice, a number of the event stream) is told again by the next.
 */
export async function claimTurns(
  pool: Pool,
  claims: readonly TurnClaim[],
): Promise<(ClaimedTurn | undefined)[]> {
  const { rows } = await pool.query<{ run: ClaimedTurn['run']; input: TurnInput }>({
    name: 'claim-turns',
    text: `
      WITH lazy AS (
        SELECT set_config('synchronous_commit', 'off', true)
      ), wanted AS (
        SELECT w.* FROM lazy, unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS w(run_id, token, holder)
      ), free AS (
        SELECT r.id, w.token, w.holder FROM runs r JOIN wanted w ON w.run_id = r.id
        WHERE r.state = 'queued' AND r.due_at <= now() AND r.deadline_at > now() AND r.tries < ${MAX_TRIES}
        ORDER BY r.id FOR NO KEY UPDATE OF r SKIP LOCKED
      ), r AS (
        UPDATE runs SET state = 'inferring', version = version + 1, attempt = attempt + 1, tries = tries + 1,
               token = free.token, holder = free.holder
        FROM free WHERE runs.id = free.id RETURNING runs.*
      ), recorded AS (
        INSERT INTO events (run_id, seq, tenant_id, type, data)
        SELECT id, version, tenant_id, 'turn.claimed', json_build_object('turn', turn, 'attempt', attempt) FROM r
      )
      SELECT ${runRecord('false')} AS run, ${TURN_INPUT} AS input FROM r`,
    values: [
      claims.map(({ runId }) => runId),
      claims.map(({ token }) => token),
      claims.map(({ holder }) => holder),
    ],
  });
  const byId = new Map(rows.map(({ run, input }) => [run.id, { run, ...input }]));
  return claims.map(({ runId }) => byId.get(runId));
}
