import type { Message } from '#libs/contracts';
import type { CallRecord, RunRecord } from '../reducer/index.js';

/** Seconds without a heartbeat after which a process, and its hold on all it claimed, counts as dead. */
export const HOLDER_DEAD_AFTER_S = 5;

/** SQL: the process of epoch `holder` has beaten lately. */
export function holderAlive(holder: string): string {
  return `EXISTS (SELECT FROM processes p WHERE p.epoch = ${holder}
    AND p.seen_at > now() - interval '${HOLDER_DEAD_AFTER_S} s')`;
}

/** SQL: a run `r` as a RunRecord, in JSON. @param judge SQL of whether holders may be called dead now */
export function runRecord(judge: string): string {
  const held = (holder: string): string =>
    `(${holder} IS NOT NULL AND (NOT ${judge} OR ${holderAlive(holder)}))`;
  return `json_build_object(
    'id', r.id, 'tenantId', r.tenant_id, 'state', r.state, 'version', r.version, 'mode', r.mode, 'until', r.until,
    'budget', r.budget, 'mask', r.mask, 'priority', r.priority, 'cost', r.cost, 'toolsetHash', r.toolset_hash,
    'traceparent', r.traceparent, 'turn', r.turn, 'attempt', r.attempt, 'tries', r.tries, 'token', r.token,
    'holder', r.holder, 'outcome', r.outcome, 'model', r.model, 'confidence', r.confidence, 'reply', r.reply,
    'error', r.error, 'callsMade', r.calls_made, 'tokens', r.tokens,
    'held', ${held('r.holder')}, 'due', r.due_at <= now(),
    'msLeft', extract(epoch FROM r.deadline_at - now()) * 1000,
    'calls', COALESCE((
      SELECT json_agg(json_build_object(
               'id', c.id, 'turn', c.turn, 'position', c.position, 'name', c.name, 'arguments', c.arguments,
               'effect', c.effect, 'approval', c.approval, 'hasProbe', c.has_probe, 'state', c.state,
               'attempt', c.attempt, 'tries', c.tries, 'token', c.token, 'holder', c.holder, 'asked', c.asked, 'result', c.result, 'error', c.error,
               'held', ${held('c.holder')}, 'due', c.ready_at <= now()) ORDER BY c.position)
      FROM calls c WHERE c.run_id = r.id AND c.turn = r.turn), '[]'::json))`;
}

/** SQL: what the prompt of the present turn of run `r` is made of, in JSON: a TurnInput. */
export const TURN_INPUT = `json_build_object(
  'messages', (SELECT i.messages FROM inputs i WHERE i.run_id = r.id),
  'earlier', CASE WHEN r.turn = 1 THEN '[]'::json ELSE COALESCE((
    SELECT json_agg(json_build_object('id', c.id, 'turn', c.turn, 'name', c.name, 'arguments', c.arguments,
                                      'state', c.state, 'result', c.result, 'error', c.error)
                    ORDER BY c.turn, c.position)
    FROM calls c WHERE c.run_id = r.id AND c.turn < r.turn), '[]'::json) END)`;

/** What the question to the model is made of: the request, and the calls of the turns before with their results. */
export interface TurnInput {
  messages: Message[];
  earlier: EarlierCall[];
}

export type EarlierCall = Pick<
  CallRecord,
  'id' | 'turn' | 'name' | 'arguments' | 'state' | 'result' | 'error'
>;

export interface ClaimedTurn extends TurnInput {
  run: RunRecord;
}
