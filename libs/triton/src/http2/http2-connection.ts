import type { Socket } from 'node:net';
import { TritonError, type TritonErrorCode, type TritonErrorOptions } from '../triton-error.js';
import { errorCode, errorNames } from './error-codes.js';
import { checkFrame } from './frame-rules.js';
import {
  defaultWindow,
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
import { type HeaderBlock, HeaderBlocks } from './header-blocks.js';
import { type HeaderUse, HpackEncoder } from './hpack-encoder.js';
import type { Header } from './hpack-table.js';
import { Http2Stream, type StreamHandler, type StreamOwner } from './http2-stream.js';
import { KeepAlive, type KeepAliveOptions, type KeepAliveOwner } from './keep-alive.js';
import { Output, type OutputOwner } from './output.js';
import { ProtocolError } from './protocol-error.js';
import { Sender } from './sender.js';

export interface Http2Options extends KeepAliveOptions {
  /** A connected socket; with TLS, after its handshake. */
  readonly socket: Socket;
  /** `host:port`, for errors. */
  readonly endpoint: string;
  /** The id of the first call, an odd number. Default 1. */
  readonly firstStream?: number | undefined;
}

export type HeaderFields = readonly (readonly [field: Header, use: HeaderUse])[];

/** What the server may send on one stream before we took it. */
const streamWindow = 4 * 2 ** 20;
/** What it may send in all; given back as it arrives, so that no stream holds up the others. */
const connectionWindow = 64 * 2 ** 20;
const maxFrameSize = 2 ** 20;
const maxHeaderBytes = 2 ** 18;
const greatestStream = 2 ** 31 - 1;
/** Answers to the server's SETTINGS and PING frames that wait for it to read. */
const maxOwedAnswers = 1_000;

/** What gRPC takes a reset stream for (its document "gRPC over HTTP2"); any other code is `internal`. */
const resets = new Map<number, readonly [TritonErrorCode, TritonErrorOptions]>([
  [errorCode.refusedStream, ['unavailable', { reason: 'connection', progress: 'unsent' }]],
  [errorCode.cancel, ['cancelled', { progress: 'sent' }]],
  [errorCode.enhanceYourCalm, ['resource_exhausted', { progress: 'sent' }]],
  [errorCode.inadequateSecurity, ['permission_denied', { progress: 'sent' }]],
]);
const otherReset = ['internal', { progress: 'sent' }] as const;

/**
 * The client's end of one HTTP/2 connection (RFC 9113), made for many small calls: the frames of all calls that begin within
 * one turn of the event loop leave in one write, and a header that was sent once costs one byte.
 */
export class Http2Connection implements FrameVisitor, StreamOwner, KeepAliveOwner, OutputOwner {
  /** Resolves with the first frame of a server that speaks HTTP/2. */
  readonly ready: Promise<void>;
  readonly #socket: Socket;
  readonly #endpoint: string;
  readonly #output: Output;
  readonly #sender: Sender;
  readonly #keepAlive: KeepAlive;
  readonly #reader = new FrameReader(this, maxFrameSize);
  readonly #headers = new HeaderBlocks(maxHeaderBytes);
  readonly #encoder = new HpackEncoder();
  readonly #streams = new Map<number, Http2Stream>();
  /** Calls beyond the server's SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly #waiting = new Map<Http2Stream, HeaderFields>();
  #settle: { resolve: () => void; reject: (error: TritonError) => void } | undefined;
  #nextStream: number;
  /** The last stream whose head was written to the socket. */
  #flushedStream = 0;
  #uncredited = 0;
  #owedAnswers = 0;
  #peerWindow = defaultWindow;
  #peerMaxStreams = Infinity;
  /** Why no new call can begin; those under way may finish. */
  #leaving: TritonError | undefined;
  #closed: TritonError | undefined;

  constructor({ socket, endpoint, firstStream = 1, ...keepAlive }: Http2Options) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#nextStream = firstStream;
    this.#output = new Output(socket, this);
    this.#sender = new Sender(this.#output);
    this.#keepAlive = new KeepAlive(keepAlive, this);
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#fail(this.#broken(error.message, { cause: error })));
    // Who says no more answers no more: 'close' alone would wait until all that we have to say is read.
    for (const over of ['end', 'close']) {
      socket.on(over, () => this.#fail(this.#broken('the server closed the connection')));
    }
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
      this.#leaving === undefined &&
      this.#nextStream <= greatestStream - 2 * this.#waiting.size
    );
  }

  /** Whether it is over: nothing is under way, and nothing can begin. */
  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /**
   * Begins a call: its head, and data as far as it is there. On a connection that is not usable any more the handler hears the
   * error at once.
   */
  request(
    fields: HeaderFields,
    handler: StreamHandler,
    pieces: readonly Uint8Array[],
    end: boolean,
  ): Http2Stream {
    const stream = new Http2Stream(this, handler);
    const refusal = this.#closed ?? this.#leaving;
    if (refusal !== undefined) {
      handler.error(refusal.with({ progress: 'unsent' }));
      return stream;
    }
    for (const piece of pieces) stream.push(piece);
    stream.ending = end;
    if (!this.isBusy()) this.#socket.ref();
    if (this.#streams.size >= this.#peerMaxStreams) this.#waiting.set(stream, fields);
    else this.#begin(stream, fields);
    return stream;
  }

  send(stream: Http2Stream): void {
    if (this.#streams.get(stream.id) === stream) this.#sender.send(stream);
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
    stream.receiveWindow += stream.uncredited;
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
    return this.#streams.size + this.#waiting.size > 0;
  }

  sendPing(): void {
    this.#output.write(frame(frameType.ping, 0, 0, Buffer.alloc(8)));
  }

  onDead(silentMs: number): void {
    this.#fail(this.#broken(`no sign of life for ${silentMs} ms: the connection counts as dead`));
  }

  onFlush(): void {
    this.#flushedStream = this.#nextStream - 2;
    this.#owedAnswers = 0;
  }

  onRoom(): void {
    this.#sender.resume();
  }

  // ── frames from the server ──

  dataFrame(id: number, length: number): void {
    this.#check(frameType.data, 0, id, length);
    this.#uncredited += length;
    if (this.#uncredited >= connectionWindow / 2) {
      this.#output.write(uint32Frame(frameType.windowUpdate, 0, this.#uncredited));
      this.#uncredited = 0;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0)
      throw new ProtocolError('more data than its window allows', errorCode.flowControl);
  }

  data(id: number, part: Buffer, end: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (part.length > 0) stream.handler.data(part);
    if (end) this.#remoteEnd(stream);
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
    if (this.#settle !== undefined) this.#onFirst(type, flags);
    checkFrame(type, flags, id, length, this.#nextStream);
  }

  #onFirst(type: number, flags: number): void {
    if (type !== frameType.settings || flags & flag.ack)
      throw new ProtocolError('its first frame is no SETTINGS');
    this.#settle?.resolve();
    this.#settle = undefined;
    if (!this.isBusy()) this.#socket.unref();
  }

  #onHeaders(block: HeaderBlock | undefined): void {
    if (block === undefined) return;
    const stream = this.#streams.get(block.stream);
    if (stream === undefined) return;
    const [first] = block.fields;
    const isInterim = first?.[0] === ':status' && first[1].startsWith('1');
    // An interim answer says nothing yet.
    if (!isInterim) stream.handler.headers(block.fields);
    if (block.end) this.#remoteEnd(stream);
  }

  #onReset(id: number, code: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#remove(stream);
    const [meaning, known] = resets.get(code) ?? otherReset;
    const what = `the server reset the stream: ${errorNames[code] ?? `error ${code}`}`;
    stream.handler.error(this.#error(meaning, what, known));
  }

  #onSettings(flags: number, payload: Buffer): void {
    if (flags & flag.ack) return;
    for (let at = 0; at < payload.length; at += 6) {
      this.#onSetting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    }
    this.#acknowledge(frameType.settings, Buffer.alloc(0));
    this.#beginWaiting();
    this.#sender.resume();
  }

  #onSetting(id: number, value: number): void {
    if (id === setting.headerTableSize) {
      this.#encoder.setTableSize(value);
    } else if (id === setting.maxConcurrentStreams) {
      this.#peerMaxStreams = value;
    } else if (id === setting.initialWindowSize) {
      checkWindow(value);
      for (const stream of this.#streams.values()) stream.sendWindow += value - this.#peerWindow;
      this.#peerWindow = value;
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
    const last = payload.readUInt32BE() & greatestStream;
    const code = payload.readUInt32BE(4);
    const said = payload.toString('latin1', 8);
    const leaving = this.#broken(
      `the server is going away: ${errorNames[code] ?? code}${said && ` (${said})`}`,
    );
    this.#leaving = leaving;
    const waiting = [...this.#waiting.keys()];
    // First of all: a stream that ends makes way for one that waits.
    this.#waiting.clear();
    const unseen = [...this.#streams.values()].filter(({ id }) => id > last);
    for (const stream of [...unseen, ...waiting]) {
      this.#remove(stream);
      stream.handler.error(leaving.with({ progress: 'unsent' }));
    }
    this.#closeIfDone();
  }

  #onWindowUpdate(id: number, more: number): void {
    if (more === 0) throw new ProtocolError('WINDOW_UPDATE of nothing');
    if (id === 0) {
      checkWindow(this.#sender.widen(more));
      this.#sender.resume();
      return;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.sendWindow += more;
    checkWindow(stream.sendWindow);
    this.#sender.send(stream);
  }

  // ── streams ──

  #begin(stream: Http2Stream, fields: HeaderFields): void {
    stream.id = this.#nextStream;
    stream.sendWindow = this.#peerWindow;
    stream.receiveWindow = streamWindow;
    this.#nextStream += 2;
    if (this.#nextStream > greatestStream)
      this.#leaving = this.#broken('all ids of its streams are used up');
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
    // Given up by its handler meanwhile.
    if (!this.#streams.has(stream.id)) return;
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
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#leaving === undefined || this.isBusy()) return;
    this.#goodbye(errorCode.noError);
    this.#fail(this.#leaving);
  }

  // ── the connection ──

  #read(chunk: Buffer): void {
    if (this.#closed !== undefined) return;
    this.#keepAlive.heard(chunk.length > frameHeaderSize + 8);
    if (this.#settle !== undefined && chunk.toString('latin1', 0, 5) === 'HTTP/') {
      const [line] = chunk.toString('latin1', 0, 60).split('\r\n', 1);
      return this.#failProtocol(`it speaks HTTP/1 ("${line}"), not gRPC: is this the gRPC port?`);
    }
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#goodbye(error.code);
      this.#failProtocol(`the server breaks HTTP/2: ${error.message}`);
    }
  }

  #goodbye(code: number): void {
    if (this.#closed !== undefined) return;
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(code, 4);
    this.#output.write(frame(frameType.goaway, 0, 0, payload));
    this.#output.flush();
  }

  #failProtocol(message: string): void {
    this.#fail(this.#error('unavailable', message, { reason: 'protocol' }));
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

  #broken(message: string, known: TritonErrorOptions = {}): TritonError {
    return this.#error('unavailable', message, { reason: 'connection', ...known });
  }

  #error(code: TritonErrorCode, message: string, known: TritonErrorOptions): TritonError {
    const endpoint = this.#endpoint;
    return new TritonError(code, `${endpoint}: ${message}`, { endpoint, ...known });
  }
}

function checkWindow(size: number): void {
  if (size > greatestWindow)
    throw new ProtocolError('a window is too large', errorCode.flowControl);
}
