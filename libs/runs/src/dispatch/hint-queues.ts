import type { Hint, HintKind } from '#libs/contracts';
import { ATTR, MESSAGING_SYSTEM } from '#libs/telemetry';
import type { Queue } from 'bullmq';

/** BullMQ's keys in Redis all begin with this. In braces: what the gate's script reads together lies together in a cluster. */
export const QUEUE_PREFIX = '{hammerline}';
export const GATE_PREFIX = `${QUEUE_PREFIX}:gate`;

/** A hint is spent once delivered: retries, results and history live in the ledger. */
export const HINT_JOB_OPTIONS = { attempts: 1, removeOnComplete: true, removeOnFail: true };

export type HintQueues = Record<HintKind, Queue>;

/** What a span says that sends or processes a hint. */
export function messagingAttributes(
  queue: string,
  type: 'send' | 'process',
  { runId }: Hint,
  messageId?: string,
): Record<string, string> {
  return {
    [ATTR.messagingSystem]: MESSAGING_SYSTEM,
    [ATTR.messagingOperationName]: type,
    [ATTR.messagingOperationType]: type,
    [ATTR.messagingDestination]: queue,
    [ATTR.messagingConversationId]: runId,
    ...(messageId && { [ATTR.messagingMessageId]: messageId }),
  };
}

/** What a hint is about, as the gate knows it: a run's turn, or one of its calls. */
export function idOf(hint: Hint): string {
  return hint.kind === 'turn' ? hint.runId : hint.callId;
}

/** What the gate keeps of a hint beside its id. Short: a hundred thousand of them may wait in Redis. */
export function bodyOf(hint: Hint, traceparent: string): string {
  return hint.kind === 'turn' ? traceparent : `${traceparent} ${hint.runId}`;
}

/** The inverse of `idOf` and `bodyOf`. */
export function hintOf(kind: HintKind, id: string, body: string): Hint {
  const [traceparent = '', runId = ''] = body.split(' ');
  const trace = traceparent === '' ? {} : { traceparent };
  return kind === 'turn' ? { kind, runId: id, ...trace } : { kind, runId, callId: id, ...trace };
}
