import { QUEUES, Hint, type HintKind, type QueueName } from '#libs/contracts';
import { activeTraceparent, ATTR, inSpan, MESSAGING_SYSTEM, type Logger } from '#libs/telemetry';
import { SpanKind } from '@opentelemetry/api';
import { Worker, type ConnectionOptions, type Job, type Queue } from 'bullmq';

/** BullMQ's keys in Redis all begin with this. */
export const QUEUE_PREFIX = 'hammerline';

/** A hint is spent once delivered: retries, results and history live in the ledger. */
export const HINT_JOB_OPTIONS = { attempts: 1, removeOnComplete: true, removeOnFail: true };

export type HintQueues = Record<HintKind, Queue>;

/**
 * Tells the workers of a queue that a turn or a call is ready. Never throws and never waits for an absent Redis: a lost
 * hint costs the time until the next sweep, nothing else.
 *
 * @param options.delayMs the hint is delivered as much later
 * @param options.parent traceparent of who offers it, where that is not the active span
 */
export async function offer(
  queues: HintQueues,
  log: Logger,
  hint: Hint,
  { delayMs = 0, parent }: { delayMs?: number; parent?: string } = {},
): Promise<void> {
  const queue = queues[hint.kind];
  try {
    await inSpan(
      `send ${queue.name}`,
      {
        kind: SpanKind.PRODUCER,
        attributes: messagingAttributes(queue.name, 'send', hint),
        parent,
      },
      async (span) => {
        const traceparent = activeTraceparent();
        const body = { ...hint, ...(traceparent && { traceparent }) };
        const job = await queue.add(hint.kind, body, { delay: delayMs });
        if (job.id) span.setAttribute(ATTR.messagingMessageId, job.id);
      },
    );
  } catch (error) {
    log.warn(
      { err: error, runId: hint.runId, queue: queue.name },
      'hint not sent; the sweep will offer it again',
    );
  }
}

/** Takes hints from one queue, from `start` to `close`. */
export interface HintConsumer {
  start(): void;
  /**
   * Whether it takes hints, or would if it were not paused. A loop of BullMQ's that dies is not told here: it is an
   * unhandled rejection, which ends the process, and the supervisor starts another one.
   */
  isRunning(): boolean;
  /** Hints in work at once, from now on: a larger number is made use of at once, a smaller one as hints end. */
  setConcurrency(concurrency: number): void;
  /** Takes no more, except one hint that may be on its way; what was taken goes on. Also before `start`. */
  pause(): void;
  resume(): void;
  /** Takes no more and resolves when what was taken is done, also while Redis is away. */
  close(): Promise<void>;
}

/** How long a drained consumer may take to say goodbye to Redis. */
const GOODBYE_WITHIN_MS = 2_000;

/**
 * Makes a consumer that hands each hint to `take`, inside the span that continues its sender's trace. What `take` throws
 * is logged and spends the hint: the ledger decides what happens next.
 */
export function consumeHints<K extends HintKind>(options: {
  kind: K;
  connection: ConnectionOptions;
  concurrency: number;
  log: Logger;
  take: (hint: Extract<Hint, { kind: K }>) => Promise<void>;
}): HintConsumer {
  const { kind, log } = options;
  const name: QueueName = QUEUES[kind];
  const inWork = new Set<Promise<void>>();

  const process = async (job: Job): Promise<void> => {
    const parsed = Hint.safeParse(job.data);
    if (!parsed.success || parsed.data.kind !== kind) {
      log.error({ jobId: job.id, queue: name }, 'dropped a hint that this version cannot read');
      return;
    }
    const hint = parsed.data as Extract<Hint, { kind: K }>;
    const attributes = messagingAttributes(name, 'process', hint);
    if (job.id) attributes[ATTR.messagingMessageId] = job.id;
    try {
      await inSpan(
        `process ${name}`,
        { kind: SpanKind.CONSUMER, attributes, parent: hint.traceparent, linkParent: true },
        () => options.take(hint),
      );
    } catch (error) {
      log.error({ err: error, runId: hint.runId, queue: name }, 'a hint could not be followed');
    }
  };

  const worker = new Worker(
    name,
    async (job) => {
      const work = process(job);
      inWork.add(work);
      await work.finally(() => inWork.delete(work));
    },
    {
      connection: options.connection,
      prefix: QUEUE_PREFIX,
      concurrency: options.concurrency,
      autorun: false,
    },
  );
  worker.on('error', (error) => log.warn({ err: error.message, queue: name }, 'queue trouble'));
  let started = false;
  let paused = false;
  return {
    start: () => {
      started = true;
      if (!paused) void worker.resume();
    },
    isRunning: () => started && (paused || worker.isRunning()),
    setConcurrency: (concurrency) => {
      const isFull = inWork.size >= worker.concurrency;
      const isMore = concurrency > worker.concurrency;
      worker.concurrency = concurrency;
      // A full BullMQ worker sleeps until a job ends, except that resuming wakes it.
      if (isFull && isMore && started && !paused) {
        void worker.pause(true);
        void worker.resume();
      }
    },
    pause: () => {
      paused = true;
      void worker.pause(true);
    },
    resume: () => {
      paused = false;
      if (started) void worker.resume();
    },
    close: async () => {
      const closed = worker.close();
      await Promise.all(inWork);
      const late = new Promise((resolve) => setTimeout(resolve, GOODBYE_WITHIN_MS).unref());
      await Promise.race([closed.catch(() => undefined), late]);
    },
  };
}

function messagingAttributes(
  queue: string,
  type: 'send' | 'process',
  hint: Hint,
): Record<string, string> {
  return {
    [ATTR.messagingSystem]: MESSAGING_SYSTEM,
    [ATTR.messagingOperationName]: type,
    [ATTR.messagingOperationType]: type,
    [ATTR.messagingDestination]: queue,
    [ATTR.messagingConversationId]: hint.runId,
  };
}
