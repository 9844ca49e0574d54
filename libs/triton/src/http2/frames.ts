import { errorCode } from './error-codes.js';
import { ProtocolError } from './protocol-error.js';

/** RFC 9113, section 6. */
export const frameType = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 };

export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const frameHeaderSize = 9;
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const defaultWindow = 65_535;
export const greatestWindow = 2 ** 31 - 1;
export const leastMaxFrameSize = 16_384;

/** Writes a frame's header into `target` at `at`. */
export function writeFrameHeader(
  target: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void {
  target.writeUIntBE(length, at, 3);
  target[at + 3] = type;
  target[at + 4] = flags;
  target.writeUInt32BE(stream, at + 5);
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderSize + payload.length);
  writeFrameHeader(bytes, 0, payload.length, type, flags, stream);
  bytes.set(payload, frameHeaderSize);
  return bytes;
}

export function uint32Frame(type: number, stream: number, value: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(value);
  return frame(type, 0, stream, payload);
}

export function settingsFrame(settings: Readonly<Record<number, number>>): Buffer {
  const entries = Object.entries(settings);
  const payload = Buffer.allocUnsafe(entries.length * 6);
  for (const [at, [id, value]] of entries.entries()) {
    payload.writeUInt16BE(Number(id), at * 6);
    payload.writeUInt32BE(value, at * 6 + 2);
  }
  return frame(frameType.settings, 0, 0, payload);
}

/** Who hears of the frames. `data` may come in parts; `end` is with the last one. */
export interface FrameVisitor {
  /** The head of a DATA frame: `length` counts for flow control, padding included. */
  dataFrame(stream: number, length: number): void;
  data(stream: number, part: Buffer, end: boolean): void;
  frame(type: number, flags: number, stream: number, payload: Buffer): void;
}

/**
 * Cuts a byte stream into frames. Payloads are views of what was pushed, where one push holds them. Throws ProtocolError, and
 * what the visitor throws; after that it is of no use.
 */
export class FrameReader {
  readonly #visitor: FrameVisitor;
  readonly #maxFrameSize: number;
  /** Bytes of a frame that is not whole yet. */
  #rest: Buffer[] = [];
  #restBytes = 0;
  #needed = frameHeaderSize;
  /** Of a DATA frame without padding that is handed on in parts: what is still to come. */
  #dataLeft = 0;
  #dataStream = 0;
  #dataEnds = false;

  constructor(visitor: FrameVisitor, maxFrameSize: number) {
    this.#visitor = visitor;
    this.#maxFrameSize = maxFrameSize;
  }

  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#restBytes > 0) {
      this.#rest.push(chunk);
      this.#restBytes += chunk.length;
      if (this.#restBytes < this.#needed) return;
      bytes = Buffer.concat(this.#rest, this.#restBytes);
      this.#rest = [];
      this.#restBytes = 0;
    }
    let at = 0;
    for (;;) {
      if (this.#dataLeft > 0) {
        if (at === bytes.length) return;
        at += this.#dataPart(bytes, at);
        continue;
      }
      const used = this.#frame(bytes, at);
      if (used === 0) break;
      at += used;
    }
    if (at === bytes.length) return;
    this.#rest.push(bytes.subarray(at));
    this.#restBytes = bytes.length - at;
  }

  /** Reads the frame at `at`; gives the bytes that it took, 0 if there are too few. */
  #frame(bytes: Buffer, at: number): number {
    const there = bytes.length - at;
    this.#needed = frameHeaderSize;
    if (there < frameHeaderSize) return 0;
    const length = bytes.readUIntBE(at, 3);
    const type = bytes[at + 3] ?? 0;
    const flags = bytes[at + 4] ?? 0;
    const stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
    if (length > this.#maxFrameSize)
      throw new ProtocolError(`a frame of ${length} bytes`, errorCode.frameSize);
    if (type === frameType.data && (flags & flag.padded) === 0) {
      this.#visitor.dataFrame(stream, length);
      this.#dataLeft = length;
      this.#dataStream = stream;
      this.#dataEnds = (flags & flag.endStream) !== 0;
      if (length === 0) this.#visitor.data(stream, bytes.subarray(at, at), this.#dataEnds);
      return frameHeaderSize;
    }
    this.#needed = frameHeaderSize + length;
    if (there < this.#needed) return 0;
    const payload = bytes.subarray(at + frameHeaderSize, at + this.#needed);
    if (type === frameType.data) this.#visitor.dataFrame(stream, length);
    this.#visitor.frame(type, flags, stream, payload);
    return frameHeaderSize + length;
  }

  #dataPart(bytes: Buffer, at: number): number {
    const length = Math.min(this.#dataLeft, bytes.length - at);
    this.#dataLeft -= length;
    const ends = this.#dataLeft === 0 && this.#dataEnds;
    this.#visitor.data(this.#dataStream, bytes.subarray(at, at + length), ends);
    return length;
  }
}
