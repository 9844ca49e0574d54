import type { TritonError } from '../triton-error.js';
import type { Header } from './hpack-table.js';

/** Who hears what the server says on one stream. After `end` or `error` nothing more comes. */
export interface StreamHandler {
  /** The head of the answer, then possibly its trailers. */
  headers(fields: readonly Header[]): void;
  /** A view of the network buffer. Count it with `credit` once it needs no more room. */
  data(part: Buffer): void;
  end(): void;
  error(error: TritonError): void;
}

/** What a stream asks of its connection. */
export interface StreamOwner {
  send(stream: Http2Stream): void;
  reset(stream: Http2Stream): void;
  creditStream(stream: Http2Stream, bytes: number): void;
}

/** One call on a connection. */
export class Http2Stream {
  readonly handler: StreamHandler;
  /** 0 until the server allows one more stream. */
  id = 0;
  /** Bytes that the server still lets us send. */
  sendWindow = 0;
  /** Bytes that the server may still send. */
  receiveWindow = 0;
  /** Bytes that were taken off the network and not yet given back to the server's window. */
  uncredited = 0;
  /** What is still to be sent. */
  readonly pending: Uint8Array[] = [];
  pendingBytes = 0;
  ending = false;
  localEnded = false;
  readonly #owner: StreamOwner;
  #drained: (() => void)[] = [];

  constructor(owner: StreamOwner, handler: StreamHandler) {
    this.#owner = owner;
    this.handler = handler;
  }

  /** Queues data; `end` says that it is the last. */
  send(pieces: readonly Uint8Array[], end: boolean): void {
    for (const piece of pieces) this.push(piece);
    this.ending ||= end;
    this.#owner.send(this);
  }

  push(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.pending.push(piece);
    this.pendingBytes += piece.length;
  }

  /** Gives the server room for as many bytes more. */
  credit(bytes: number): void {
    this.#owner.creditStream(this, bytes);
  }

  /** Ends the stream on both sides (RST_STREAM); the handler hears nothing more. */
  cancel(): void {
    this.#owner.reset(this);
  }

  /** Resolves when all that was queued was given to the connection, or will never be. */
  drained(): Promise<void> {
    if (this.pendingBytes === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained.push(resolve);
    });
  }

  /** Takes `length` bytes off what is pending; undefined if a buffer is not as long any more as it was when it was queued. */
  take(length: number): Uint8Array[] | undefined {
    const taken: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      const [piece] = this.pending;
      if (piece === undefined) break;
      if (piece.length <= missing) {
        taken.push(piece);
        this.pending.shift();
        missing -= piece.length;
      } else {
        taken.push(piece.subarray(0, missing));
        this.pending[0] = piece.subarray(missing);
        missing = 0;
      }
    }
    if (missing > 0 || (length === this.pendingBytes && this.pending.length > 0)) return undefined;
    this.pendingBytes -= length;
    if (this.pendingBytes === 0) this.release();
    return taken;
  }

  /** Lets go of those who wait for the stream to drain. */
  release(): void {
    if (this.#drained.length === 0) return;
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }
}
