import { asTritonError } from '../as-triton-error.js';
import { watchLimits } from '../call-limits.js';
import { checkConnection } from '../check-connection.js';
import type { ConnectionOptions } from '../connection-options.js';
import { connect } from '../http2/connect.js';
import { byteLength, changedInput } from '../http2/changed-input.js';
import type { Http2Connection } from '../http2/http2-connection.js';
import type { Http2Stream } from '../http2/http2-stream.js';
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
import { invalidArgument, TritonError } from '../triton-error.js';
import { CallHeaders } from './call-headers.js';
import { GrpcGenerate } from './grpc-generate.js';
import { GrpcCall } from './grpc-call.js';
import { frameMessage, frameSingle } from './message-stream.js';
import { type GrpcMethod, grpcMethods, modelStreamInfer } from './methods.js';
import { pumpRequests } from './request-pump.js';

const defaultMaxMessageBytes = 2 ** 31 - 1;
/** Answers of one stream that wait for their reader, before the server is asked to hold on. */
const unreadBytes = 2 ** 20;
/** What an answer takes of that beyond the bytes of its message: an empty one is an object, too. */
const answerBytes = 512;

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
  readonly #headers: CallHeaders;
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
    this.#headers = new CallHeaders({
      secure: this.#secure,
      authority: options.tls?.serverName ?? this.#endpoint,
      compression: options.compression,
    });
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
              reject(asTritonError(cause, { ...names, progress: 'answered' }));
            }
          },
        },
        this.#maxMessageBytes,
      );
      stop = watchLimits(call.context, (error) => grpc.giveUp(error));
      if (grpc.ended) return;
      const fail = (error: unknown): void => {
        stop();
        reject(asTritonError(error, names));
      };
      const start = (message: readonly Uint8Array[]): void =>
        this.#start(grpc, method.path, call.context, message, true);
      try {
        const message = frameSingle(method.encode(call.request), this.#options.compression);
        if (message instanceof Promise) message.then(start).catch(fail);
        else start(message);
      } catch (error) {
        fail(error);
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
          return queue.push(located, message.length + answerBytes);
        },
        done: (error) => {
          stop();
          stopSending();
          if (error === undefined) return queue.end();
          // What was given up is not read on, whichever side was the first to notice.
          const drop = error.code === 'cancelled' || error.code === 'deadline_exceeded';
          queue.fail(error, { drop });
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
          stopSending = pumpRequests(grpc, stream, requests, (it) =>
            this.#frame(modelStreamInfer.encode(it)),
          );
        });
      }
    } catch (error) {
      grpc.giveUp(asTritonError(error, names));
    }
    return queue;
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
    if (grpc.ended) return;
    const begin = (connection: Http2Connection): void => {
      if (grpc.ended) return;
      const fields = this.#headers.fields(path, metadata, context.deadline);
      const stream = connection.request(fields, grpc, pieces, end);
      grpc.bind(connection, stream);
      if (!grpc.ended) onBegin?.(stream);
    };
    const connection = this.#connection;
    if (connection?.usable) return begin(connection);
    const length = byteLength(pieces);
    this.#connect()
      .then((opened) => {
        if (byteLength(pieces) !== length) throw changedInput();
        return begin(opened);
      })
      .catch((error: unknown) => grpc.error(asTritonError(error, {})));
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
}

function isGenerate(call: UnaryCall): call is UnaryCall<'Generate'> {
  return call.operation === 'Generate';
}

function noAnswer(): TritonError {
  return new TritonError('internal', 'the call ended well, but without an answer', {
    reason: 'protocol',
    progress: 'sent',
  });
}
