import type { Socket } from 'node:net';
import { asTritonError } from '../as-triton-error.js';
import { TritonError, type TritonErrorCode, type TritonErrorOptions } from '../triton-error.js';
import { changedInput } from './changed-input.js';
import { errorCode, errorNames } from './error-codes.js';
import { frame, frameType, preface, setting, settingsFrame, uint32Frame } from './frames.js';
import { type HeaderFields, HpackEncoder } from './hpack-encoder.js';
import { Http2Stream, type StreamHandler, type StreamOwner } from './http2-stream.js';
import { KeepAlive, type KeepAliveOptions, type KeepAliveOwner } from './keep-alive.js';
import { Output, type OutputOwner } from './output.js';
import { ProtocolError } from './protocol-error.js';
import { ReceiveWindows, streamWindow } from './receive-windows.js';
import { Sender, type SenderOwner } from './sender.js';
import {
  maxFrameSize,
  maxHeaderBytes,
  ServerFrames,
  type ServerFramesOwner,
} from './server-frames.js';
import { resetMeaning } from './stream-reset.js';
import { StreamTable } from './stream-table.js';

export interface Http2Options extends KeepAliveOptions {
  /** A connected socket; with TLS, after its handshake. */
  readonly socket: Socket;
  /** `host:port`, for errors. */
  readonly endpoint: string;
  /** The id of the first call, an odd number. Default 1. */
  readonly firstStream?: number | undefined;
}

/**
 * The client's end of one HTTP/2 connection (RFC 9113), made for many small calls: the frames of all calls that begin within
 * one turn of the event loop leave in one write, and a header that was sent once costs one byte.
 */
