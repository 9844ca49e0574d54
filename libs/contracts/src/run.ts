import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from './error.js';
import { RunMode } from './run-request.js';
import { EFFECTS } from './tool.js';

/** `cancelling`, `expiring`: nothing new starts, and what had started is waited for. */
export const RUN_STATES = [
  'queued',
  'inferring',
  'executing',
  'cancelling',
  'expiring',
  'succeeded',
  'failed',
  'cancelled',
  'expired',
] as const;
export type RunState = (typeof RUN_STATES)[number];
export const TERMINAL_RUN_STATES: ReadonlySet<RunState> = new Set([
  'succeeded',
  'failed',
  'cancelled',
  'expired',
]);

/**
 * `resolved`: pinned by a run in mode `resolve`, never to be executed. `outcome_unknown`: it may have taken effect; its
 * run waits until a late result, a probe, a person or the deadline decides.
 */
export const CALL_STATES = [
  'resolved',
  'awaiting_approval',
  'ready',
  'started',
  'succeeded',
  'failed',
  'denied',
  'cancelled',
  'outcome_unknown',
] as const;
export type CallState = (typeof CALL_STATES)[number];

/** What the model's last answer was: calls, no tool that fits, a question for what is missing, or words. */
export const RUN_OUTCOMES = ['calls', 'irrelevant', 'needs_input', 'answer'] as const;
export type RunOutcome = (typeof RUN_OUTCOMES)[number];

/** What the request lacks: parameters that the tool requires. */
export const MissingInput = z.object({ tool: z.string(), parameters: z.array(z.string()) });
export type MissingInput = z.infer<typeof MissingInput>;

const ErrorRecord = z.object({
  code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
});

export const Call = z
  .object({
    id: z.string().meta({ description: 'Also the Idempotency-Key that an HTTP tool receives.' }),
    name: z.string(),
    arguments: z.record(z.string(), z.unknown()),
    askedArguments: z.record(z.string(), z.unknown()).optional().meta({
      description:
        'What the model asked for, where a person approved the call with other `arguments`.',
    }),
    effect: z.enum(EFFECTS),
    state: z.enum(CALL_STATES),
    attempt: z.number().int(),
    turn: z
      .number()
      .int()
      .min(1)
      .meta({ description: 'The question to the model that it answers.' }),
    argumentsHash: z.string().optional().meta({
      description:
        'While it awaits approval: what an approval must name, so that nobody approves other arguments.',
    }),
    result: z.unknown().optional(),
    error: ErrorRecord.optional(),
  })
  .meta({ id: 'Call' });
export type Call = z.infer<typeof Call>;

export const Run = z
  .object({
    id: z.string(),
    state: z.enum(RUN_STATES),
    mode: RunMode,
    toolset: z.string().meta({ description: 'Name of the toolset, or `inline`.' }),
    query: z.string().meta({ description: 'The last user message.' }),
    outcome: z.enum(RUN_OUTCOMES).optional(),
    model: z.string().optional(),
    confidence: z.number().min(0).max(1).optional(),
    answer: z
      .string()
      .optional()
      .meta({ description: 'What the model says at the end, in words.' }),
    missing: MissingInput.optional().meta({ description: 'With the outcome `needs_input`.' }),
    calls: z.array(Call),
    error: ErrorRecord.optional(),
    traceId: z.string(),
    priority: z.number().int(),
    replayOf: z.string().optional().meta({ description: 'The run that this one does again.' }),
    createdAt: z.string(),
    deadline: z.string(),
    endedAt: z.string().optional(),
  })
  .meta({ id: 'Run' });
export type Run = z.infer<typeof Run>;

export const RunPage = z
  .object({
    runs: z.array(Run),
    next: z.string().optional().meta({
      description: 'Give it as `cursor` for the next page; absent on the last one.',
    }),
  })
  .meta({ id: 'RunPage' });
export type RunPage = z.infer<typeof RunPage>;
