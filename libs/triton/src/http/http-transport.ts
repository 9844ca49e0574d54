import type { Pool } from 'undici';
import { asTritonError } from '../as-triton-error.js';
import { checkConnection } from '../check-connection.js';
import type { ConnectionOptions } from '../connection-options.js';
import type { GenerateFields } from '../protocol.js';
import { PushQueue } from '../push-queue.js';
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
import { Exchange } from './exchange.js';
import { GenerateStream } from './generate-stream.js';
import type { Encoding, HttpOperation } from './http-message.js';
import { generateRequest, httpOperations } from './http-operations.js';
import { openPool } from './open-pool.js';
import { WholeAnswer } from './whole-answer.js';

const MAX_MESSAGE_BYTES = 2 ** 31 - 1;

/** Of the answers of a stream, before its connection is not read further. */
const UNREAD_BYTES = 65_536;

/**
 * Triton's HTTP/REST protocol, with binary tensors, over connections that are kept open, one for each call under way. It has no
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
    checkConnection(url, options, ['http:', 'https:']);
    this.#pool = openPool(url, options);
    this.#endpoint = `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`;
    this.#prefix = url.pathname.replace(/\/+$/, '');
    this.#encoding = options.compression;
    this.#maxBytes = Math.min(options.maxMessageBytes ?? MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES);
  }

  async unary<O extends keyof UnaryOperations>(call: UnaryCall<O>): Promise<UnaryOperations[O][1]> {
    const { operation, request, context } = call;
    const { encode, decode }: HttpOperation<O> = httpOperations[operation];
    try {
      let message = encode(request);
      if (this.#encoding && message.jsonLength !== undefined) {
        message = await compressed(message, this.#encoding);
      }
      const options = dispatchOptions(message, this.#prefix, context);
      if (this.#closed) throw closed();
      const answer = new WholeAnswer(this.#maxBytes);
      new Exchange(answer, this.#endpoint, context).start(this.#pool, options);
      return decode(await answer.promise);
    } catch (error) {
      throw this.#explain(error, operation);
    }
  }

  stream<O extends keyof StreamOperations>(
    call: StreamCall<O>,
  ): AsyncIterable<StreamOperations[O][1]>;
  stream({ operation, requests, context }: StreamCall): AsyncIterable<GenerateFields> {
    const open = (): AsyncIterator<GenerateFields> =>
      operation === 'GenerateStream'
        ? this.#generate(requests as StreamCall<'GenerateStream'>['requests'], context)
        : this.#noStream(operation);
    return { [Symbol.asyncIterator]: open };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#pool.destroy(closed());
  }

  #generate(
    requests: StreamCall<'GenerateStream'>['requests'],
    context: CallContext,
  ): AsyncIterator<GenerateFields> {
    const answers = new PushQueue<GenerateFields>({
      limit: UNREAD_BYTES,
      onRoom: () => exchange.resume(),
      onLeave: () => exchange.abort(new TritonError('cancelled', 'the reader left')),
    });
    const explain = (error: unknown): TritonError => this.#explain(error, 'GenerateStream');
    const pause = (): void => exchange.pause();
    const stream = new GenerateStream({ answers, pause, explain }, this.#maxBytes);
    const exchange = new Exchange(stream, this.#endpoint, context);
    const start = async (): Promise<void> => {
      const message = generateRequest(await theOne(requests), '/generate_stream');
      if (this.#closed) throw closed();
      exchange.start(this.#pool, dispatchOptions(message, this.#prefix, context));
    };
    start().catch((error: unknown) => exchange.abort(explain(error)));
    return answers;
  }

  #noStream(operation: string): AsyncIterator<GenerateFields> {
    const answers = new PushQueue<GenerateFields>();
    const message =
      'Triton has no streaming inference over HTTP; use gRPC, or generateStream for one request';
    answers.fail(this.#explain(new TritonError('unimplemented', message), operation));
    return answers;
  }

  #explain(error: unknown, operation: string): TritonError {
    return asTritonError(error, { operation, endpoint: this.#endpoint });
  }
}

function closed(): TritonError {
  return new TritonError('cancelled', 'the transport was closed');
}

async function theOne(
  requests: Iterable<GenerateRequest> | AsyncIterable<GenerateRequest>,
): Promise<GenerateRequest> {
  for await (const request of requests) return request;
  throw invalidArgument('requests', 'none', 'give one request');
}
