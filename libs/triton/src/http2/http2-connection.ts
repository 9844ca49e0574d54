import type { Socket } from 'node:net';
import { TritonError, type TritonErrorReason } from '../triton-error.js';
import {
  defaultWindow,
  errorCode,
  errorNames,
  flag,
  frame,
  frameHeaderSize,
  FrameReader,
  frameType,
  type FrameVisitor,
  greatestWindow,
  leastMaxFrameSize,
  preface,
  setting,
  settingsFrame,
  uint32Frame,
} from './frames.js';
import { HpackDecoder } from './hpack-decoder.js';
import { type HeaderUse, HpackEncoder } from './hpack-encoder.js';
import type { Header } from './hpack-table.js';
import { KeepAlive, type KeepAliveOptions, type KeepAliveOwner } from './keep-alive.js';
import { Output } from './output.js';
import { Sender } from './sender.js';
import { Http2Stream, type StreamHandler, type StreamOwner } from './http2-stream.js';

export interface Http2Options extends KeepAliveOptions {
  /** A connected socket; with TLS, after its handshake. */
  readonly socket: Socket;
  /** `host:port`, for errors. */
  readonly endpoint: string;
}

export type HeaderFields = readonly (readonly [field: Header, use: HeaderUse])[];

/** What the server may send on one stream before we took it. */
const streamWindow = 4 * 2 ** 20;
/** What it may send in all; given back as it arrives, so that no stream holds up the others. */
const connectionWindow = 64 * 2 ** 20;
const maxFrameSize = 2 ** 20;
const maxHeaderBytes = 2 ** 18;
/** Streams left on an old connection may finish, but new ones need another before the ids run out. */
const greatestStream = 2 ** 31 - 1;
/**
 * The client's end of one HTTP/2 connection (RFC 9113), made for many small calls: the frames of all calls that begin within
 * one turn of the event loop leave in one write, and a header that was sent once costs one byte.
 */
