import type { Socket } from 'node:net';

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
    this.#owner.onFlush();
    const [only] = pieces;
    let hasRoom = true;
    if (pieces.length === 1 && only !== undefined) {
      hasRoom = this.#socket.write(only);
    } else if (bytes <= copyLimit) {
      hasRoom = this.#socket.write(Buffer.concat(pieces, bytes));
    } else {
      this.#socket.cork();
      for (const piece of pieces) hasRoom = this.#socket.write(piece);
      this.#socket.uncork();
    }
    this.#congested = !hasRoom;
    if (hasRoom) this.#owner.onRoom();
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
    if (!this.#socket.destroyed) setTimeout(() => this.#socket.destroy(), lastWordsMs).unref();
  }
}
