import { errorCode } from './error-codes.js';
import { defaultWindow, frameType, uint32Frame } from './frames.js';
import type { Http2Stream } from './http2-stream.js';
import type { Output } from './output.js';
import { ProtocolError } from './protocol-error.js';

/** What the server may send on one stream before its reader took it. */
export const streamWindow = 4 * 2 ** 20;
/** What it may send in all; given back as it arrives, so that no stream holds up the others. */
const connectionWindow = 64 * 2 ** 20;

/** Flow control of what the server sends (RFC 9113, section 5.2). */
export class ReceiveWindows {
  readonly #output: Output;
  /** What arrived and was not given back to the connection's window. */
  #uncredited = connectionWindow - defaultWindow;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Opens the connection's window as wide as it shall be. */
  begin(): void {
    this.#creditConnection();
  }

  /** So many bytes of DATA came, padding included. Throws ProtocolError if they are too many. */
  take(stream: Http2Stream | undefined, length: number): void {
    this.#uncredited += length;
    if (this.#uncredited >= connectionWindow / 2) this.#creditConnection();
    if (stream === undefined) return;
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0)
      throw new ProtocolError('more data than its window allows', errorCode.flowControl);
  }

  /** Gives the server room for as many bytes more, many at a time. */
  credit(stream: Http2Stream, bytes: number): void {
    stream.uncredited += bytes;
    if (stream.uncredited < streamWindow / 2) return;
    this.#output.write(uint32Frame(frameType.windowUpdate, stream.id, stream.uncredited));
    stream.receiveWindow += stream.uncredited;
    stream.uncredited = 0;
  }

  #creditConnection(): void {
    this.#output.write(uint32Frame(frameType.windowUpdate, 0, this.#uncredited));
    this.#uncredited = 0;
  }
}
