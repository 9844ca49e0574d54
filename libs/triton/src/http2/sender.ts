import { errorCode } from './error-codes.js';
import {
  defaultWindow,
  flag,
  frame,
  frameHeaderSize,
  frameType,
  greatestWindow,
  leastMaxFrameSize,
  writeFrameHeader,
} from './frames.js';
import type { Http2Stream } from './http2-stream.js';
import type { Output } from './output.js';
import { ProtocolError } from './protocol-error.js';

/** Up to this many bytes, head and data of a request are copied into one buffer. */
const smallRequest = 2 ** 16;

export interface SenderOwner {
  /** What the stream has to say is not there any more. */
  onChanged(stream: Http2Stream): void;
}

/** Sends what streams have to say as far as the windows let it, in turns, so that no stream holds up another. */
export class Sender {
  readonly #output: Output;
  readonly #owner: SenderOwner;
  /** Streams with data that a window, or a full output, holds back. */
  readonly #blocked = new Set<Http2Stream>();
  /** What the server takes on the whole connection. */
  #window = defaultWindow;
  /** What it takes at first on each stream. */
  #streamWindow = defaultWindow;
  #maxFrame = leastMaxFrameSize;

  constructor(output: Output, owner: SenderOwner) {
    this.#output = output;
    this.#owner = owner;
  }

  setMaxFrame(size: number): void {
    this.#maxFrame = size;
  }

  /** SETTINGS_INITIAL_WINDOW_SIZE, which changes open streams, too. Throws ProtocolError if a window is too large then. */
  setStreamWindow(size: number, open: Iterable<Http2Stream>): void {
    checkWindow(size);
    for (const stream of open) {
      stream.sendWindow += size - this.#streamWindow;
      checkWindow(stream.sendWindow);
    }
    this.#streamWindow = size;
  }

  /** The connection's window grows. Throws ProtocolError if it is too large then. */
  widen(bytes: number): void {
    this.#window += bytes;
    checkWindow(this.#window);
    this.resume();
  }

  /** A stream's window grows. Throws ProtocolError if it is too large then. */
  widenStream(stream: Http2Stream, bytes: number): void {
    stream.sendWindow += bytes;
    checkWindow(stream.sendWindow);
    this.send(stream);
  }

  /** Opens a stream that has its id: its head, and what data it has. */
  begin(stream: Http2Stream, head: Buffer): void {
    stream.sendWindow = this.#streamWindow;
    const isSmall =
      stream.ending &&
      stream.pendingBytes <=
        Math.min(stream.sendWindow, this.#window, this.#maxFrame, smallRequest);
    if (isSmall && head.length <= this.#maxFrame) return this.#sendWhole(stream, head);
    for (let at = 0; at < head.length; at += this.#maxFrame) {
      const part = head.subarray(at, at + this.#maxFrame);
      const type = at === 0 ? frameType.headers : frameType.continuation;
      const isLast = at + part.length === head.length;
      this.#output.write(frame(type, isLast ? flag.endHeaders : 0, stream.id, part));
    }
    this.send(stream);
  }

  /** Sends what a stream has, as far as it goes. Where there is room, only its own window can hold a stream back. */
  send(stream: Http2Stream): void {
    for (;;) {
      const before = stream.pendingBytes;
      if (!this.#sendFrame(stream)) {
        this.#blocked.delete(stream);
        return;
      }
      if (stream.pendingBytes === before) break;
    }
    this.#blocked.add(stream);
  }

  /** The connection's window or the room in the output has grown. */
  resume(): void {
    let progress = true;
    while (progress && this.#blocked.size > 0 && this.#window > 0 && !this.#output.full) {
      progress = false;
      for (const stream of this.#blocked) {
        const before = stream.pendingBytes;
        if (!this.#sendFrame(stream)) this.#blocked.delete(stream);
        progress ||= stream.pendingBytes < before;
      }
    }
  }

  forget(stream: Http2Stream): void {
    this.#blocked.delete(stream);
  }

  /** The common case, in one buffer. */
  #sendWhole(stream: Http2Stream, head: Buffer): void {
    const length = stream.pendingBytes;
    const pieces = stream.take(length);
    if (pieces === undefined) {
      // The server needs it to read the heads that follow.
      this.#output.write(frame(frameType.headers, flag.endHeaders, stream.id, head));
      return this.#owner.onChanged(stream);
    }
    const dataAt = frameHeaderSize + head.length;
    const bytes = Buffer.allocUnsafe(dataAt + frameHeaderSize + length);
    writeFrameHeader(bytes, 0, head.length, frameType.headers, flag.endHeaders, stream.id);
    bytes.set(head, frameHeaderSize);
    writeFrameHeader(bytes, dataAt, length, frameType.data, flag.endStream, stream.id);
    let at = dataAt + frameHeaderSize;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    this.#spend(stream, length, true);
    this.#output.write(bytes);
  }

  /** Returns whether there is more to send. */
  #sendFrame(stream: Http2Stream): boolean {
    if (stream.localEnded) return false;
    const allowed = this.#output.full
      ? 0
      : Math.max(0, Math.min(stream.sendWindow, this.#window, this.#maxFrame));
    const length = Math.min(stream.pendingBytes, allowed);
    const ends = stream.ending && length === stream.pendingBytes;
    if (length === 0 && !ends) return stream.pendingBytes > 0;
    const pieces = stream.take(length);
    if (pieces === undefined) {
      this.#owner.onChanged(stream);
      return false;
    }
    const head = Buffer.allocUnsafe(frameHeaderSize);
    writeFrameHeader(head, 0, length, frameType.data, ends ? flag.endStream : 0, stream.id);
    this.#output.write(head);
    for (const piece of pieces) this.#output.write(piece);
    this.#spend(stream, length, ends);
    return stream.pendingBytes > 0;
  }

  #spend(stream: Http2Stream, length: number, ends: boolean): void {
    stream.sendWindow -= length;
    this.#window -= length;
    stream.localEnded = ends;
  }
}

/** RFC 9113, section 6.9.1 and 6.9.2. */
function checkWindow(size: number): void {
  if (size > greatestWindow)
    throw new ProtocolError('a window is too large', errorCode.flowControl);
}
