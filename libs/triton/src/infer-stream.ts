import { watchLimits } from './call-limits.js';
import { type CallOptions, contextOf, labelOf } from './call-options.js';
import { keysOf } from './check-keys.js';
import type { InferRequest } from './infer-request.js';
import type { InferAnswer, InferMessage } from './protocol.js';
import { PushQueue } from './push-queue.js';
import type { CallContext, StreamAnswer, Transport } from './transport.js';
import { type Progress, TritonError } from './triton-error.js';

/** Answers of one request that wait for their reader, before the whole stream is asked to hold on. */
const unreadAnswers = 256;
/** How many times within the longest silence it is looked for. */
const looks = 4;

type RequestOptions = Pick<CallOptions, 'timeoutMs' | 'signal'>;

/** Metadata and affinity are the whole stream's. */
const requestKeys = keysOf({ timeoutMs: true, signal: true } satisfies Record<
  keyof RequestOptions,
  true
>);

/** A request that is under way. */
interface Pending {
  /** Known once the request is checked. */
  givenId: string;
  readonly answers: PushQueue<InferAnswer>;
  /** Stops watching its signal and deadline. */
  readonly stop: () => void;
  progress: Progress;
  /** `performance.now()` of when it was sent or last answered. */
  heardAt: number;
}

export interface InferStreamOptions {
  readonly context: CallContext;
  readonly prepare: (
    request: InferRequest,
    context: CallContext,
  ) => InferMessage | Promise<InferMessage>;
  /** Without an answer for so long, a request fails with `stalled`; milliseconds. */
  readonly stallMs: number;
}

/**
 * Many requests over one gRPC stream (ModelStreamInfer), each with answers of its own: cheaper than a stream per request, and
 * the way to one server for the requests of a sequence. In return, they share their fate: a request that is given up
 * goes on at the server; a reader that does not read holds up the others, and if one of them waits for it longer than
 * `stallMs`, its request fails with `resource_exhausted`; when the stream breaks, all fail.
 */
export class InferStream {
  readonly #prepare: InferStreamOptions['prepare'];
  readonly #stallMs: number;
  readonly #requests = new PushQueue<InferMessage>();
  readonly #pending = new Map<string, Pending>();
  readonly #cancel = new AbortController();
  readonly #reading: Promise<void>;
  readonly #stallTimer: NodeJS.Timeout | undefined;
  /** Where a slow reader has caught up. */
  #room = Promise.withResolvers<void>();
  /** The request whose reader is waited for, and since when (`performance.now()`). */
  #held: { readonly id: string; readonly since: number } | undefined;
  /** Resolves when the latest request is sent, or has failed. */
  #sent = Promise.resolve();
  /** Requests that are not in `#requests` yet. */
  #preparing = 0;
  #count = 0;
  /** Why nothing more can be asked. */
  #end: TritonError | undefined;

