import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from './error.js';
import {
  CALL_STATES,
  RUN_STATES,
  TERMINAL_RUN_STATES,
  type CallState,
  type RunState,
} from './run.js';

const MAX_RESULT_DEPTH = 64;

/** The body of `POST /v1/runs/{id}/calls/{callId}/approval`: a person lets a call go ahead, or not. */
export const ApprovalRequest = z
  .strictObject({
    decision: z.enum(['approve', 'deny']),
    argumentsHash: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'is not the `argumentsHash` of a call')
      .meta({
        description: 'Of the call as you saw it. A decision about other arguments is refused.',
      }),
    arguments: z.record(z.string(), z.unknown()).optional().meta({
      description:
        'With `approve`: the call is made with these instead. They must fit the tool’s schema.',
    }),
  })
  .superRefine(({ decision, arguments: edited }, context) => {
    if (decision === 'approve' || edited === undefined) return;
    context.addIssue({ code: 'custom', path: ['arguments'], message: 'belongs to `approve`' });
  })
  .meta({ id: 'ApprovalRequest' });
export type ApprovalRequest = z.infer<typeof ApprovalRequest>;

/** The body of `POST /v1/runs/{id}/calls/{callId}/outcome`: a person found out what became of a call. */
export const OutcomeRequest = z
  .strictObject({
    outcome: z.enum(['succeeded', 'failed', 'retry']).meta({
      description:
        '`succeeded`: it took effect. `failed`: it did not, and is not made again. `retry`: it did not, or may safely be made again, under the same Idempotency-Key.',
    }),
    result: z
      .unknown()
      .optional()
      .refine((result) => isStorable(result), 'cannot be stored')
      .meta({ description: 'With `succeeded`: what the tool answered, any JSON value.' }),
  })
  .superRefine(({ outcome, result }, context) => {
    if (outcome === 'succeeded' || result === undefined) return;
    context.addIssue({ code: 'custom', path: ['result'], message: 'belongs to `succeeded`' });
  })
  .meta({ id: 'OutcomeRequest' });
export type OutcomeRequest = z.infer<typeof OutcomeRequest>;

/** The same instant for the ledger, which takes neither every zone nor every year that the format allows. */
const Time = z.iso
  .datetime({ offset: true, abort: true })
  .refine((text) => {
    const year = new Date(text).getUTCFullYear();
    return year >= 1 && year <= 9_999;
  }, 'is outside the years 1 to 9999')
  .transform((text) => new Date(text).toISOString());
const Code = z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]);

/** What runs can be chosen by. All that is given must hold. */
export const RunFilter = z.strictObject({
  state: z.array(z.enum(RUN_STATES)).min(1).optional(),
  callState: z.array(z.enum(CALL_STATES)).min(1).optional().meta({
    description: 'Has a call in one of these states.',
  }),
  code: Code.optional().meta({ description: 'Code of the error that the run ended with.' }),
  toolset: z
    .string()
    .min(1)
    .max(128)
    .refine((name) => isStorable(name), 'holds NUL or half a character')
    .optional(),
  createdAfter: Time.optional().meta({ description: 'Accepted at this time or later.' }),
  createdBefore: Time.optional().meta({ description: 'Accepted before this time.' }),
});
export type RunFilter = z.infer<typeof RunFilter>;

type EndState = Extract<RunState, 'succeeded' | 'failed' | 'cancelled' | 'expired'>;
const END_STATES = [...TERMINAL_RUN_STATES] as EndState[];
/** What a person may want to look at: runs that did not do what they were asked for. */
export const DEAD_LETTERS: EndState[] = ['failed', 'expired'];
/** Calls that wait until a person decides about them. */
export const FOR_A_PERSON = ['awaiting_approval', 'outcome_unknown'] as const satisfies CallState[];
/** Most runs that one request replays. */
export const MAX_REPLAYED = 1_000;

/** The body of `POST /v1/runs/replay`: does runs again that are over. */
export const ReplayRequest = z
  .strictObject({
    filter: RunFilter.extend({
      ids: z.array(z.uuid()).min(1).max(MAX_REPLAYED).optional().meta({
        description: 'These runs. With nothing beside it, whatever state they ended in.',
      }),
      state: z.array(z.enum(END_STATES)).min(1).optional().meta({
        description: 'Default, without `ids`: failed and expired.',
      }),
    }),
    once: z.enum(['keep', 'retry']).optional().meta({
      description:
        'What becomes of `once` calls that failed or whose outcome is unknown: `keep` takes them as failed, `retry` makes them again. Without a choice runs that have such calls are left alone.',
    }),
    again: z.boolean().optional().meta({
      description: 'With `ids`: also runs that have been replayed before.',
    }),
    dryRun: z.boolean().optional().meta({ description: 'Only count.' }),
  })
  .superRefine(({ filter, again }, context) => {
    const fault = (path: string[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    if (Object.values(filter).every((value) => value === undefined)) {
      fault(['filter'], 'chooses nothing');
    }
    if (again && filter.ids === undefined) fault(['again'], 'belongs to `ids`');
  })
  .meta({ id: 'ReplayRequest' });
export type ReplayRequest = z.infer<typeof ReplayRequest>;

/** What a replay would do, and what it has begun. Each matched run counts as one of the four. */
export const ReplayReport = z
  .object({
    matched: z.number().int().meta({ description: 'Runs that are over and fit the filter.' }),
    replayable: z.number().int(),
    needsChoice: z.number().int().meta({
      description: 'They have `once` calls that failed or are unknown: say `once`.',
    }),
    alreadyReplayed: z.number().int(),
    nothingToDo: z.number().int().meta({
      description: 'Every call is kept as it ended, or the budget is spent.',
    }),
    limit: z.number().int().meta({ description: 'Most runs that one request replays.' }),
    complete: z.boolean().meta({
      description:
        'False: there are older runs that were not looked at. Give `createdBefore` to reach them.',
    }),
    runs: z
      .array(z.object({ id: z.string(), replayOf: z.string() }))
      .meta({ description: 'The runs that this request began, oldest original first.' }),
  })
  .meta({ id: 'ReplayReport' });
export type ReplayReport = z.infer<typeof ReplayReport>;

/** Whether the ledger and tokenisers can hold a JSON value: no NUL, no half of a surrogate pair, no nesting without end. */
function isStorable(value: unknown, levels = MAX_RESULT_DEPTH): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value !== 'object' || value === null) return true;
  return (
    levels > 0 &&
    Object.entries(value).every(
      ([key, member]) => isStorable(key) && isStorable(member, levels - 1),
    )
  );
}
