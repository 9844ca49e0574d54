import { errorCode } from './error-codes.js';
import { checkFrame } from './frame-rules.js';
import {
  flag,
  frame,
  FrameReader,
  frameType,
  type FrameVisitor,
  greatestWindow,
  leastMaxFrameSize,
  setting,
} from './frames.js';
import { type HeaderBlock, HeaderBlocks } from './header-blocks.js';
import type { HpackEncoder } from './hpack-encoder.js';
import type { Http2Stream } from './http2-stream.js';
import type { KeepAlive } from './keep-alive.js';
import type { Output } from './output.js';
import { ProtocolError } from './protocol-error.js';
import type { ReceiveWindows } from './receive-windows.js';
import type { Sender } from './sender.js';
import type { StreamTable } from './stream-table.js';

/** What we take of the server, as our SETTINGS tell it. */
export const maxFrameSize = 2 ** 20;
export const maxHeaderBytes = 2 ** 18;
/** Answers to its SETTINGS and PING frames that wait for it to read. */
const maxOwedAnswers = 1_000;

/** Who hears what the server's frames mean for the calls of a connection. */
export interface ServerFramesOwner {
  /** Its first frame: it speaks HTTP/2. */
  onFirst(): void;
  /** Its SETTINGS were taken: it may allow more streams. */
  onSettings(): void;
  /** It says no more on this stream. */
  onEnd(stream: Http2Stream): void;
  onReset(stream: Http2Stream, code: number): void;
  /** @param last the last stream that it looks at */
  onGoaway(last: number, code: number, said: string): void;
}

/** The parts of one connection that its server's frames act on. */
export interface ConnectionParts {
  readonly owner: ServerFramesOwner;
  readonly streams: StreamTable;
  readonly windows: ReceiveWindows;
  readonly output: Output;
  readonly sender: Sender;
  readonly encoder: HpackEncoder;
  readonly keepAlive: KeepAlive;
}

/** Reads what the server sends, checks it against RFC 9113, and does what it says. */
export class ServerFrames implements FrameVisitor {
  readonly #owner: ServerFramesOwner;
  readonly #streams: StreamTable;
  readonly #windows: ReceiveWindows;
  readonly #output: Output;
  readonly #sender: Sender;
  readonly #encoder: HpackEncoder;
  readonly #keepAlive: KeepAlive;
  readonly #reader = new FrameReader(this, maxFrameSize);
  readonly #headers = new HeaderBlocks(maxHeaderBytes);
  #isFirst = true;
  #owedAnswers = 0;

  constructor({ owner, streams, windows, output, sender, encoder, keepAlive }: ConnectionParts) {
    this.#owner = owner;
    this.#streams = streams;
    this.#windows = windows;
    this.#output = output;
    this.#sender = sender;
    this.#encoder = encoder;
    this.#keepAlive = keepAlive;
  }

  /** Throws ProtocolError, and whatever the handler of a stream throws; after that it is of no use. */
  push(chunk: Buffer): void {
    this.#reader.push(chunk);
  }

  /** The server has been sent what we owed it. */
  onFlush(): void {
    this.#owedAnswers = 0;
  }

  dataFrame(id: number, length: number): void {
    this.#check(frameType.data, 0, id, length);
    this.#keepAlive.answered();
    this.#windows.take(this.#streams.get(id), length);
  }

  data(id: number, part: Buffer, end: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (part.length > 0) stream.handler.data(part);
    if (end) this.#owner.onEnd(stream);
  }

