import { type CallOptions, contextOf } from './call-options.js';
import { type ClientOptions, type ClientSettings, readClientOptions } from './client-options.js';
import { connectTo } from './connect-to.js';
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
import type { CallContext, GenerateRequest, Transport, UnaryOperations } from './transport.js';
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
    this.#transport = layers.reduceRight<Transport>(
      (next, layer) => layer(next),
      connectTo(target, settings),
    );
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
    return this.#unary('ModelReady', refOf(model), options);
  }

  modelMetadata(model: string | ModelRef, options?: CallOptions): Promise<ModelMetadata> {
    return this.#unary('ModelMetadata', refOf(model), options);
  }

  modelConfig(model: string | ModelRef, options?: CallOptions): Promise<ModelConfig> {
    return this.#unary('ModelConfig', refOf(model), options);
  }

  /** Of one model, or of all. */
  statistics(
    model?: string | ModelRef,
    options?: CallOptions,
  ): Promise<readonly ModelStatistics[]> {
    return this.#unary('ModelStatistics', model === undefined ? {} : refOf(model), options);
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
    const context = this.#once(options);
    const prepared = this.#requests.prepare(request, context);
    const message = prepared instanceof Promise ? await prepared : prepared;
    try {
      return await this.#transport.unary({ operation: 'ModelInfer', request: message, context });
    } catch (error) {
      this.#requests.refused(request, error);
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
    const context = this.#streaming(options);
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
   * @throws TritonError `invalid_argument`, at once, for a time that is none
   */
  openStream(options?: CallOptions): InferStream {
    return new InferStream(this.#transport, {
      context: this.#streaming(options),
      stallMs: this.#settings.stallMs,
      prepare: (request, context) => this.#requests.prepare(request, context),
    });
  }

  /**
   * Triton's generate extension: fields in, fields out; for a model that answers once. Over HTTP, as with `infer`, a call that
   * is given up goes on at the server.
   */
  generate(request: GenerateRequest, options?: CallOptions): Promise<GenerateFields> {
    return this.#unary('Generate', request, options);
  }

  /** The same for a model that answers any number of times. Leaving the loop cancels the request at the server. */
  async *generateStream(
    request: GenerateRequest,
    options?: CallOptions,
  ): AsyncGenerator<GenerateFields, void, undefined> {
    yield* this.#transport.stream({
      operation: 'GenerateStream',
      requests: [request],
      context: this.#streaming(options),
    });
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
    return this.#transport.unary({ operation, request, context: this.#once(options) });
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

  #once(options: CallOptions = {}): CallContext {
    return contextOf(options, this.#settings);
  }

  #streaming(options: CallOptions = {}): CallContext {
    return contextOf(options, { timeoutMs: Infinity, metadata: this.#settings.metadata });
  }
}

function refOf(model: string | ModelRef): ModelRef {
  return typeof model === 'string' ? { model } : model;
}
