import type { HeaderFields } from './hpack-encoder.js';
import type { Http2Stream } from './http2-stream.js';

const greatestId = 2 ** 31 - 1;

/** The calls of one connection: those that have a stream, by its id, and those that wait for the server to allow one more. */
export class StreamTable {
  readonly #open = new Map<number, Http2Stream>();
  readonly #waiting = new Map<Http2Stream, HeaderFields>();
  #nextId: number;
  #limit = Infinity;

  /** @param firstId an odd number */
  constructor(firstId: number) {
    this.#nextId = firstId;
  }

  /** The lowest id that was not used yet. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Whether there are ids for one call more than wait. */
  get hasIds(): boolean {
    return this.#nextId <= greatestId - 2 * this.#waiting.size;
  }

  get isFull(): boolean {
    return this.#open.size >= this.#limit;
  }

  get isEmpty(): boolean {
    return this.#open.size + this.#waiting.size === 0;
  }

  get(id: number): Http2Stream | undefined {
    return this.#open.get(id);
  }

  isOpen(stream: Http2Stream): boolean {
    return this.#open.get(stream.id) === stream;
  }

  open(): Iterable<Http2Stream> {
    return this.#open.values();
  }

  /** What the server's SETTINGS_MAX_CONCURRENT_STREAMS allows; those beyond it stay. */
  setLimit(limit: number): void {
    this.#limit = limit;
  }

  /** Gives a stream its id. */
  add(stream: Http2Stream): void {
    stream.id = this.#nextId;
    this.#nextId += 2;
    this.#open.set(stream.id, stream);
  }

  /** Keeps a call until `next`. */
  wait(stream: Http2Stream, fields: HeaderFields): void {
    this.#waiting.set(stream, fields);
  }

  /** Takes the call that has waited longest, if it may have a stream now. */
  next(): [stream: Http2Stream, fields: HeaderFields] | undefined {
    if (this.#waiting.size === 0 || this.isFull) return undefined;
    const [first] = this.#waiting;
    if (first !== undefined) this.#waiting.delete(first[0]);
    return first;
  }

  /** Returns whether it was there. */
  remove(stream: Http2Stream): boolean {
    if (this.#waiting.delete(stream)) return true;
    return this.isOpen(stream) && this.#open.delete(stream.id);
  }

  /** Removes the calls that wait, and gives them. */
  takeWaiting(): Http2Stream[] {
    const streams = [...this.#waiting.keys()];
    this.#waiting.clear();
    return streams;
  }

  /** Removes all, and gives them. */
  takeAll(): Http2Stream[] {
    const streams = [...this.#open.values(), ...this.takeWaiting()];
    this.#open.clear();
    return streams;
  }
}
