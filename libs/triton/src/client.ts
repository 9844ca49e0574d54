import { type CallOptions, contextOf } from './call-options.js';
import type { ConnectionOptions } from './connection-options.js';
import { balance } from './endpoints/balance.js';
import { dnsEndpoints } from './endpoints/dns-endpoints.js';
import { readUrl } from './endpoints/endpoint-address.js';
import type { HealthOptions } from './endpoints/health.js';
import type { Policy } from './endpoints/policies.js';
import { grpcTransport } from './grpc/grpc-transport.js';
import { httpTransport } from './http/http-transport.js';
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
import { retries, type RetryOptions } from './retry.js';
import { stallWatchdog } from './stall.js';
import type {
  CallContext,
  GenerateRequest,
  Interceptor,
  Transport,
  UnaryOperations,
} from './transport.js';
import { invalidArgument, type Progress } from './triton-error.js';

export interface ClientOptions extends ConnectionOptions {
  /** Milliseconds of each call that answers once (not of streams), waiting and retries included. Default 60,000; Infinity: no limit. */
  readonly timeoutMs?: number | undefined;
  /** The longest silence of a stream that owes answers, milliseconds. Default 60,000; Infinity: no limit. */
  readonly stallMs?: number | undefined;
  /** Sent with every call: header fields of HTTP, metadata of gRPC, such as the key of a restricted API. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /**
   * Whether inputs are checked against the model's metadata, which is then asked for once per model. Default true. If
   * false, inputs must be tensors.
   */
  readonly checkInputs?: boolean | undefined;
  /** Takes every address of the URL's host name for a server of its own, as of a Kubernetes headless service. */
  readonly resolve?: boolean | undefined;
  /** Which of several servers a call goes to. Default: `leastOutstanding()`. */
  readonly policy?: Policy | undefined;
  /** When one of several servers is left out. */
  readonly health?: HealthOptions | undefined;
  /** Default: safe retries; false: none. */
  readonly retry?: RetryOptions | false | undefined;
  /** Around every call, the first outermost. */
  readonly interceptors?: readonly Interceptor[] | undefined;
}

const defaultTimeoutMs = 60_000;
const defaultStallMs = 60_000;
/** Models of gigabytes take their time. */
const defaultLoadTimeoutMs = 600_000;

/**
 * A client of one Triton Inference Server, or of several that serve the same models. Every method rejects with
 * TritonError; connections are opened when they are needed and do not keep the process alive.
 */
export class TritonClient {
  readonly #options: ClientOptions;
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
    this.#options = options;
    const layers = [
      ...(options.interceptors ?? []),
      ...(options.retry === false ? [] : [retries(options.retry)]),
    ];
    this.#transport = layers.reduceRight<Transport>(
      (next, layer) => layer(next),
      isTransport(target) ? target : connectTo(target, options),
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
    this.#requests.forget(request);
    return this.#unary('RepositoryModelLoad', request, {
      ...options,
      timeoutMs: options.timeoutMs ?? defaultLoadTimeoutMs,
    });
  }

  /** Resolves when the server has taken the request; the model goes when its requests are done. */
  async unloadModel(model: string | UnloadRequest, options: CallOptions = {}): Promise<void> {
    const request = typeof model === 'string' ? { model } : model;
    this.#requests.forget(request);
    return this.#unary('RepositoryModelUnload', request, {
      ...options,
      timeoutMs: options.timeoutMs ?? defaultLoadTimeoutMs,
    });
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

  /** Opens one stream for many requests; gRPC only. See InferStream for what they share. */
  openStream(options?: CallOptions): InferStream {
    return new InferStream(this.#transport, {
      context: this.#streaming(options),
      stallMs: this.#options.stallMs ?? defaultStallMs,
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
  generateStream(request: GenerateRequest, options?: CallOptions): AsyncIterable<GenerateFields> {
    return this.#transport.stream({
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

  #once(options: CallOptions = {}): CallContext {
    const { timeoutMs = defaultTimeoutMs, metadata } = this.#options;
    return contextOf(options, { timeoutMs, metadata });
  }

  #streaming(options: CallOptions = {}): CallContext {
    return contextOf(options, { timeoutMs: Infinity, metadata: this.#options.metadata });
  }
}

function isTransport(target: object | string): target is Transport {
  return typeof target === 'object' && 'unary' in target;
}

function connectTo(
  target: string | URL | readonly (string | URL)[],
  options: ClientOptions,
): Transport {
  const { stallMs = defaultStallMs, policy } = options;
  const health = { metadata: options.metadata, ...options.health };
  const connect = (url: URL, serverName: string | undefined): Transport => {
    const own =
      serverName === undefined ? options : { ...options, tls: { serverName, ...options.tls } };
    const transport = url.protocol.startsWith('grpc')
      ? grpcTransport(url, own)
      : httpTransport(url, own);
    return stallMs === Infinity ? transport : stallWatchdog(stallMs)(transport);
  };
  if (typeof target === 'string' || target instanceof URL) {
    if (options.resolve)
      return balance({ endpoints: dnsEndpoints(target), connect, policy, health });
    return connect(readUrl(target, 'target'), undefined);
  }
  return balance({ endpoints: target, connect, policy, health });
}

function refOf(model: string | ModelRef): ModelRef {
  return typeof model === 'string' ? { model } : model;
}