export class Http2Connection implements FrameVisitor, StreamOwner, KeepAliveOwner {
  /** Resolves with the first frame of a server that speaks HTTP/2. */
  readonly ready: Promise<void>;
  readonly #socket: Socket;
  readonly #endpoint: string;
  readonly #output: Output;
  readonly #sender: Sender;
  readonly #keepAlive: KeepAlive;
  readonly #reader = new FrameReader(this, maxFrameSize);
  readonly #decoder = new HpackDecoder(maxHeaderBytes);
  readonly #encoder = new HpackEncoder();
  readonly #streams = new Map<number, Http2Stream>();
  /** Calls beyond the server's SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly #waiting = new Map<Http2Stream, HeaderFields>();
  #settle: { resolve: () => void; reject: (error: TritonError) => void } | undefined;
  #nextStream = 1;
  /** The last stream whose head was written to the socket. */
  #flushedStream = 0;
  #uncredited = 0;
  #peerWindow = defaultWindow;
  #peerMaxStreams = Infinity;
  /** A header block that goes on in CONTINUATION frames. */
  #block: { stream: number; end: boolean; parts: Buffer[]; bytes: number } | undefined;
  #goaway: TritonError | undefined;
  #closed: TritonError | undefined;
  constructor({ socket, endpoint, ...keepAlive }: Http2Options) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#output = new Output(socket, () => {
      this.#flushedStream = this.#nextStream - 2;
    });
    this.#sender = new Sender(this.#output);
    this.#keepAlive = new KeepAlive(keepAlive, this);
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => {
      this.#fail(this.#error('unavailable', 'connection', error.message, error));
    });
    socket.on('close', () => {
      this.#fail(this.#error('unavailable', 'connection', 'the server closed the connection'));
    });
    this.#output.write(preface);
    this.#output.write(
      settingsFrame({
        [setting.enablePush]: 0,
        [setting.initialWindowSize]: streamWindow,
        [setting.maxFrameSize]: maxFrameSize,
        [setting.maxHeaderListSize]: maxHeaderBytes,
      }),
    );
    const more = connectionWindow - defaultWindow;
    this.#output.write(uint32Frame(frameType.windowUpdate, 0, more));
  }

  /** Whether a new call can go this way. */
  get usable(): boolean {
    return (
      this.#closed === undefined &&
      this.#goaway === undefined &&
      this.#nextStream <= greatestStream - 2 * this.#waiting.size
    );
  }

  /** Begins a call: its head, and data as far as it is there. */
  request(
    fields: HeaderFields,
    handler: StreamHandler,
    pieces: readonly Uint8Array[],
    end: boolean,
  ): Http2Stream {
    const stream = new Http2Stream(this, handler);
    for (const piece of pieces) stream.push(piece);
    stream.ending = end;
    if (this.#streams.size + this.#waiting.size === 0) this.#socket.ref();
    if (this.#streams.size >= this.#peerMaxStreams) this.#waiting.set(stream, fields);
    else this.#begin(stream, fields);
    return stream;
  }

  send(stream: Http2Stream): void {
    if (stream.id !== 0) this.#sender.send(stream);
  }

  reset(stream: Http2Stream): void {
    if (this.#waiting.delete(stream)) {
      this.#afterStream(stream);
    } else if (this.#streams.get(stream.id) === stream) {
      this.#output.write(uint32Frame(frameType.rstStream, stream.id, errorCode.cancel));
      this.#remove(stream);
    }
  }

  creditStream(stream: Http2Stream, bytes: number): void {
    stream.uncredited += bytes;
    if (stream.uncredited < streamWindow / 2 || !this.#streams.has(stream.id)) return;
    this.#output.write(uint32Frame(frameType.windowUpdate, stream.id, stream.uncredited));
    stream.uncredited = 0;
  }

  /** Whether the server may have seen the stream's request. */
  wasSent(stream: Http2Stream): boolean {
    return stream.id !== 0 && stream.id <= this.#flushedStream;
  }

  /** A call got no answer in time: is the other end still there? */
  suspect(): void {
    if (this.#closed === undefined) this.#keepAlive.suspect();
  }

  /** Ends every call under way with `cancelled`. */
  close(): void {
    this.#goodbye(errorCode.noError);
    this.#fail(new TritonError('cancelled', 'the client was closed', { endpoint: this.#endpoint }));
  }

  isBusy(): boolean {
    return this.#streams.size > 0;
  }

  sendPing(): void {
    this.#output.write(frame(frameType.ping, 0, 0, Buffer.alloc(8)));
  }

  onDead(silentMs: number): void {
    const message = `no sign of life for ${silentMs} ms: the connection counts as dead`;
    this.#fail(this.#error('unavailable', 'connection', message));
  }

  // ── frames from the server ──

  dataFrame(id: number, length: number): void {
    this.#uncredited += length;
    if (this.#uncredited >= connectionWindow / 2) {
      this.#output.write(uint32Frame(frameType.windowUpdate, 0, this.#uncredited));
      this.#uncredited = 0;
    }
    if (id >= this.#nextStream || id % 2 === 0) this.#protocolError(`data on stream ${id}`);
  }

  data(id: number, part: Buffer, end: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (part.length > 0) stream.handler.data(part);
    if (end) this.#remoteEnd(stream);
  }

  frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.#closed !== undefined) return;
    if (this.#block !== undefined && (type !== frameType.continuation || id !== this.#block.stream))
      return this.#protocolError('a header block is interrupted');
    if (this.#settle !== undefined) {
      if (type !== frameType.settings) return this.#protocolError('its first frame is no SETTINGS');
      this.#settle.resolve();
      this.#settle = undefined;
    }
    switch (type) {
      case frameType.data: {
        const padding = (payload[0] ?? 0) + 1;
        if (padding > payload.length) return this.#protocolError('padding exceeds its frame');
        // Padding counts for the window, too, and nobody will take it.
        this.#streams.get(id)?.credit(padding);
        const part = payload.subarray(1, payload.length - padding + 1);
        return this.data(id, part, (flags & flag.endStream) !== 0);
      }
      case frameType.headers:
        return this.#onHeaders(flags, id, payload);
      case frameType.continuation:
        return this.#onContinuation(flags, payload);
      case frameType.rstStream:
        return this.#onReset(id, payload);
      case frameType.settings:
        return this.#onSettings(flags, payload);
      case frameType.ping:
        return this.#onPing(flags, payload);
      case frameType.goaway:
        return this.#onGoaway(payload);
      case frameType.windowUpdate:
        return this.#onWindowUpdate(id, payload);
      case frameType.pushPromise:
        return this.#protocolError('it pushes, though we said that it must not');
      default: // RFC 9113, 5.5: unknown types are passed over.
    }
  }

  tooLong(length: number): void {
    this.#protocolError(`a frame of ${length} bytes`, errorCode.frameSize);
  }

  #onHeaders(flags: number, id: number, payload: Buffer): void {
    let start = 0;
    let padding = 0;
    if (flags & flag.padded) padding = payload[start++] ?? 0;
    if (flags & flag.priority) start += 5;
    if (start + padding > payload.length) return this.#protocolError('padding exceeds its frame');
    if (id === 0 || id >= this.#nextStream || id % 2 === 0)
      return this.#protocolError(`headers on stream ${id}`);
    this.#block = { stream: id, end: (flags & flag.endStream) !== 0, parts: [], bytes: 0 };
    this.#onContinuation(flags, payload.subarray(start, payload.length - padding));
  }

  #onContinuation(flags: number, payload: Buffer): void {
    const block = this.#block;
    if (block === undefined) return this.#protocolError('CONTINUATION of nothing');
    block.parts.push(payload);
    block.bytes += payload.length;
    // Each frame counts something: endless empty ones must not be taken for ever either.
    if (block.bytes + block.parts.length * 64 > maxHeaderBytes)
      return this.#protocolError('a header block is too large', errorCode.enhanceYourCalm);
    if ((flags & flag.endHeaders) === 0) return;
    this.#block = undefined;
    const [only = Buffer.alloc(0)] = block.parts;
    const bytes = block.parts.length === 1 ? only : Buffer.concat(block.parts, block.bytes);
    let fields: Header[];
    try {
      fields = this.#decoder.decode(bytes);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return this.#protocolError(`its headers are broken: ${why}`, errorCode.compression);
    }
    const stream = this.#streams.get(block.stream);
    if (stream === undefined) return;
    const [first] = fields;
    // An interim answer says nothing yet.
    if (first?.[0] === ':status' && first[1].startsWith('1')) return;
    stream.handler.headers(fields);
    if (block.end) this.#remoteEnd(stream);
  }

  #onReset(id: number, payload: Buffer): void {
    if (payload.length !== 4) return this.#protocolError('RST_STREAM has a wrong size');
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#remove(stream);
    const code = payload.readUInt32BE();
    const name = errorNames[code] ?? `error ${code}`;
    const error = this.#error(
      code === errorCode.cancel
        ? 'cancelled'
        : code === errorCode.enhanceYourCalm
          ? 'resource_exhausted'
          : code === errorCode.refusedStream
            ? 'unavailable'
            : 'internal',
      code === errorCode.refusedStream ? 'connection' : undefined,
      `the server reset the stream: ${name}`,
    );
    const progress = code === errorCode.refusedStream ? 'unsent' : 'sent';
    stream.handler.error(error.with({ progress }));
  }

  #onSettings(flags: number, payload: Buffer): void {
    if (flags & flag.ack) return;
    if (payload.length % 6 !== 0) return this.#protocolError('SETTINGS have a wrong size');
    for (let at = 0; at < payload.length; at += 6) {
      this.#onSetting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    }
    this.#output.write(frame(frameType.settings, flag.ack, 0, Buffer.alloc(0)));
    this.#beginWaiting();
    this.#sender.resume();
  }

  #onSetting(id: number, value: number): void {
    if (id === setting.headerTableSize) {
      this.#encoder.setTableSize(value);
    } else if (id === setting.maxConcurrentStreams) {
      this.#peerMaxStreams = value;
    } else if (id === setting.initialWindowSize) {
      if (value > greatestWindow)
        return this.#protocolError('a window is too large', errorCode.flowControl);
      for (const stream of this.#streams.values()) stream.sendWindow += value - this.#peerWindow;
      this.#peerWindow = value;
    } else if (id === setting.maxFrameSize) {
      if (value < leastMaxFrameSize || value >= 2 ** 24)
        return this.#protocolError(`SETTINGS_MAX_FRAME_SIZE is ${value}`);
      this.#sender.setMaxFrame(value);
    }
  }

  #onPing(flags: number, payload: Buffer): void {
    if (payload.length !== 8)
      return this.#protocolError('PING has a wrong size', errorCode.frameSize);
    // That an answer came has been heard already.
    if ((flags & flag.ack) === 0) this.#output.write(frame(frameType.ping, flag.ack, 0, payload));
  }

  #onGoaway(payload: Buffer): void {
    if (payload.length < 8) return this.#protocolError('GOAWAY has a wrong size');
    const last = payload.readUInt32BE() & greatestStream;
    const code = payload.readUInt32BE(4);
    const said = payload.toString('latin1', 8);
    const why = `the server is going away: ${errorNames[code] ?? code}${said && ` (${said})`}`;
    this.#goaway = this.#error('unavailable', 'connection', why);
    for (const stream of [...this.#streams.values()].filter(({ id }) => id > last)) {
      this.#remove(stream);
      stream.handler.error(this.#goaway.with({ progress: 'unsent' }));
    }
    for (const stream of this.#waiting.keys()) {
      stream.handler.error(this.#goaway.with({ progress: 'unsent' }));
    }
    this.#waiting.clear();
    this.#closeIfDone();
  }

  #onWindowUpdate(id: number, payload: Buffer): void {
    if (payload.length !== 4) return this.#protocolError('WINDOW_UPDATE has a wrong size');
    const more = payload.readUInt32BE() & greatestWindow;
    if (id === 0) {
      if (more === 0 || !this.#sender.widen(more))
        return this.#protocolError('a window is too large', errorCode.flowControl);
    } else {
      const stream = this.#streams.get(id);
      if (stream === undefined) return;
      stream.sendWindow += more;
    }
    this.#sender.resume();
  }

  // ── streams ──

  #begin(stream: Http2Stream, fields: HeaderFields): void {
    stream.id = this.#nextStream;
    stream.sendWindow = this.#peerWindow;
    this.#nextStream += 2;
    this.#streams.set(stream.id, stream);
    this.#sender.begin(stream, this.#encoder.encode(fields));
  }

  #beginWaiting(): void {
    for (const [stream, fields] of this.#waiting) {
      if (this.#streams.size >= this.#peerMaxStreams) return;
      this.#waiting.delete(stream);
      this.#begin(stream, fields);
    }
  }

  #remoteEnd(stream: Http2Stream): void {
    // The server answered without the rest of our request: it need not come.
    if (!stream.localEnded)
      this.#output.write(uint32Frame(frameType.rstStream, stream.id, errorCode.cancel));
    this.#remove(stream);
    stream.handler.end();
  }

  #remove(stream: Http2Stream): void {
    this.#streams.delete(stream.id);
    this.#sender.forget(stream);
    this.#afterStream(stream);
  }

  #afterStream(stream: Http2Stream): void {
    stream.release();
    if (this.#waiting.size > 0) this.#beginWaiting();
    else if (this.#streams.size === 0) this.#socket.unref();
    if (this.#goaway !== undefined) this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#streams.size > 0 || this.#closed !== undefined) return;
    this.#fail(this.#goaway ?? this.#error('unavailable', 'connection', 'it is going away'));
  }

  // ── the connection ──

  #read(chunk: Buffer): void {
    this.#keepAlive.heard(chunk.length > frameHeaderSize + 8);
    if (this.#settle !== undefined && chunk.toString('latin1', 0, 5) === 'HTTP/') {
      const [line] = chunk.toString('latin1', 0, 60).split('\r\n', 1);
      const message = `it speaks HTTP/1 ("${line}"), not gRPC: is this the gRPC port?`;
      return this.#fail(this.#error('unavailable', 'protocol', message));
    }
    this.#reader.push(chunk);
  }

  #protocolError(what: string, code: number = errorCode.protocol): void {
    if (this.#closed !== undefined) return;
    this.#goodbye(code);
    this.#fail(this.#error('unavailable', 'protocol', `the server breaks HTTP/2: ${what}`));
  }

  #goodbye(code: number): void {
    if (this.#closed !== undefined) return;
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(code, 4);
    this.#output.write(frame(frameType.goaway, 0, 0, payload));
    this.#output.flush();
  }

  #fail(error: TritonError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    this.#keepAlive.stop();
    this.#output.close();
    this.#settle?.reject(error);
    this.#settle = undefined;
    const streams = [...this.#streams.values(), ...this.#waiting.keys()];
    this.#streams.clear();
    this.#waiting.clear();
    for (const stream of streams) {
      const progress = this.wasSent(stream) ? 'sent' : 'unsent';
      stream.release();
      stream.handler.error(error.with({ progress }));
    }
  }

  #error(
    code: 'unavailable' | 'internal' | 'cancelled' | 'resource_exhausted',
    reason: TritonErrorReason | undefined,
    message: string,
    cause?: unknown,
  ): TritonError {
    return new TritonError(code, `${this.#endpoint}: ${message}`, {
      reason,
      endpoint: this.#endpoint,
      cause,
    });
  }
}