  constructor(transport: Transport, { context, prepare, stallMs }: InferStreamOptions) {
    this.#prepare = prepare;
    this.#stallMs = stallMs;
    const { signal } = this.#cancel;
    // A slow reader does not hold up the end.
    signal.addEventListener('abort', () => this.#room.resolve(), { once: true });
    const given = context.signal;
    // Not AbortSignal.any: what listens to one is never collected.
    const onAbort = (): void => this.#cancel.abort(given?.reason);
    if (given?.aborted) onAbort();
    given?.addEventListener('abort', onAbort, { once: true });
    const answers = transport.stream({
      operation: 'ModelStreamInfer',
      requests: this.#requests,
      context: { ...context, signal },
    });
    this.#reading = this.#read(answers).finally(() => given?.removeEventListener('abort', onAbort));
    if (stallMs !== Infinity)
      this.#stallTimer = setInterval(() => this.#findStalled(), stallMs / looks).unref();
  }

  /** Requests that are not answered to the end yet. */
  get outstanding(): number {
    return this.#pending.size;
  }

  /**
   * Sends a request; its answers have one reader. They fail with the error of this request alone, or with that of the stream.
   *
   * @param options of this request alone: when it is given up, the server goes on with it
   * @throws TritonError `invalid_argument`, at once, for options that make no sense
   */
  infer(
    request: InferRequest,
    options: RequestOptions = {},
  ): AsyncIterableIterator<InferAnswer, undefined> {
    const id = `${++this.#count}`;
    const answers = new PushQueue<InferAnswer>({
      limit: unreadAnswers,
      onRoom: () => this.#room.resolve(),
      onLeave: () => this.#settle(id),
    });
    const fail = (error: TritonError): void => {
      const { progress } = this.#pending.get(id) ?? error;
      this.#settle(id);
      answers.fail(error.with({ progress }), { drop: true });
    };
    if (this.#end !== undefined) {
      fail(this.#end.with({ progress: 'unsent' }));
      return answers;
    }
    const label = labelOf('ModelStreamInfer', request);
    const context = contextOf(options, { timeoutMs: Infinity }, label, requestKeys);
    const stop = watchLimits(context, fail);
    if (options.signal?.aborted) return answers;
    const heardAt = performance.now();
    this.#pending.set(id, { givenId: '', answers, stop, progress: 'unsent', heardAt });
    this.#sent = this.#send(id, request, context, this.#sent).catch(fail);
    return answers;
  }

  /** No more requests. Resolves when those under way are answered to the end, or have failed. */
  async close(): Promise<void> {
    this.#end ??= new TritonError('cancelled', 'the stream is closed');
    if (this.#preparing === 0) this.#requests.end();
    await this.#reading;
  }

  /** Gives up all that is under way, at the server too. */
  cancel(): void {
    this.#cancel.abort();
  }

  /** @param before the one before: a sequence needs its order, however long a model's metadata takes */
  async #send(
    id: string,
    request: InferRequest,
    context: CallContext,
    before: Promise<void>,
  ): Promise<void> {
    this.#preparing++;
    try {
      const message = await this.#prepare(request, context);
      await before;
      const pending = this.#pending.get(id);
      if (pending === undefined) return;
      pending.progress = 'sent';
      pending.givenId = message.id ?? '';
      // Without an empty last answer, nobody could tell where a decoupled model's answers end.
      const parameters = { ...message.parameters, triton_enable_empty_final_response: true };
      this.#requests.push({ ...message, id, parameters });
    } finally {
      this.#preparing--;
      if (this.#preparing === 0 && this.#end !== undefined) this.#requests.end();
    }
  }

  async #read(stream: AsyncIterable<StreamAnswer>): Promise<void> {
    let end: TritonError;
    try {
      for await (const one of stream) if (!this.#route(one)) await this.#wait(one.answer.id);
      end = new TritonError('unavailable', 'the server ended the stream', {
        reason: 'connection',
        progress: 'sent',
      });
    } catch (error) {
      end =
        error instanceof TritonError
          ? error
          : new TritonError('internal', String(error), { cause: error });
    }
    clearInterval(this.#stallTimer);
    this.#requests.end();
    this.#end ??= end;
    for (const [id, { answers, progress }] of this.#pending) {
      this.#settle(id);
      answers.fail(end.with({ progress: end.progress === 'unsent' ? 'unsent' : progress }));
    }
  }

  /** Until a slow reader has caught up. What the others miss meanwhile is not the server's silence. */
  async #wait(id: string): Promise<void> {
    this.#held = { id, since: performance.now() };
    await this.#room.promise;
    this.#held = undefined;
    const now = performance.now();
    for (const pending of this.#pending.values()) pending.heardAt = now;
  }

  /** Returns whether the readers keep up. */
  #route({ answer, error }: StreamAnswer): boolean {
    const { id } = answer;
    const pending = this.#pending.get(id);
    // Of a request that was given up.
    if (pending === undefined) return true;
    pending.heardAt = performance.now();
    if (error !== undefined) {
      this.#settle(id);
      pending.answers.fail(error.with({ progress: pending.progress }));
      return true;
    }
    pending.progress = 'answered';
    const final = answer.parameters.triton_final_response;
    const isEmptyEnd = final === true && Object.keys(answer.outputs).length === 0;
    const hasRoom = isEmptyEnd || pending.answers.push({ ...answer, id: pending.givenId });
    if (!hasRoom) this.#room = Promise.withResolvers<void>();
    if (final === true) {
      this.#settle(id);
      pending.answers.end();
    }
    return hasRoom;
  }

  #settle(id: string): void {
    this.#pending.get(id)?.stop();
    this.#pending.delete(id);
    this.#room.resolve();
  }

  #findStalled(): void {
    if (this.#held !== undefined) return this.#findResting(this.#held);
    const now = performance.now();
    for (const [id, { heardAt, answers, progress }] of this.#pending) {
      if (now - heardAt < this.#stallMs) continue;
      this.#settle(id);
      answers.fail(
        new TritonError(
          'deadline_exceeded',
          `the request was not answered for ${this.#stallMs} ms; the model's process may be dead`,
          { reason: 'stalled', progress, operation: 'ModelStreamInfer' },
        ),
      );
    }
  }

  /** A reader may rest for as long as it likes, but not while another request waits for that. */
  #findResting({ id, since }: { readonly id: string; readonly since: number }): void {
    const now = performance.now();
    const waits = [...this.#pending].some(
      ([other, { heardAt }]) => other !== id && now - Math.max(since, heardAt) >= this.#stallMs,
    );
    const resting = this.#pending.get(id);
    if (!waits || resting === undefined) return;
    this.#settle(id);
    resting.answers.fail(
      new TritonError(
        'resource_exhausted',
        `${unreadAnswers} answers waited for their reader, and other requests of the stream for them, for ${this.#stallMs} ms`,
        { progress: 'answered', operation: 'ModelStreamInfer' },
      ),
    );
  }
}
