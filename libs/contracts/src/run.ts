import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from './error.js';
import { RunMode } from './run-request.js';
import { EFFECTS } from './tool.js';

export const RUN_STATES = ['queued', 'inferring', 'executing', 'succeeded', 'failed'] as const;
export type RunState = (typeof RUN_STATES)[number];
export const TERMINAL_RUN_STATES: ReadonlySet<RunState> = new Set(['succeeded', 'failed']);

/** `resolved`: pinned by a run in mode `resolve`, never to be executed. */
export const CALL_STATES = [
  'resolved',
  'ready',
  'started',
  'succeeded',
  'failed',
  'denied',
  'outcome_unknown',
] as const;
export type CallState = (typeof CALL_STATES)[number];

export const RUN_OUTCOMES = ['calls', 'irrelevant'] as const;
export type RunOutcome = (typeof RUN_OUTCOMES)[number];

const ErrorRecord = z.object({
  code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
});

export const Call = z
  .object({
    id: z.string().meta({ description: 'Also the Idempotency-Key that an HTTP tool receives.' }),
    name: z.string(),
    arguments: z.record(z.string(), z.unknown()),
    effect: z.enum(EFFECTS),
    state: z.enum(CALL_STATES),
    attempt: z.number().int(),
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
    calls: z.array(Call),
    error: ErrorRecord.optional(),
    traceId: z.string(),
    createdAt: z.string(),
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
