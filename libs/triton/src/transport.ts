import type {
  GenerateFields,
  HealthStatus,
  InferAnswer,
  InferMessage,
  LoadRequest,
  LogSettings,
  ModelConfig,
  ModelIndexEntry,
  ModelMetadata,
  ModelRef,
  ModelStatistics,
  ServerMetadata,
  TraceSettings,
  TraceSettingsRequest,
  UnloadRequest,
} from './protocol.js';
import type { TritonError } from './triton-error.js';

/** The operations that answer once: request and answer of each, whatever carries them. Named as the gRPC methods are. */
export interface UnaryOperations {
  ServerLive: [Record<string, never>, boolean];
  ServerReady: [Record<string, never>, boolean];
  ServerMetadata: [Record<string, never>, ServerMetadata];
  ModelReady: [ModelRef, boolean];
  ModelMetadata: [ModelRef, ModelMetadata];
  ModelConfig: [ModelRef, ModelConfig];
  /** Without a model: of all. */
  ModelStatistics: [Partial<ModelRef>, readonly ModelStatistics[]];
  RepositoryIndex: [{ readonly ready?: boolean | undefined }, readonly ModelIndexEntry[]];
  RepositoryModelLoad: [LoadRequest, void];
  RepositoryModelUnload: [UnloadRequest, void];
  TraceSetting: [TraceSettingsRequest, TraceSettings];
  LogSettings: [{ readonly settings?: LogSettings | undefined }, LogSettings];
  /** grpc.health.v1, of the whole server: Triton knows no other service. */
  HealthCheck: [Record<string, never>, HealthStatus];
  ModelInfer: [InferMessage, InferAnswer];
  Generate: [GenerateRequest, GenerateFields];
}

/** The operations that answer more than once. */
export interface StreamOperations {
  /** Many requests, many answers; `id` says which answer is to which request. */
  ModelStreamInfer: [InferMessage, StreamAnswer];
  /** One request. */
  GenerateStream: [GenerateRequest, GenerateFields];
}

/** A request of Triton's generate extension. */
export interface GenerateRequest extends ModelRef {
  /** Inputs and parameters by name, as the JSON body of `/generate`. */
  readonly fields: GenerateFields;
}

/** One message of a stream. An error here concerns one request: the stream goes on. */
export type StreamAnswer =
  | { readonly answer: InferAnswer; readonly error?: undefined }
  | { readonly error: TritonError; readonly answer: InferAnswer };

/** What goes with a call, whatever its operation. */
export interface CallContext {
  /** Header fields of HTTP, metadata of gRPC; names in lower case. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds of `performance.now()` at which the call is given up. */
  readonly deadline?: number | undefined;
  /** Milliseconds from the call's start to its deadline, for the words of an error. */
  readonly timeoutMs?: number | undefined;
  /** What the call is, as `ModelInfer of model m`, for the words of an error. */
  readonly label?: string | undefined;
  /** Ends the call with `cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /** Calls of the same affinity go to the same endpoint, where there are several and the policy says so. */
  readonly affinity?: string | undefined;
  /** Endpoints, as errors name them, that have just failed this call: any other is tried first. Set by `retries`. */
  readonly avoid?: readonly string[] | undefined;
}

/** A call that is answered once. */
export interface UnaryCall<O extends keyof UnaryOperations = keyof UnaryOperations> {
  readonly operation: O;
  readonly request: UnaryOperations[O][0];
  readonly context: CallContext;
}

/** A call that may be answered many times. */
export interface StreamCall<O extends keyof StreamOperations = keyof StreamOperations> {
  readonly operation: O;
  /** Sent as they come; the call stays open for answers after the last. */
  readonly requests: Iterable<StreamOperations[O][0]> | AsyncIterable<StreamOperations[O][0]>;
  readonly context: CallContext;
}

/**
 * A way to the server. Rejects and throws only TritonError. Leaving the loop over a stream's answers cancels it at the server.
 */
export interface Transport {
  unary<O extends keyof UnaryOperations>(call: UnaryCall<O>): Promise<UnaryOperations[O][1]>;
  stream<O extends keyof StreamOperations>(
    call: StreamCall<O>,
  ): AsyncIterable<StreamOperations[O][1]>;
  /** Ends the calls under way with `cancelled` and lets go of all connections. */
  close(): Promise<void>;
}

/**
 * Something that happens around every call: given the way on, it gives a way. It must give all three methods: those of a
 * transport are not its own properties, so spreading one loses them.
 */
export type Interceptor = (next: Transport) => Transport;
