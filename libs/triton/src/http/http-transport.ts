import type { Pool } from 'undici';
import type { ConnectionOptions } from '../connection-options.js';
import type { GenerateFields } from '../protocol.js';
import type {
  CallContext,
  GenerateRequest,
  StreamCall,
  StreamOperations,
  Transport,
  UnaryCall,
  UnaryOperations,
} from '../transport.js';
import { invalidArgument, TritonError } from '../triton-error.js';
import { compressed } from './compression.js';
import { dispatchOptions } from './dispatch-options.js';
import { Exchange, type Receiver } from './exchange.js';
import { GenerateStream } from './generate-stream.js';
import { openPool } from './open-pool.js';
import type { Encoding, HttpOperation, HttpRequest } from './http-message.js';
import { generateRequest, httpOperations } from './http-operations.js';
import { WholeAnswer } from './whole-answer.js';

/**
 * Triton's HTTP/REST protocol, with binary tensors, over up to 64 connections that are kept open. It has no
 * `ModelStreamInfer`. Only inference requests are compressed, as Triton decompresses no others.
 *
 * @param url `http:` or `https:`; a path in it is put before Triton's own
 * @throws TritonError `invalid_argument` for a URL or options that make no sense
 */
export function httpTransport(url: URL, options: ConnectionOptions = {}): Transport {
  return new HttpTransport(url, options);
}

class HttpTransport implements Transport {
  readonly #pool: Pool;
  readonly #endpoint: string;
  readonly #prefix: string;
  readonly #encoding: Encoding | undefined;
  readonly #maxBytes: number;
  #closed = false;

  constructor(url: URL, options: ConnectionOptions) {
    checkUrl(url, options);
    this.#pool = openPool(url, options);
    this.#endpoint = `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`;
    this.#prefix = url.pathname.replace(/\/+$/, '');
    this.#encoding = options.compression;
    this.#maxBytes = options.maxMessageBytes ?? 2 ** 31 - 1;
  }

  async unary<O extends keyof UnaryOperations>(call: UnaryCall<O>): Promise<UnaryOperations[O][1]> {
    const { operation, request, context } = call;
    const { encode, decode }: HttpOperation<O> = httpOperations[operation];
    try {
      let message = encode(request);
      if (this.#encoding && message.jsonLength !== undefined) {
        message = await compressed(message, this.#encoding);
      }
      const answer = new WholeAnswer(this.#maxBytes);
      this.#start(message, context, answer);
      return decode(await answer.promise);
    } catch (error) {
      throw this.#explain(error, operation);
    }
  }

  stream<O extends keyof StreamOperations>(
    call: StreamCall<O>,
  ): AsyncIterable<StreamOperations[O][1]>;
  async *stream({ operation, requests, context }: StreamCall): AsyncIterable<GenerateFields> {
    try {
      if (operation !== 'GenerateStream') {
        const message =
          'Triton has no streaming inference over HTTP; use gRPC, or generateStream for one request';
        throw new TritonError('unimplemented', message);
      }
      const request = await theOne(requests as StreamCall<'GenerateStream'>['requests']);
      const stream = new GenerateStream(this.#maxBytes);
      const exchange = this.#start(generateRequest(request, '/generate_stream'), context, stream);
      try {
        yield* stream.answers(exchange);
      } finally {
        exchange.abort(new TritonError('cancelled', 'the stream was left'));
      }
    } catch (error) {
      throw this.#explain(error, operation);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#pool.destroy(closed());
  }

  #start(message: HttpRequest, context: CallContext, receiver: Receiver): Exchange {
    if (this.#closed) throw closed();
    const exchange = new Exchange(receiver, this.#endpoint);
    exchange.start(this.#pool, dispatchOptions(message, this.#prefix, context), context);
    return exchange;
  }

  #explain(error: unknown, operation: string): TritonError {
    const known = { operation, endpoint: this.#endpoint };
    if (error instanceof TritonError) return error.with(known);
    return new TritonError('internal', `unexpected: ${String(error)}`, { ...known, cause: error });
  }
}

function closed(): TritonError {
  return new TritonError('cancelled', 'the transport was closed');
}

function checkUrl(
  { protocol, username, password, search, hash }: URL,
  { tls }: ConnectionOptions,
): void {
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw invalidArgument(
      'url',
      `${protocol} is not HTTP`,
      'give http://host:port or https://host:port',
    );
  }
  if (username || password || search || hash) {
    const problem = 'has a user, a query or a fragment';
    throw invalidArgument('url', problem, 'leave them out; give credentials as metadata');
  }
  if (tls && protocol === 'http:') {
    throw invalidArgument('tls', 'without https:', 'give an https: URL, or leave it out');
  }
}

async function theOne(
  requests: Iterable<GenerateRequest> | AsyncIterable<GenerateRequest>,
): Promise<GenerateRequest> {
  for await (const request of requests) return request;
  throw invalidArgument('requests', 'none', 'give one request');
}
