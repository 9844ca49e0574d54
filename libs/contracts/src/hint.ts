import { z } from 'zod';

export const QUEUES = { turn: 'inference', call: 'tools' } as const;
export type HintKind = keyof typeof QUEUES;
export type QueueName = (typeof QUEUES)[HintKind];

/**
 * The payload of a queue job: a turn or a call may be ready. Losing, doubling or reordering hints is harmless.
 * New fields must be optional, so that old and new processes read each other's hints during a roll-out.
 */
export const Hint = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('turn'), runId: z.string(), traceparent: z.string().optional() }),
  z.object({
    kind: z.literal('call'),
    runId: z.string(),
    callId: z.string(),
    traceparent: z.string().optional(),
  }),
]);
export type Hint = z.infer<typeof Hint>;
