import type { DataType, Tensor } from './tensor.js';

/** A model, and one of its versions; without one the server chooses by the model's version policy. */
export interface ModelRef {
  /** Its name in the model repository. */
  readonly model: string;
  /** A number, as text: `'1'`. */
  readonly version?: string | undefined;
}

/** Parameters of a request, a tensor or an answer. An integer beyond 2^53 is a bigint. */
export type Parameters = Readonly<Record<string, boolean | number | bigint | string>>;

/** An input of a request. */
export interface NamedTensor {
  /** As the model's configuration has it. */
  readonly name: string;
  /** Its values, with their data type and shape. */
  readonly tensor: Tensor;
  /** Of this tensor alone. */
  readonly parameters?: Parameters | undefined;
}

/** An output that a request asks for. */
export interface RequestedOutput {
  /** As the model's configuration has it. */
  readonly name: string;
  /** The best n classes of each batch element, as BYTES `value:index[:label]`, in place of the tensor. */
  readonly classification?: number | undefined;
  /** Of this output alone. */
  readonly parameters?: Parameters | undefined;
}

/** An inference request as it goes over the wire: tensors made and checked. */
export interface InferMessage extends ModelRef {
  /** Comes back in the answers. */
  readonly id?: string | undefined;
  /** As `sequence_id` or `priority`. */
  readonly parameters?: Parameters | undefined;
  /** All that the model needs. */
  readonly inputs: readonly NamedTensor[];
  /** None: all that the model has. */
  readonly outputs?: readonly RequestedOutput[] | undefined;
}

/** An answer to an inference request. */
export interface InferAnswer {
  /** The name of the model that answered. */
  readonly model: string;
  /** The version that answered, also where the request named none. */
  readonly version: string;
  /** That of the request. */
  readonly id: string;
  /** What the server or the model adds, as `triton_final_response`. */
  readonly parameters: Parameters;
  /** By name. */
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/** An input or an output, as the model describes it. */
export interface TensorMetadata {
  /** By which requests and answers name it. */
  readonly name: string;
  /** As `FP32`. */
  readonly datatype: DataType;
  /** -1 is any size; with the batch dimension first, where the model batches. */
  readonly shape: readonly number[];
}

/** What a model takes and gives. */
export interface ModelMetadata {
  /** Of the model. */
  readonly name: string;
  /** Those that are loaded. */
  readonly versions: readonly string[];
  /** Its backend or framework, as `python` or `ensemble`. */
  readonly platform: string;
  /** What it takes. */
  readonly inputs: readonly TensorMetadata[];
  /** What it gives. */
  readonly outputs: readonly TensorMetadata[];
}

/** What the server says of itself. */
export interface ServerMetadata {
  /** `triton`, unless it was started with another `--id`. */
  readonly name: string;
  /** Of Triton, as `2.51.0`. */
  readonly version: string;
  /** Names of the protocol's extensions that it has. */
  readonly extensions: readonly string[];
}

/** A JSON value as Triton's own documents have it. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A model's configuration: config.pbtxt as JSON, in its own names, defaults filled in by the server. */
export type ModelConfig = { readonly [key: string]: Json };

/** How often, and for how long in all. Nanoseconds beyond 2^53 (104 days) lose their last digits. */
export interface Duration {
  /** How often. */
  readonly count: number;
  /** Nanoseconds, of all together. */
  readonly ns: number;
}

/** In Triton's own names. https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_statistics.md */
export interface ModelStatistics {
  /** Of the model. */
  readonly name: string;
  /** That these are of: each has its own. */
  readonly version: string;
  /** Milliseconds since 1970; 0 is never. */
  readonly last_inference: number;
  /** Inferences: each element of a batch is one. */
  readonly inference_count: number;
  /** How often the model was run: a batch is one. */
  readonly execution_count: number;
  /** Of requests, by their end and by what they spent time on. */
  readonly inference_stats: Readonly<
    Record<
      | 'success'
      | 'fail'
      | 'queue'
      | 'compute_input'
      | 'compute_infer'
      | 'compute_output'
      | 'cache_hit'
      | 'cache_miss',
      Duration
    >
  >;
  /** Of decoupled models: by the number of the response within its request. */
  readonly response_stats: Readonly<
    Record<
      string,
      Readonly<
        Record<
          'compute_infer' | 'compute_output' | 'success' | 'fail' | 'empty_response' | 'cancel',
          Duration
        >
      >
    >
  >;
  /** Of the model's runs, by the size of the batch. */
  readonly batch_stats: readonly (Readonly<
    Record<'compute_input' | 'compute_infer' | 'compute_output', Duration>
  > & { readonly batch_size: number })[];
  /** Bytes, where the backend tells them. */
  readonly memory_usage: readonly {
    readonly type: string;
    readonly id: number;
    readonly byte_size: number;
  }[];
}

/** A model in the repository, loaded or not. */
export interface ModelIndexEntry {
  /** Of the model. */
  readonly name: string;
  /** Empty: not loaded since the server started. */
  readonly version: string;
  /** `READY`, `UNAVAILABLE`, `LOADING`, `UNLOADING`, or empty. */
  readonly state: string;
  /** Why it is not ready; empty where it is. */
  readonly reason: string;
}

/** A model to load, or to load anew. */
export interface LoadRequest {
  /** Its name. */
  readonly model: string;
  /** Replaces the model's config.pbtxt. */
  readonly config?: ModelConfig | undefined;
  /** Replaces the model's folder: contents by path relative to it, as `1/model.py`. Needs `config`. */
  readonly files?: Readonly<Record<string, Uint8Array>> | undefined;
}

/** A model to unload, in all its versions. */
export interface UnloadRequest {
  /** Its name. */
  readonly model: string;
  /** Unloads the models, too, that only it needs (an ensemble's steps). */
  readonly unloadDependents?: boolean | undefined;
}

/** By name, as `trace_level: ['TIMESTAMPS']`; null goes back to the default. */
export interface TraceSettingsRequest {
  /** Absent: the settings of the server. */
  readonly model?: string | undefined;
  /** What to change; absent: nothing, only read. */
  readonly settings?: Readonly<Record<string, string | readonly string[] | null>> | undefined;
}

/** All that are in force, by name. */
export type TraceSettings = Readonly<Record<string, readonly string[]>>;

/** By name, as `log_verbose_level: 1`. */
export type LogSettings = Readonly<Record<string, boolean | number | string>>;

/** As grpc.health.v1 says it. */
export type HealthStatus = 'unknown' | 'serving' | 'not_serving' | 'service_unknown';

/** A JSON body for `/generate`, or its answer: tensors by name, scalars and lists as they are. */
export type GenerateFields = Readonly<Record<string, Json>>;
