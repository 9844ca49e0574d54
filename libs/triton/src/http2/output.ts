import type { Socket } from 'node:net';

/** Up to this many bytes a flush is copied into one write: cheaper than a gathered one. */
const copyLimit = 2 ** 16;

/** What goes to the socket: all that is written within one turn of the event loop leaves in one write. */
export class Output {
  readonly #socket: Socket;
  readonly #onFlush: () => void;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #scheduled = false;
  /** The socket's buffer is full. */
  #congested = false;
  #closed = false;

  /** @param onFlush all that was written so far is now the socket's */
  constructor(socket: Socket, onFlush: () => void) {
    this.#socket = socket;
    this.#onFlush = onFlush;
    socket.on('drain', () => {
      this.#congested = false;
      this.flush();
    });
  }

  write(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#scheduled) return;
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
    this.#onFlush();
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
  }

  /** Lets the socket go, with what it was given if it takes that. */
  close(): void {
    this.#closed = true;
    if (this.#congested) this.#socket.destroy();
    else this.#socket.destroySoon();
  }
}
