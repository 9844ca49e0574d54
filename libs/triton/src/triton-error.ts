/** What went wrong, in gRPC's canonical words: one vocabulary for both transports. */
export type TritonErrorCode =
  | 'cancelled'
  | 'unknown'
  | 'invalid_argument'
  | 'deadline_exceeded'
  | 'not_found'
  | 'already_exists'
  | 'permission_denied'
  | 'resource_exhausted'
  | 'failed_precondition'
  | 'aborted'
  | 'out_of_range'
  | 'unimplemented'
  | 'internal'
  | 'unavailable'
  | 'data_loss'
  | 'unauthenticated';

/** Why, where a caller may want to tell it from others of the same code. */
export type TritonErrorReason =
  /** No connection: refused, reset, closed, a name that does not resolve. */
  | 'connection'
  /** The certificate of one side was refused, or there is no TLS at the other end. */
  | 'tls'
  /** What answers is no Triton, or breaks the protocol. */
  | 'protocol'
  /** No endpoint is fit to be asked. */
  | 'no_endpoint'
  /** The server starts or stops, or the model is not there or not loaded: it did not run. */
  | 'not_ready'
  /** The model's queue is full. */
  | 'queue_full'
  /** The request waited in the model's queue for longer than it allows. */
  | 'queue_timeout'
  /** The model's process is dead; the server mends it only by unloading and loading the model. */
  | 'model_process'
  /** The model raised an error, or the server did while it ran the model. */
  | 'model_error'
  /** A stream said nothing for longer than its watchdog allows. */
  | 'stalled'
  /** A text that is not UTF-8. */
  | 'malformed_text'
  /** A message over the limit of one side. */
  | 'too_large';

/** How much of the call the server may have seen: what a safe retry depends on. */
export type Progress =
  /** Nothing was given to the connection, or the server says that it did not look at it. */
  | 'unsent'
  /** The server may have worked on it. */
  | 'sent'
  /** At least one answer came. */
  | 'answered';

/** What a TritonError has besides its code and message; all of it may be missing. */
export interface TritonErrorOptions {
  /** Why, more narrowly than the code. */
  readonly reason?: TritonErrorReason | undefined;
  /** Default: `unsent`. */
  readonly progress?: Progress | undefined;
  /** The gRPC method, as `ModelInfer`, of either transport. */
  readonly operation?: string | undefined;
  /** `host:port` of who answered, or should have. */
  readonly endpoint?: string | undefined;
  /** The transport's own status: a gRPC status number, an HTTP status. */
  readonly status?: number | undefined;
  /** What made it happen: an error of the network, the reason of a signal. */
  readonly cause?: unknown;
}

/**
 * The one error of this library: a gRPC status, an HTTP status, an error inside a stream or inside an answer with status
 * 200, a broken connection and a request that was refused before it was sent all become one.
 */
export class TritonError extends Error {
  override readonly name = 'TritonError';
  /** What went wrong: the same over gRPC and HTTP. */
  readonly code: TritonErrorCode;
  /** Why, where that can be told from other causes of the same code. */
  readonly reason: TritonErrorReason | undefined;
  /** How much of the call the server may have seen. */
  readonly progress: Progress;
  /** The gRPC method, as `ModelInfer`, of either transport; undefined for a check of input. */
  readonly operation: string | undefined;
  /** `host:port` of who answered, or should have; undefined where nobody was asked. */
  readonly endpoint: string | undefined;
  /** The transport's own status, a gRPC status number or an HTTP status; undefined where none came. */
  readonly status: number | undefined;

  constructor(code: TritonErrorCode, message: string, options: TritonErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.reason = options.reason;
    this.progress = options.progress ?? 'unsent';
    this.operation = options.operation;
    this.endpoint = options.endpoint;
    this.status = options.status;
  }

  /** The same error, with what only an outer layer knows; what is already known stays. */
  with(known: TritonErrorOptions & { readonly message?: string }): TritonError {
    const { message = this.message } = known;
    const error = new TritonError(this.code, message, {
      reason: this.reason ?? known.reason,
      progress: known.progress ?? this.progress,
      operation: this.operation ?? known.operation,
      endpoint: this.endpoint ?? known.endpoint,
      status: this.status ?? known.status,
      cause: this.cause ?? known.cause,
    });
    // A stack begins with its message.
    if (this.stack !== undefined) error.stack = this.stack.replace(this.message, () => message);
    return error;
  }

  /** For logs: of an Error as it is, JSON drops the message. */
  toJSON(): Record<string, unknown> {
    const { name, code, reason, message, progress, operation, endpoint, status } = this;
    return { name, code, reason, message, progress, operation, endpoint, status };
  }
}

/** The error of input that is refused before anything is sent; `where` names the field, `mend` says what would do. */
export function invalidArgument(where: string, problem: string, mend: string): TritonError {
  return new TritonError('invalid_argument', `${where}: ${problem}; ${mend}`);
}
