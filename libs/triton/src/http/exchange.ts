import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { watchLimits } from '../call-limits.js';
import type { CallContext } from '../transport.js';
import type { Progress, TritonError } from '../triton-error.js';
import { connectionError } from '../connection-error.js';

const expected = { protocol: 'HTTP/1.1', plain: 'http:', secure: 'https:', port: 'HTTP' } as const;

/** Takes what an exchange brings; nothing comes after `ended` or `failed`. What it throws fails the exchange. */
export interface Receiver {
  /** Whether something of use to the caller has come. */
  readonly answered: boolean;
  started(status: number, headers: IncomingHttpHeaders): void;
  received(chunk: Buffer): void;
  ended(): void;
  failed(error: TritonError): void;
}

/**
 * One request and its answer, on a connection of their own for that time: until the answer is whole, something breaks, or
 * the call is given up. Then the connection is destroyed, which is how HTTP/1.1 tells the server.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #receiver: Receiver;
  readonly #endpoint: string;
  readonly #stopWatching: () => void = () => {};
  #request: Dispatcher.DispatchOptions | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #heard = false;
  #over = false;

  /** From here on deadline and signal are heeded. */
  constructor(receiver: Receiver, endpoint: string, context: CallContext) {
    this.#receiver = receiver;
    this.#endpoint = endpoint;
    this.#stopWatching = watchLimits(context, (error) => this.abort(error));
  }

  start(dispatcher: Dispatcher, request: Dispatcher.DispatchOptions): void {
    if (this.#over) return;
    this.#request = request;
    dispatcher.dispatch(request, this);
  }

  /** Ends the exchange before its time. Where undici still waits for a connection for it, it will never begin. */
  abort(error: TritonError): void {
    if (this.#over) return;
    this.#fail(error.with({ progress: this.#progress }));
    this.#controller?.abort(error);
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Undici drops the request then, and keeps the connection.
    if (this.#over) throw new Error('given up');
    this.#controller = controller;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (this.#over || status < 200) return;
    this.#heard = true;
    this.#receiver.started(status, headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#over) this.#receiver.received(chunk);
  }

  onResponseEnd(): void {
    if (this.#over) return;
    // First: what it throws comes back by onResponseError.
    this.#receiver.ended();
    this.#end();
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#over) return;
    this.#fail(connectionError(error, this.#endpoint, this.#progress, expected, this.#heard));
  }

  get #progress(): Progress {
    if (this.#receiver.answered) return 'answered';
    return this.#controller ? 'sent' : 'unsent';
  }

  #fail(error: TritonError): void {
    this.#end();
    this.#dropBody();
    this.#receiver.failed(error);
  }

  /** Undici keeps what waits for a connection until there is one, though it will not be sent. */
  #dropBody(): void {
    const request = this.#request;
    if (!request || this.#controller) return;
    if (Array.isArray(request.body)) request.body.length = 0;
    request.body = null;
  }

  #end(): void {
    this.#over = true;
    this.#stopWatching();
  }
}