  frame(type: number, flags: number, id: number, payload: Buffer): void {
    this.#check(type, flags, id, payload.length);
    switch (type) {
      case frameType.data: {
        const padding = (payload[0] ?? 0) + 1;
        if (padding > payload.length) throw new ProtocolError('padding exceeds its frame');
        // Padding counts for the window, too, and nobody will take it.
        this.#streams.get(id)?.credit(padding);
        const part = payload.subarray(1, payload.length - padding + 1);
        return this.data(id, part, (flags & flag.endStream) !== 0);
      }
      case frameType.headers:
        return this.#onHeaders(this.#headers.begin(flags, id, payload));
      case frameType.continuation:
        return this.#onHeaders(this.#headers.goOn(flags, id, payload));
      case frameType.rstStream:
        return this.#onReset(id, payload.readUInt32BE());
      case frameType.settings:
        return this.#onSettings(flags, payload);
      case frameType.ping:
        // That an answer came has been heard already.
        if ((flags & flag.ack) === 0) this.#acknowledge(frameType.ping, payload);
        return;
      case frameType.goaway:
        return this.#onGoaway(payload);
      case frameType.windowUpdate:
        return this.#onWindowUpdate(id, payload.readUInt32BE() & greatestWindow);
      case frameType.pushPromise:
        throw new ProtocolError('it pushes, though we said that it must not');
      default: // RFC 9113, 5.5: unknown types are passed over.
    }
  }

  #check(type: number, flags: number, id: number, length: number): void {
    if (this.#headers.isOpen && type !== frameType.continuation)
      throw new ProtocolError('a header block is interrupted');
    if (this.#isFirst) this.#onFirst(type, flags);
    checkFrame(type, flags, id, length, this.#streams.nextId);
  }

  #onFirst(type: number, flags: number): void {
    if (type !== frameType.settings || flags & flag.ack)
      throw new ProtocolError('its first frame is no SETTINGS');
    this.#isFirst = false;
    this.#owner.onFirst();
  }

  #onHeaders(block: HeaderBlock | undefined): void {
    if (block === undefined) return;
    this.#keepAlive.answered();
    const stream = this.#streams.get(block.stream);
    if (stream === undefined) return;
    const [first] = block.fields;
    const isInterim = first?.[0] === ':status' && first[1].startsWith('1');
    // An interim answer says nothing yet.
    if (!isInterim) stream.handler.headers(block.fields);
    if (block.end) this.#owner.onEnd(stream);
  }

  #onReset(id: number, code: number): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#owner.onReset(stream, code);
  }

  #onSettings(flags: number, payload: Buffer): void {
    if (flags & flag.ack) return;
    for (let at = 0; at < payload.length; at += 6) {
      this.#onSetting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    }
    this.#acknowledge(frameType.settings, Buffer.alloc(0));
    this.#owner.onSettings();
  }

  #onSetting(id: number, value: number): void {
    if (id === setting.headerTableSize) {
      this.#encoder.setTableSize(value);
    } else if (id === setting.maxConcurrentStreams) {
      this.#streams.setLimit(value);
    } else if (id === setting.initialWindowSize) {
      this.#sender.setStreamWindow(value, this.#streams.open());
    } else if (id === setting.maxFrameSize) {
      if (value < leastMaxFrameSize || value >= 2 ** 24)
        throw new ProtocolError(`SETTINGS_MAX_FRAME_SIZE is ${value}`);
      this.#sender.setMaxFrame(value);
    }
  }

  /** Answers a frame of the server's, unless it asks on and on without reading. */
  #acknowledge(type: number, payload: Buffer): void {
    if (++this.#owedAnswers > maxOwedAnswers)
      throw new ProtocolError('it asks and does not read', errorCode.enhanceYourCalm);
    this.#output.write(frame(type, flag.ack, 0, payload));
  }

  #onGoaway(payload: Buffer): void {
    const last = payload.readUInt32BE() & greatestWindow;
    this.#owner.onGoaway(last, payload.readUInt32BE(4), payload.toString('latin1', 8));
  }

  #onWindowUpdate(id: number, more: number): void {
    if (more === 0) throw new ProtocolError('WINDOW_UPDATE of nothing');
    if (id === 0) return this.#sender.widen(more);
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#sender.widenStream(stream, more);
  }
}
