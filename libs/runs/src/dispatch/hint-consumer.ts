import { QUEUES, Hint, type HintKind } from '#libs/contracts';
import { inSpan, type Logger } from '#libs/telemetry';
import { SpanKind } from '@opentelemetry/api';
import { Worker, type ConnectionOptions, type Job } from 'bullmq';
import type { Dispatcher } from './dispatcher.js';
import { messagingAttributes, QUEUE_PREFIX } from './hint-queues.js';
import { watchSilence } from './watch-silence.js';

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
/** Hints wait, there is room, and none is taken for so long: BullMQ's worker has fallen silent. */
const SILENT_AFTER_MS = 15_000;

/**
 * Makes a consumer that hands each hint to `take`, inside the span that continues its sender's trace. What `take` throws
 * is logged and spends the hint: the ledger decides what happens next. As many hints as it has room for are let through
 * the gate.
 *
 * @param options.take may resolve with what the work cost, where that is known better than when it was offered
 * @param options.onSilent it takes no hints any more, and a second BullMQ worker took none either: only a new process helps
 */
export function consumeHints<K extends HintKind>(options: {
  kind: K;
  connection: ConnectionOptions;
  concurrency: number;
  dispatcher: Pick<Dispatcher, 'done' | 'setCapacity' | 'isWaitedFor'>;
  log: Logger;
  take: (hint: Extract<Hint, { kind: K }>) => Promise<number | void>;
  onSilent: () => void;
  silentAfterMs?: number;
}): HintConsumer {
  const { kind, dispatcher, log, silentAfterMs = SILENT_AFTER_MS } = options;
  const name = QUEUES[kind];
  const inWork = new Set<Promise<void>>();
  let { concurrency } = options;
  let state: 'new' | 'started' | 'silent' | 'closed' = 'new';
  let isPaused = false;
  let taken = 0;

  const follow = async (job: Job): Promise<void> => {
    const parsed = Hint.safeParse(job.data);
    if (!parsed.success || parsed.data.kind !== kind) {
      log.error({ jobId: job.id, queue: name }, 'dropped a hint that this version cannot read');
      return;
    }
    const hint = parsed.data as Extract<Hint, { kind: K }>;
    const attributes = messagingAttributes(name, 'process', hint, job.id);
    const cost = await inSpan(
      `process ${name}`,
      { kind: SpanKind.CONSUMER, attributes, parent: hint.traceparent, linkParent: true },
      () => options.take(hint),
    ).catch((error: unknown) => {
      log.error({ err: error, runId: hint.runId, queue: name }, 'a hint could not be followed');
    });
    dispatcher.done(hint, job.id ?? '', cost ?? undefined);
  };

  const openWorker = (): Worker => {
    const opened = new Worker(
      name,
      async (job) => {
        taken += 1;
        const work = follow(job);
        inWork.add(work);
        await work.finally(() => inWork.delete(work));
      },
      { connection: options.connection, prefix: QUEUE_PREFIX, concurrency, autorun: false },
    );
    opened.on('error', (error) => log.warn({ err: error.message, queue: name }, 'queue trouble'));
    return opened;
  };
  let worker = openWorker();

  const isTaking = (): boolean => state === 'started' && !isPaused;
  const announce = (): void => dispatcher.setCapacity(kind, isTaking() ? concurrency : 0);

  const watch = watchSilence({
    afterMs: silentAfterMs,
    taken: () => taken,
    isIdle: async () =>
      isTaking() && inWork.size < concurrency && (await dispatcher.isWaitedFor(kind)),
    revive: () => {
      log.warn({ queue: name }, 'took no hints though some wait: trying with a new BullMQ worker');
      void worker.close(true).catch(() => undefined);
      worker = openWorker();
      void worker.resume();
    },
    onSilent: () => {
      log.error({ queue: name }, 'takes no hints though some wait');
      state = 'silent';
      announce();
      options.onSilent();
    },
  });

  return {
    start: () => {
      state = 'started';
      if (!isPaused) void worker.resume();
      announce();
    },
    isRunning: () => state === 'started' && (isPaused || worker.isRunning()),
    setConcurrency: (next) => {
      const isFull = inWork.size >= concurrency;
      const isMore = next > concurrency;
      concurrency = next;
      worker.concurrency = next;
      announce();
      // A full BullMQ worker sleeps until a job ends, except that resuming wakes it.
      if (isFull && isMore && isTaking()) {
        void worker.pause(true);
        void worker.resume();
      }
    },
    pause: () => {
      isPaused = true;
      void worker.pause(true);
      announce();
    },
    resume: () => {
      isPaused = false;
      if (state === 'started') void worker.resume();
      announce();
    },
    close: async () => {
      state = 'closed';
      watch.stop();
      announce();
      const closed = worker.close();
      await Promise.all(inWork);
      const late = new Promise((resolve) => setTimeout(resolve, GOODBYE_WITHIN_MS).unref());
      await Promise.race([closed.catch(() => undefined), late]);
    },
  };
}
