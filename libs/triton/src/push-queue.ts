export interface PushQueueOptions {
  /** What may wait unread, in the unit of `push`'s weight, before `push` asks to hold on. Default: anything. */
  readonly limit?: number | undefined;
  /** After that: there is room again. */
  readonly onRoom?: (() => void) | undefined;
  /** The reader wants no more, though the end did not come yet. */
  readonly onLeave?: (() => void) | undefined;
}

/** How much of what was read may still be held. */
const dropAfter = 64;

/** What is pushed on one side and read on the other. The error of `fail` is told once; then it is over. */
export class PushQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #limit: number;
  readonly #onRoom: () => void;
  readonly #onLeave: () => void;
  #values: { readonly value: T; readonly weight: number }[] = [];
  /** Where reading goes on. */
  #read = 0;
  #weight = 0;
  #waiting: PromiseWithResolvers<IteratorResult<T, undefined>>[] = [];
  #ended = false;
  #failure: { readonly error: Error } | undefined;

  constructor({ limit = Infinity, onRoom = () => {}, onLeave = () => {} }: PushQueueOptions = {}) {
    this.#limit = limit;
    this.#onRoom = onRoom;
    this.#onLeave = onLeave;
  }

  /** Returns whether there is room for more. */
  push(value: T, weight = 1): boolean {
    if (this.#ended) return true;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) {
      this.#values.push({ value, weight });
      this.#weight += weight;
    } else {
      waiting.resolve({ done: false, value });
    }
    return this.#weight < this.#limit;
  }

  /** Nothing more comes. What is there can still be read. */
  end(): void {
    this.#ended = true;
    for (const waiting of this.#waiting.splice(0))
      waiting.resolve({ done: true, value: undefined });
  }

  /** It ends with an error, after what is there; at once, if that is to be dropped. */
  fail(error: Error, { drop = false } = {}): void {
    if (this.#ended) return;
    if (drop) this.#clear();
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#failure = { error };
    else waiting.reject(error);
    this.end();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const first = this.#values[this.#read];
    if (first !== undefined) {
      this.#take(first.weight);
      return Promise.resolve({ done: false, value: first.value });
    }
    const failure = this.#failure;
    if (failure !== undefined) {
      this.#failure = undefined;
      return Promise.reject(failure.error);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    const waiting = Promise.withResolvers<IteratorResult<T, undefined>>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  return(): Promise<IteratorResult<T, undefined>> {
    const left = !this.#ended;
    this.#failure = undefined;
    this.#clear();
    this.end();
    if (left) this.#onLeave();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(weight: number): void {
    // What was read is dropped many at a time: a queue that is never empty must not keep it all.
    if (++this.#read === this.#values.length || this.#read === dropAfter) {
      this.#values.splice(0, this.#read);
      this.#read = 0;
    }
    const wasFull = this.#weight >= this.#limit;
    this.#weight -= weight;
    if (wasFull && this.#weight < this.#limit) this.#onRoom();
  }

  #clear(): void {
    this.#values = [];
    this.#read = 0;
    this.#weight = 0;
  }
}