export class Http2Connection
  implements ServerFramesOwner, StreamOwner, KeepAliveOwner, OutputOwner, SenderOwner
{
  /** Resolves with the first frame of a server that speaks HTTP/2. */
  readonly ready: Promise<void>;
  readonly #socket: Socket;
  readonly #endpoint: string;
  readonly #output: Output;
  readonly #sender: Sender;
  readonly #windows: ReceiveWindows;
  readonly #streams: StreamTable;
  readonly #keepAlive: KeepAlive;
  readonly #frames: ServerFrames;
  readonly #encoder = new HpackEncoder();
  #settle: { resolve: () => void; reject: (error: TritonError) => void } | undefined;
  /** The last stream whose head was written to the socket. */
  #flushedStream = 0;
  /** Why no new call can begin; those under way may finish. */
  #leaving: TritonError | undefined;
  #closed: TritonError | undefined;

  constructor({ socket, endpoint, firstStream = 1, ...keepAlive }: Http2Options) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#streams = new StreamTable(firstStream);
    this.#output = new Output(socket, this);
    this.#sender = new Sender(this.#output, this);
    this.#windows = new ReceiveWindows(this.#output);
    this.#keepAlive = new KeepAlive(keepAlive, this);
    this.#frames = new ServerFrames({
      owner: this,
      streams: this.#streams,
      windows: this.#windows,
      output: this.#output,
      sender: this.#sender,
      encoder: this.#encoder,
      keepAlive: this.#keepAlive,
    });
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
    this.#windows.begin();
  }

  /** Whether a new call can go this way. */
  get usable(): boolean {
    return this.#closed === undefined && this.#leaving === undefined && this.#streams.hasIds;
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
    if (this.#streams.isFull) this.#streams.wait(stream, fields);
    else this.#begin(stream, fields);
    return stream;
  }

  send(stream: Http2Stream): void {
    if (this.#streams.isOpen(stream)) this.#sender.send(stream);
  }

  reset(stream: Http2Stream): void {
    if (this.#streams.isOpen(stream))
      this.#output.write(uint32Frame(frameType.rstStream, stream.id, errorCode.cancel));
    this.#remove(stream);
  }

  creditStream(stream: Http2Stream, bytes: number): void {
    if (this.#streams.isOpen(stream)) this.#windows.credit(stream, bytes);
  }

  /** Whether the stream's request was given to the socket. */
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
    return !this.#streams.isEmpty;
  }

  sendPing(): void {
    this.#output.write(frame(frameType.ping, 0, 0, Buffer.alloc(8)));
  }

  onDead(silentMs: number): void {
    this.#fail(this.#broken(`no sign of life for ${silentMs} ms: the connection counts as dead`));
  }

  onFlush(): void {
    this.#flushedStream = this.#streams.nextId - 2;
    this.#frames.onFlush();
  }

  onRoom(): void {
    this.#sender.resume();
  }

  onUnsendable(error: Error): void {
    this.#fail(this.#broken(error.message, { cause: error }));
  }

  onChanged(stream: Http2Stream): void {
    this.reset(stream);
    stream.handler.error(changedInput().with({ endpoint: this.#endpoint, progress: 'sent' }));
  }

  // ── what the server says ──

  onFirst(): void {
    this.#settle?.resolve();
    this.#settle = undefined;
    if (!this.isBusy()) this.#socket.unref();
  }

  onSettings(): void {
    this.#beginWaiting();
    this.#sender.resume();
  }

  onReset(stream: Http2Stream, code: number): void {
    this.#remove(stream);
    const [meaning, known] = resetMeaning(code);
    const what = `the server reset the stream: ${errorNames[code] ?? `error ${code}`}`;
    stream.handler.error(this.#error(meaning, what, known));
  }

  onGoaway(last: number, code: number, said: string): void {
    const leaving = this.#broken(
      `the server is going away: ${errorNames[code] ?? code}${said && ` (${said})`}`,
    );
    this.#leaving = leaving;
    // First of all: a stream that ends makes way for one that waits.
    const waiting = this.#streams.takeWaiting();
    const unseen = [...this.#streams.open()].filter(({ id }) => id > last);
    for (const stream of [...unseen, ...waiting]) {
      this.#remove(stream);
      stream.release();
      stream.handler.error(leaving.with({ progress: 'unsent' }));
    }
    this.#closeIfDone();
  }

  onEnd(stream: Http2Stream): void {
    // Given up by its handler meanwhile.
    if (!this.#streams.isOpen(stream)) return;
    // The server answered without the rest of our request: it need not come.
    if (!stream.localEnded)
      this.#output.write(uint32Frame(frameType.rstStream, stream.id, errorCode.cancel));
    this.#remove(stream);
    stream.handler.end();
  }

  // ── streams ──

  #begin(stream: Http2Stream, fields: HeaderFields): void {
    stream.receiveWindow = streamWindow;
    this.#streams.add(stream);
    if (!this.#streams.hasIds) this.#leaving = this.#broken('all ids of its streams are used up');
    this.#sender.begin(stream, this.#encoder.encode(fields));
  }

  #beginWaiting(): void {
    for (let next = this.#streams.next(); next !== undefined; next = this.#streams.next())
      this.#begin(...next);
  }

  #remove(stream: Http2Stream): void {
    if (!this.#streams.remove(stream)) return;
    this.#sender.forget(stream);
    stream.release();
    this.#beginWaiting();
    if (this.#streams.isEmpty) this.#socket.unref();
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
    this.#keepAlive.heard();
    if (this.#settle !== undefined && chunk.toString('latin1', 0, 5) === 'HTTP/') {
      const [line] = chunk.toString('latin1', 0, 60).split('\r\n', 1);
      return this.#failProtocol(`it speaks HTTP/1 ("${line}"), not gRPC: is this the gRPC port?`);
    }
    try {
      this.#frames.push(chunk);
    } catch (error) {
      const isServers = error instanceof ProtocolError;
      this.#goodbye(isServers ? error.code : errorCode.internal);
      if (isServers) this.#failProtocol(`the server breaks HTTP/2: ${error.message}`);
      // A fault of ours is the end of this connection, not of the process.
      else this.#fail(asTritonError(error, { endpoint: this.#endpoint }));
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
    for (const stream of this.#streams.takeAll()) {
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
