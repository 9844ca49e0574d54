import { z } from 'zod';

export const EVENT_TYPES = [
  'run.accepted',
  'turn.claimed',
  'turn.resolved',
  'turn.failed',
  'turn.delayed',
  'call.decided',
  'call.claimed',
  'call.released',
  'call.retried',
  'call.unknown',
  'call.probed',
  'call.settled',
  'call.evidence',
  'run.cancelling',
  'run.expiring',
  'run.ended',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** A numbered fact about a run. `seq` starts at 1 and has no gaps. */
export const RunEvent = z
  .object({
    seq: z.number().int().min(1),
    type: z.enum(EVENT_TYPES),
    at: z.string(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'RunEvent' });
export type RunEvent = z.infer<typeof RunEvent>;
