import type { Socket } from 'node:net';
import { byteLength, inputChanged } from './changed-input.js';

/** Up to this many bytes a flush is copied into one write: cheaper than a gathered one. */
const copyLimit = 2 ** 16;
/** What may wait for the next flush, before bodies are asked to. */
const fullBytes = 2 ** 20;
/** How long the other end may take to read our last words, before the socket is destroyed; milliseconds. */
const lastWordsMs = 1_000;

export interface OutputOwner {
  /** All that was written so far is now the socket's. */
  onFlush(): void;
  /** It is not full. */
  onRoom(): void;
  /** What was written cannot be sent: the connection is of no use any more. */
  onUnsendable(error: Error): void;
}

/** What goes to the socket: all that is written within one turn of the event loop leaves in one write. */
export class Output {
  readonly #socket: Socket;
  readonly #owner: OutputOwner;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #scheduled = false;
  /** The socket's buffer is full. */
  #congested = false;
  #closed = false;

  constructor(socket: Socket, owner: OutputOwner) {
    this.#socket = socket;
    this.#owner = owner;
    socket.on('drain', () => {
      this.#congested = false;
      if (this.#pieces.length > 0) this.flush();
      else this.#owner.onRoom();
    });
  }

  /** Whether bodies should wait for `onRoom`, so that they stay where they are until the other end reads. */
  get full(): boolean {
    return this.#congested || this.#bytes >= fullBytes;
  }

  write(piece: Uint8Array): void {
    if (this.#closed) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#scheduled || this.#congested) return;
    this.#scheduled = true;
    // Not a microtask: answers that arrive together make their callers send together.
    setImmediate(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.#pieces.length === 0 || this.#congested || this.#closed) return;
    const pieces = this.#pieces;
    const bytes = this.#bytes;
    this.#pieces = [];
    this.#bytes = 0;
    let hasRoom: boolean;
    try {
      // A frame whose header promises more bytes than there are would have the server wait for ever.
      if (byteLength(pieces) !== bytes) throw new Error(inputChanged);
      this.#owner.onFlush();
      hasRoom = this.#send(pieces, bytes);
    } catch (error) {
      this.#owner.onUnsendable(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#congested = !hasRoom;
    if (hasRoom) this.#owner.onRoom();
  }

  /** Returns whether the socket takes more. */
  #send(pieces: readonly Uint8Array[], bytes: number): boolean {
    const [only] = pieces;
    if (pieces.length === 1 && only !== undefined) return this.#socket.write(only);
    // What waits within the socket must not change there, where nobody would see it.
    if (bytes <= copyLimit || this.#socket.writableLength > 0)
      return this.#socket.write(Buffer.concat(pieces, bytes));
    let hasRoom = true;
    this.#socket.cork();
    for (const piece of pieces) hasRoom = this.#socket.write(piece);
    this.#socket.uncork();
    return hasRoom;
  }

  /** Lets the socket go, with what it was given if it takes that. */
  close(): void {
    this.#closed = true;
    this.#pieces = [];
    if (this.#congested) {
      this.#socket.destroy();
      return;
    }
    this.#socket.destroySoon();
    if (this.#socket.destroyed) return;
    const timer = setTimeout(() => this.#socket.destroy(), lastWordsMs).unref();
    this.#socket.once('close', () => clearTimeout(timer));
  }
}
