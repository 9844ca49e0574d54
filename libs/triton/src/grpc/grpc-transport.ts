import { watchLimits } from '../call-limits.js';
import { checkConnection } from '../check-connection.js';
import type { ConnectionOptions } from '../connection-options.js';
import { connect } from '../http2/connect.js';
import type { HeaderFields, Http2Connection } from '../http2/http2-connection.js';
import type { Http2Stream } from '../http2/http2-stream.js';
import type { Header } from '../http2/hpack-table.js';
import { metadataFields } from '../metadata-fields.js';
import { PushQueue } from '../push-queue.js';
import type {
  CallContext,
  StreamAnswer,
  StreamCall,
  StreamOperations,
  Transport,
  UnaryCall,
  UnaryOperations,
} from '../transport.js';
import { invalidArgument, TritonError, type TritonErrorOptions } from '../triton-error.js';
import { GrpcGenerate } from './grpc-generate.js';
import { GrpcCall } from './grpc-call.js';
import { frameMessage } from './message-stream.js';
import { type GrpcMethod, grpcMethods, modelStreamInfer } from './methods.js';

const defaultMaxMessageBytes = 2 ** 31 - 1;
/** Answers of one stream that wait for their reader, before the server is asked to hold on. */
const unreadBytes = 2 ** 20;

/**
 * Triton's gRPC protocol on one HTTP/2 connection, which is opened by the first call and again after it broke.
 *
 * @param url `grpc://host:port`, `grpcs://host:port` with TLS; port 8001 where it names none
 */
export function grpcTransport(url: URL, options: ConnectionOptions = {}): Transport {
  return new GrpcTransport(url, options);
}

class GrpcTransport implements Transport {
  readonly #options: ConnectionOptions;
  readonly #host: string;
  readonly #port: number;
  readonly #secure: boolean;
  readonly #endpoint: string;
  readonly #maxMessageBytes: number;
  /** Per method: the fields that are the same in every call. */
  readonly #fields = new Map<string, HeaderFields>();
  readonly #generate: GrpcGenerate;
  /** The one for new calls. */
  #connection: Http2Connection | undefined;
  /** With those that only finish the calls that they have. */
  readonly #connections = new Set<Http2Connection>();
  #connecting: Promise<Http2Connection> | undefined;
  readonly #close = new AbortController();

