import type { Http2Connection } from '../http2/http2-connection.js';
import type { Http2Stream, StreamHandler } from '../http2/http2-stream.js';
import type { Header } from '../http2/hpack-table.js';
import { asTritonError } from '../as-triton-error.js';
import { TritonError } from '../triton-error.js';
import { AnswerHead } from './grpc-status.js';
import { MessageReader } from './message-stream.js';

/** What of a call is known from the start: for its errors. */
export interface CallNames {
  readonly operation: string;
  readonly endpoint: string;
}

/** What became of a call. Nothing follows `done`. */
export interface CallListener {
  /** Returns whether there is room for more; if not, `resume` asks for more. */
  message(message: Buffer): boolean;
  done(error: TritonError | undefined): void;
}

/** One gRPC call on one HTTP/2 stream: messages in, a status at the end. */
export class GrpcCall implements StreamHandler {
  readonly #names: CallNames;
  readonly #listener: CallListener;
  readonly #reader: MessageReader;
  readonly #head = new AnswerHead();
  #stream: Http2Stream | undefined;
  #connection: Http2Connection | undefined;
  #answered = false;
  #ended = false;
  /** Bytes that the server may send again only once there is room. */
  #owed = 0;
  #full = false;

  constructor(names: CallNames, listener: CallListener, maxMessageBytes: number) {
    this.#names = names;
    this.#listener = listener;
    this.#reader = new MessageReader(maxMessageBytes);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Binds the call to its stream: what it is sent on and cancelled by. */
  bind(connection: Http2Connection, stream: Http2Stream): void {
    this.#connection = connection;
    this.#stream = stream;
  }

  /** Ends the call from this side. A call that was given up in silence makes the connection prove that it lives. */
  giveUp(error: TritonError): void {
    if (this.#ended) return;
    if (error.code === 'deadline_exceeded') this.#connection?.suspect();
    // A request that has its stream leaves also where it was given up before the next write: heads are in step with a table.
    const progress = this.#stream === undefined || this.#stream.id === 0 ? 'unsent' : 'sent';
    this.#stream?.cancel();
    this.#finish(error.with({ progress }));
  }

  resume(): void {
    this.#full = false;
    if (this.#owed === 0) return;
    this.#stream?.credit(this.#owed);
    this.#owed = 0;
  }

  headers(fields: readonly Header[]): void {
    this.#head.read(fields);
  }

  data(part: Buffer): void {
    if (this.#full) this.#owed += part.length;
    else this.#stream?.credit(part.length);
    try {
      for (const message of this.#reader.push(part, this.#head.encoding)) {
        this.#answered = true;
        if (!this.#listener.message(message)) this.#full = true;
        if (this.#ended) return;
      }
    } catch (error) {
      // Whatever it is, it is this call's and not the connection's.
      this.giveUp(asTritonError(error, {}));
    }
  }

  end(): void {
    const error =
      this.#head.error({}) ??
      (this.#reader.isWhole
        ? undefined
        : new TritonError('internal', 'the answer is cut off', { reason: 'protocol' }));
    this.#finish(error?.with({ progress: 'sent' }));
  }

  error(error: TritonError): void {
    this.#finish(error);
  }

  #finish(error: TritonError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    const progress = this.#answered ? 'answered' : error?.progress;
    this.#listener.done(error?.with({ ...this.#names, progress }));
  }
}
