import { type CallOptions, contextOf, labelOf } from './call-options.js';
import { checkGenerateRequest, checkModel } from './check-request.js';
import { type ClientOptions, type ClientSettings, readClientOptions } from './client-options.js';
import { connectTo, isTransport } from './connect-to.js';
import { type InferRequest, InferRequests } from './infer-request.js';
import { InferStream } from './infer-stream.js';
import type {
  GenerateFields,
  HealthStatus,
  InferAnswer,
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
import { retries } from './retry.js';
import type {
  CallContext,
  GenerateRequest,
  Interceptor,
  StreamOperations,
  Transport,
  UnaryOperations,
} from './transport.js';
import { invalidArgument, type Progress } from './triton-error.js';

/** Models of gigabytes take their time. */
const defaultLoadTimeoutMs = 600_000;

/**
 * A client of one Triton Inference Server, or of several that serve the same models. Every method rejects with TritonError,
 * and only the constructor and `openStream` throw one; connections are opened when they are needed and do not keep the process alive.
 */
export class TritonClient {
  readonly #settings: ClientSettings;
  readonly #transport: Transport;
  readonly #requests: InferRequests;

  /**
   * @param target `grpc://host:8001`, `grpcs:`, `http://host:8000`, `https:`; several of them; or a transport of your own
   * @throws TritonError `invalid_argument` that names the option
   */
  constructor(
    target: string | URL | readonly (string | URL)[] | Transport,
    options: ClientOptions = {},
  ) {
    const settings = readClientOptions(options);
    this.#settings = settings;
    const layers = [
      ...(options.interceptors ?? []),
      ...(options.retry === false ? [] : [retries(options.retry)]),
    ];
    this.#transport = layers.reduceRight(layered, connectTo(target, settings));
    this.#requests = new InferRequests(this.#transport, options.checkInputs ?? true);
  }

  /** Whether the server answers at all. */
  serverLive(options?: CallOptions): Promise<boolean> {
    return this.#unary('ServerLive', {}, options);
  }

  /** Whether all models are ready, or what else the server's `--strict-readiness` says. */
  serverReady(options?: CallOptions): Promise<boolean> {
    return this.#unary('ServerReady', {}, options);
  }

  /** As grpc.health.v1 has it. With a model: whether that is ready, as Triton knows no service but the whole server. */
  async health(model?: string | ModelRef, options?: CallOptions): Promise<HealthStatus> {
    if (model === undefined) return this.#unary('HealthCheck', {}, options);
    return (await this.modelReady(model, options)) ? 'serving' : 'not_serving';
  }

  serverMetadata(options?: CallOptions): Promise<ServerMetadata> {
    return this.#unary('ServerMetadata', {}, options);
  }

  /** False for a model that does not exist, too. */
  modelReady(model: string | ModelRef, options?: CallOptions): Promise<boolean> {
    return this.#about('ModelReady', model, options);
  }

  modelMetadata(model: string | ModelRef, options?: CallOptions): Promise<ModelMetadata> {
    return this.#about('ModelMetadata', model, options);
  }

  modelConfig(model: string | ModelRef, options?: CallOptions): Promise<ModelConfig> {
    return this.#about('ModelConfig', model, options);
  }

  /** Of one model, or of all. */
  statistics(
    model?: string | ModelRef,
    options?: CallOptions,
  ): Promise<readonly ModelStatistics[]> {
    return model === undefined
      ? this.#unary('ModelStatistics', {}, options)
      : this.#about('ModelStatistics', model, options);
  }

  /** @param request `ready`: only models that are */
  repositoryIndex(
    request: { readonly ready?: boolean } = {},
    options?: CallOptions,
  ): Promise<readonly ModelIndexEntry[]> {
    return this.#unary('RepositoryIndex', request, options);
  }

  /** Needs `--model-control-mode=explicit`. Resolves when the model is loaded; default time-out 600,000 ms. */
  async loadModel(model: string | LoadRequest, options: CallOptions = {}): Promise<void> {
    const request = typeof model === 'string' ? { model } : model;
    checkModel(request);
    if (request.files !== undefined && request.config === undefined)
      throw invalidArgument(
        'files',
        'no config with them',
        'give the config that replaces config.pbtxt',
      );
    return this.#change('RepositoryModelLoad', request, options);
  }

  /** Resolves when the server has taken the request; the model goes when its requests are done. */
  async unloadModel(model: string | UnloadRequest, options: CallOptions = {}): Promise<void> {
    const request = typeof model === 'string' ? { model } : model;
    checkModel(request);
    return this.#change('RepositoryModelUnload', request, options);
  }

  /** Reads the trace settings, after changing those that are given. */
  traceSettings(request: TraceSettingsRequest = {}, options?: CallOptions): Promise<TraceSettings> {
    return this.#unary('TraceSetting', request, options);
  }

  /** Reads the log settings, after changing those that are given. */
  logSettings(settings?: LogSettings, options?: CallOptions): Promise<LogSettings> {
    return this.#unary('LogSettings', { settings }, options);
  }

  /** Runs a model that answers each request once. */
  async infer(request: InferRequest, options?: CallOptions): Promise<InferAnswer> {
    const operation = 'ModelInfer';
    const context = this.#once(operation, request, options);
    const prepared = this.#requests.prepare(request, context);
    const wasKnown = !(prepared instanceof Promise);
    const message = wasKnown ? prepared : await prepared;
    try {
      return await this.#transport.unary({ operation, request: message, context });
    } catch (error) {
      this.#requests.refused(request, error);
      const again = wasKnown
        ? await this.#requests.again(request, message, error, context)
        : undefined;
      if (again !== undefined) return this.#transport.unary({ operation, request: again, context });
      throw error;
    }
  }

  /**
   * Runs a model that answers any number of times (decoupled), over a stream of its own; gRPC only. Leaving the loop cancels
   * the request at the server.
   */
  async *streamInfer(
    request: InferRequest,
    options?: CallOptions,
  ): AsyncGenerator<InferAnswer, void, undefined> {
    const context = this.#streaming('ModelStreamInfer', request, options);
    const message = await this.#requests.prepare(request, context);
    const answers = this.#transport.stream({
      operation: 'ModelStreamInfer',
      requests: [message],
      context,
    });
    let progress: Progress | undefined;
    try {
      for await (const { answer, error } of answers) {
        if (error !== undefined) throw error.with({ progress });
        yield answer;
        progress = 'answered';
      }
    } catch (error) {
      this.#requests.refused(request, error);
      throw error;
    }
  }

  /**
   * Opens one stream for many requests; gRPC only. See InferStream for what they share.
   *
   * @throws TritonError `invalid_argument`, at once, for options that make no sense
   */
  openStream(options?: CallOptions): InferStream {
    return new InferStream(this.#transport, {
      context: this.#streaming('ModelStreamInfer', undefined, options),
      stallMs: this.#settings.stallMs,
      prepare: (request, context) => this.#requests.prepare(request, context),
    });
  }

  /**
   * Triton's generate extension: fields in, fields out; for a model that answers once. Over HTTP, as with `infer`, a call that
   * is given up goes on at the server.
   */
  async generate(request: GenerateRequest, options?: CallOptions): Promise<GenerateFields> {
    checkGenerateRequest(request);
    const context = this.#once('Generate', request, options);
    try {
      return await this.#transport.unary({ operation: 'Generate', request, context });
    } catch (error) {
      throw await this.#requests.explained(error, request, context);
    }
  }

  /** The same for a model that answers any number of times. Leaving the loop cancels the request at the server. */
  async *generateStream(
    request: GenerateRequest,
    options?: CallOptions,
  ): AsyncGenerator<GenerateFields, void, undefined> {
    checkGenerateRequest(request);
    const operation = 'GenerateStream';
    const context = this.#streaming(operation, request, options);
    try {
      yield* this.#transport.stream({ operation, requests: [request], context });
    } catch (error) {
      throw await this.#requests.explained(error, request, context);
    }
  }

  /** Ends all calls under way with `cancelled` and closes the connections. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  async #unary<O extends keyof UnaryOperations>(
    operation: O,
    request: UnaryOperations[O][0],
    options: CallOptions | undefined,
  ): Promise<UnaryOperations[O][1]> {
    const context = this.#once(operation, request, options);
    return this.#transport.unary({ operation, request, context });
  }

  async #about<O extends 'ModelReady' | 'ModelMetadata' | 'ModelConfig' | 'ModelStatistics'>(
    operation: O,
    model: string | ModelRef,
    options: CallOptions | undefined,
  ): Promise<UnaryOperations[O][1]> {
    const ref: ModelRef = typeof model === 'string' ? { model } : model;
    checkModel(ref);
    return this.#unary(operation, ref, options);
  }

  /** What is known of the model is forgotten before and after: it may be read anew while the change goes on. */
  async #change<O extends 'RepositoryModelLoad' | 'RepositoryModelUnload'>(
    operation: O,
    request: UnaryOperations[O][0],
    options: CallOptions,
  ): Promise<void> {
    const timeoutMs = options.timeoutMs ?? defaultLoadTimeoutMs;
    this.#requests.forget(request);
    try {
      await this.#unary(operation, request, { ...options, timeoutMs });
    } finally {
      this.#requests.forget(request);
    }
  }

  #once(operation: keyof UnaryOperations, request: object, options: CallOptions = {}): CallContext {
    return contextOf(options, this.#settings, labelOf(operation, request));
  }

  #streaming(
    operation: keyof StreamOperations,
    request: object | undefined,
    options: CallOptions = {},
  ): CallContext {
    const { metadata } = this.#settings;
    return contextOf(options, { timeoutMs: Infinity, metadata }, labelOf(operation, request));
  }
}

function layered(next: Transport, layer: Interceptor): Transport {
  const around: unknown = layer(next);
  if (isTransport(around)) return around;
  throw invalidArgument(
    'interceptors',
    `${layer.name || 'one'} returns no transport`,
    'return { unary, stream, close }',
  );
}
