import { LONGEST_DELAY } from './call-limits.js';
import type { CallContext, Interceptor, StreamCall, StreamOperations } from './transport.js';
import { invalidArgument, TritonError } from './triton-error.js';

/**
 * Ends a stream that says nothing while it owes something, as one does whose model process has died: it is cancelled at the
 * server and fails with `deadline_exceeded` `stalled`.
 *
 * A stream owes something once its last request is sent: answers, or its end. With an array of requests that is from the
 * start; a stream whose requests are still to come may be silent rightly, and is watched only from their end. (Who sends many
 * requests over one stream knows which are open, and has to watch each.) Only the time counts in which the reader waits for
 * an answer, not what it takes between answers.
 *
 * Under `balance` (within its `connect`), a stall counts as a failure of the endpoint; over it, as the caller's leaving.
 *
 * @param ms the longest silence, milliseconds; it includes the time to the first answer
 * @param endpoint `host:port` of the server, for the error
 */
export function stallWatchdog(ms: number, endpoint?: string): Interceptor {
  if (!(ms > 0 && ms <= LONGEST_DELAY)) {
    throw invalidArgument(
      'stallWatchdog',
      `${ms} ms is no time to wait`,
      `give 1 to ${LONGEST_DELAY}`,
    );
  }
  return (next) => ({
    unary: (call) => next.unary(call),
    stream: (call) => ({
      [Symbol.asyncIterator]: () =>
        new WatchedStream(call, { ms, endpoint }, (watched) => next.stream(watched)),
    }),
    close: () => next.close(),
  });
}

class WatchedStream<O extends keyof StreamOperations> implements AsyncIterator<
  StreamOperations[O][1],
  void
> {
  readonly #ms: number;
  readonly #endpoint: string | undefined;
  readonly #operation: string;
  readonly #answers: AsyncIterator<StreamOperations[O][1], void>;
  readonly #cancel = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#cancel.abort(this.#signal?.reason);
  /** All requests are sent. */
  #owes: boolean;
  #answered = false;
  #ended = false;
  /** Since when the reader waits and the stream owes; `performance.now()`. */
  #waitingSince: number | undefined;
  #reject: ((error: TritonError) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    call: StreamCall<O>,
    { ms, endpoint }: { ms: number; endpoint: string | undefined },
    open: (call: StreamCall<O>) => AsyncIterable<StreamOperations[O][1]>,
  ) {
    this.#ms = ms;
    this.#endpoint = endpoint;
    this.#operation = call.operation;
    this.#signal = call.context.signal;
    if (this.#signal?.aborted === true) this.#onAbort();
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#owes = Array.isArray(call.requests);
    const context: CallContext = { ...call.context, signal: this.#cancel.signal };
    const requests = this.#owes ? call.requests : this.#untilLast(call.requests);
    this.#answers = open({ ...call, requests, context })[Symbol.asyncIterator]();
  }

  next(): Promise<IteratorResult<StreamOperations[O][1], void>> {
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    const { promise, resolve, reject } =
      Promise.withResolvers<IteratorResult<StreamOperations[O][1], void>>();
    this.#reject = reject;
    if (this.#owes) this.#wait();
    this.#answers.next().then(
      (result) => resolve(this.#came(result)),
      (error: unknown) => {
        this.#end();
        reject(error);
      },
    );
    return promise;
  }

  async return(): Promise<IteratorResult<StreamOperations[O][1], void>> {
    if (!this.#ended) {
      // A generator would return only after the answer that is waited for.
      if (this.#reject !== undefined) this.#cancel.abort();
      this.#end();
      await this.#answers.return?.();
    }
    return { done: true, value: undefined };
  }

  #came<R extends IteratorResult<StreamOperations[O][1], void>>(result: R): R {
    this.#reject = undefined;
    this.#waitingSince = undefined;
    this.#answered = true;
    if (result.done === true) this.#end();
    return result;
  }

  async *#untilLast(
    requests: StreamCall<O>['requests'],
  ): AsyncGenerator<StreamOperations[O][0], void, undefined> {
    yield* requests;
    this.#owes = true;
    if (this.#reject !== undefined) this.#wait();
  }

  #wait(): void {
    this.#waitingSince = performance.now();
    // One that runs already finds out for itself how long is left: no timer is set for each answer.
    this.#timer ??= this.#after(this.#ms);
  }

  #after(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined;
      if (this.#waitingSince === undefined) return;
      const left = this.#waitingSince + this.#ms - performance.now();
      if (left > 0) this.#timer = this.#after(left);
      else this.#stall();
    }, ms).unref();
  }

  #stall(): void {
    const reject = this.#reject;
    this.#end();
    reject?.(
      new TritonError(
        'deadline_exceeded',
        `the stream said nothing for ${this.#ms} ms; the model's process may be dead`,
        {
          reason: 'stalled',
          progress: this.#answered ? 'answered' : 'sent',
          operation: this.#operation,
          endpoint: this.#endpoint,
        },
      ),
    );
    this.#cancel.abort();
    // What a transport says to its own cancelling is of no interest.
    this.#answers.return?.().catch(() => {});
  }

  #end(): void {
    this.#ended = true;
    this.#reject = undefined;
    this.#waitingSince = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