  constructor(url: URL, options: ConnectionOptions) {
    checkConnection(url, options, ['grpc:', 'grpcs:']);
    if (url.pathname !== '' && url.pathname !== '/')
      throw invalidArgument('url', 'has a path, which gRPC does not', 'leave it out');
    this.#options = options;
    this.#host = url.hostname.replace(/^\[|\]$/g, '');
    this.#port = Number(url.port || 8001);
    this.#secure = url.protocol === 'grpcs:';
    this.#endpoint = `${url.hostname}:${this.#port}`;
    this.#maxMessageBytes = options.maxMessageBytes ?? defaultMaxMessageBytes;
    this.#generate = new GrpcGenerate(
      this,
      (request, context, operation) => this.#streamInfer([request], context, operation),
      this.#endpoint,
    );
  }

  unary<O extends keyof UnaryOperations>(call: UnaryCall<O>): Promise<UnaryOperations[O][1]> {
    if (isGenerate(call)) {
      return this.#generate.once(call);
    }
    const method = grpcMethods[call.operation as keyof typeof grpcMethods] as GrpcMethod<
      UnaryOperations[O][0],
      UnaryOperations[O][1]
    >;
    return new Promise((resolve, reject) => {
      let answer: { readonly message: Buffer } | undefined;
      // A call whose limits have passed already is over before there is anything to stop.
      let stop = (): void => {};
      const names = { operation: call.operation, endpoint: this.#endpoint };
      const grpc = new GrpcCall(
        names,
        {
          message: (message) => {
            answer ??= { message };
            return true;
          },
          done: (error) => {
            stop();
            if (error !== undefined) return reject(error);
            if (answer === undefined) return reject(noAnswer().with(names));
            try {
              resolve(method.decode(answer.message));
            } catch (cause) {
              reject(named(cause, { ...names, progress: 'answered' }));
            }
          },
        },
        this.#maxMessageBytes,
      );
      stop = watchLimits(call.context, (error) => grpc.giveUp(error));
      if (grpc.ended) return;
      try {
        const message = this.#frame(method.encode(call.request));
        this.#start(grpc, method.path, call.context, message, true);
      } catch (error) {
        stop();
        reject(named(error, names));
      }
    });
  }

  stream<O extends keyof StreamOperations>(
    call: StreamCall<O>,
  ): AsyncIterable<StreamOperations[O][1]> {
    if (call.operation === 'GenerateStream') {
      return this.#generate.stream(call as StreamCall<'GenerateStream'>) as AsyncIterable<
        StreamOperations[O][1]
      >;
    }
    const infer = call as StreamCall<'ModelStreamInfer'>;
    return {
      [Symbol.asyncIterator]: () =>
        this.#streamInfer(infer.requests, infer.context, infer.operation),
    } as AsyncIterable<StreamOperations[O][1]>;
  }

  close(): Promise<void> {
    this.#close.abort();
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
    return Promise.resolve();
  }

  #streamInfer(
    requests: StreamCall<'ModelStreamInfer'>['requests'],
    context: CallContext,
    operation: string,
  ): PushQueue<StreamAnswer> {
    const names = { operation, endpoint: this.#endpoint };
    const queue = new PushQueue<StreamAnswer>({
      limit: unreadBytes,
      onRoom: () => grpc.resume(),
      onLeave: () => grpc.giveUp(new TritonError('cancelled', 'the reader left')),
    });
    let stop = (): void => {};
    let stopSending = (): void => {};
    const grpc = new GrpcCall(
      names,
      {
        message: (message) => {
          const { answer, error } = modelStreamInfer.decode(message);
          const located = error === undefined ? { answer } : { answer, error: error.with(names) };
          return queue.push(located, message.length);
        },
        done: (error) => {
          stop();
          stopSending();
          // What was given up here is not read on.
          if (error === undefined) queue.end();
          else queue.fail(error, { drop: error.code === 'cancelled' });
        },
      },
      this.#maxMessageBytes,
    );
    stop = watchLimits(context, (error) => grpc.giveUp(error));
    if (grpc.ended) return queue;
    const { path } = modelStreamInfer;
    try {
      if (Symbol.iterator in requests) {
        const messages = [...requests].flatMap((it) => this.#frame(modelStreamInfer.encode(it)));
        this.#start(grpc, path, context, messages, true);
      } else {
        this.#start(grpc, path, context, [], false, (stream) => {
          stopSending = this.#sendAll(grpc, stream, requests);
        });
      }
    } catch (error) {
      grpc.giveUp(named(error, names));
    }
    return queue;
  }

  /** Sends requests as they come, no faster than the connection takes them. Returns what ends it. */
  #sendAll(
    grpc: GrpcCall,
    stream: Http2Stream,
    requests: AsyncIterable<StreamOperations['ModelStreamInfer'][0]>,
  ): () => void {
    const source = requests[Symbol.asyncIterator]();
    const send = async (): Promise<void> => {
      try {
        for (;;) {
          const { done, value } = await source.next();
          if (grpc.ended) return;
          stream.send(done ? [] : this.#frame(modelStreamInfer.encode(value)), done === true);
          if (done) return;
          await stream.drained();
        }
      } catch (error) {
        grpc.giveUp(
          error instanceof TritonError
            ? error
            : new TritonError('cancelled', 'the requests of the stream failed', { cause: error }),
        );
      }
    };
    void send();
    return () => void source.return?.().catch(() => {});
  }

  #frame(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
    return frameMessage(pieces, this.#options.compression);
  }

  #start(
    grpc: GrpcCall,
    path: string,
    context: CallContext,
    pieces: readonly Uint8Array[],
    end: boolean,
    onBegin?: (stream: Http2Stream) => void,
  ): void {
    const metadata = metadataFields(context.metadata);
    const begin = (connection: Http2Connection): void => {
      if (grpc.ended) return;
      const fields = this.#headers(path, metadata, context.deadline);
      const stream = connection.request(fields, grpc, pieces, end);
      grpc.bind(connection, stream);
      if (!grpc.ended) onBegin?.(stream);
    };
    const connection = this.#connection;
    if (connection?.usable) begin(connection);
    else
      this.#connect()
        .then(begin)
        .catch((error: unknown) => grpc.error(named(error, {})));
  }

  /** One attempt at a time, for all who wait. */
  #connect(): Promise<Http2Connection> {
    const { signal } = this.#close;
    if (signal.aborted) {
      return Promise.reject(
        new TritonError('cancelled', 'the client is closed', { endpoint: this.#endpoint }),
      );
    }
    this.#connecting ??= connect(this.#host, this.#port, this.#secure, this.#options, signal)
      .then((connection) => {
        for (const old of this.#connections) if (old.closed) this.#connections.delete(old);
        this.#connections.add(connection);
        this.#connection = connection;
        if (signal.aborted) connection.close();
        return connection;
      })
      .finally(() => {
        this.#connecting = undefined;
      });
    return this.#connecting;
  }

  #headers(path: string, metadata: readonly Header[], deadline: number | undefined): HeaderFields {
    let fixed = this.#fields.get(path);
    if (fixed === undefined) {
      fixed = this.#fixedFields(path);
      this.#fields.set(path, fixed);
    }
    if (metadata.length === 0 && deadline === undefined) return fixed;
    const more: HeaderFields = metadata.map((field) => [
      field,
      isSecret(field[0]) ? 'secret' : 'once',
    ]);
    if (deadline === undefined) return [...fixed, ...more];
    return [
      ...fixed,
      [['grpc-timeout', timeoutText(deadline - performance.now())], 'once'],
      ...more,
    ];
  }

  #fixedFields(path: string): HeaderFields {
    const fields: Header[] = [
      [':method', 'POST'],
      [':scheme', this.#secure ? 'https' : 'http'],
      [':path', path],
      [':authority', this.#options.tls?.serverName ?? this.#endpoint],
      ['te', 'trailers'],
      ['content-type', 'application/grpc'],
      ['user-agent', 'hammerline-triton'],
      ['grpc-accept-encoding', 'identity,deflate,gzip'],
    ];
    const { compression } = this.#options;
    if (compression !== undefined) fields.push(['grpc-encoding', compression]);
    return fields.map((field) => [field, 'indexed'] as const);
  }
}

function isGenerate(call: UnaryCall): call is UnaryCall<'Generate'> {
  return call.operation === 'Generate';
}

/** What proves an identity must not enter any table on the way. */
function isSecret(name: string): boolean {
  return name === 'authorization' || name === 'cookie' || name.startsWith('triton-grpc-protocol-');
}

/** As gRPC writes it: at most eight digits and a unit. A server must not give up before we do. */
function timeoutText(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms));
  return whole < 1e8 ? `${whole}m` : `${Math.min(Math.ceil(whole / 1000), 99_999_999)}S`;
}

function noAnswer(): TritonError {
  return new TritonError('internal', 'the call ended well, but without an answer', {
    reason: 'protocol',
    progress: 'sent',
  });
}

function named(error: unknown, known: TritonErrorOptions): TritonError {
  if (error instanceof TritonError) return error.with(known);
  return new TritonError('internal', error instanceof Error ? error.message : String(error), {
    ...known,
    cause: error,
  });
}
