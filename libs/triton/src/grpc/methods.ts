import type { MessageType } from '../protobuf/message.js';
import type { InferMessage, ModelMetadata, ModelRef } from '../protocol.js';
import { serverError } from '../server-error.js';
import type { StreamAnswer, UnaryOperations } from '../transport.js';
import {
  ModelInferRequest,
  ModelInferResponse,
  ModelStreamInferResponse,
} from './messages-infer.js';
import * as models from './messages-model.js';
import * as repository from './messages-repository.js';
import * as servers from './messages-server.js';
import * as settings from './messages-settings.js';
import * as statistics from './messages-statistics.js';
import { readInfer, writeInfer } from './messages-tensors.js';

/** A method of gRPC: its path, and its messages as bytes. */
export interface GrpcMethod<Q, A> {
  readonly path: string;
  /**
   * The message in pieces, which share memory with the request's tensors.
   *
   * @throws TritonError `invalid_argument` that names the field
   */
  encode(request: Q): readonly Uint8Array[];
  /**
   * The answer's tensors share memory with the message.
   *
   * @throws TritonError where the message is malformed
   */
  decode(message: Uint8Array): A;
}

type GrpcOperations = Omit<UnaryOperations, 'Generate'>;

const { Empty } = servers;

/** Every operation that answers once, but for `Generate`, which only HTTP has. */
export const grpcMethods: {
  readonly [O in keyof GrpcOperations]: GrpcMethod<GrpcOperations[O][0], GrpcOperations[O][1]>;
} = {
  ServerLive: method({
    path: inference('ServerLive'),
    request: [Empty, () => ({})],
    answer: [servers.ServerLiveResponse, ({ live }) => live],
  }),
  ServerReady: method({
    path: inference('ServerReady'),
    request: [Empty, () => ({})],
    answer: [servers.ServerReadyResponse, ({ ready }) => ready],
  }),
  ServerMetadata: method({
    path: inference('ServerMetadata'),
    request: [Empty, () => ({})],
    answer: [servers.ServerMetadataResponse, (metadata) => metadata],
  }),
  ModelReady: method({
    path: inference('ModelReady'),
    request: [models.ModelReadyRequest, writeModel],
    // Absent, thus false, where the server does not know the model.
    answer: [models.ModelReadyResponse, ({ ready }) => ready],
  }),
  ModelMetadata: method({
    path: inference('ModelMetadata'),
    request: [models.ModelMetadataRequest, writeModel],
    // A data type of a newer server is passed on under its name.
    answer: [models.ModelMetadataResponse, (metadata) => metadata as ModelMetadata],
  }),
  ModelConfig: method({
    path: inference('ModelConfig'),
    request: [models.ModelConfigRequest, writeModel],
    answer: [models.ModelConfigResponse, ({ config }) => ({ ...config })],
  }),
  ModelStatistics: method({
    path: inference('ModelStatistics'),
    request: [models.ModelStatisticsRequest, writeModel],
    answer: [statistics.ModelStatisticsResponse, statistics.readStatistics],
  }),
  RepositoryIndex: method({
    path: inference('RepositoryIndex'),
    request: [repository.RepositoryIndexRequest, ({ ready }) => ({ ready })],
    answer: [repository.RepositoryIndexResponse, (index) => index.models],
  }),
  RepositoryModelLoad: method({
    path: inference('RepositoryModelLoad'),
    request: [repository.RepositoryModelLoadRequest, repository.writeLoad],
    answer: [Empty, () => undefined],
  }),
  RepositoryModelUnload: method({
    path: inference('RepositoryModelUnload'),
    request: [repository.RepositoryModelUnloadRequest, repository.writeUnload],
    answer: [Empty, () => undefined],
  }),
  TraceSetting: method({
    path: inference('TraceSetting'),
    request: [settings.TraceSettingRequest, settings.writeTraceSettings],
    answer: [settings.TraceSettingResponse, settings.readTraceSettings],
  }),
  LogSettings: method({
    path: inference('LogSettings'),
    request: [settings.LogSettingsRequest, settings.writeLogSettings],
    answer: [settings.LogSettingsResponse, settings.readLogSettings],
  }),
  HealthCheck: method({
    path: '/grpc.health.v1.Health/Check',
    request: [servers.HealthCheckRequest, () => ({})],
    answer: [servers.HealthCheckResponse, servers.readHealthStatus],
  }),
  ModelInfer: method({
    path: inference('ModelInfer'),
    request: [ModelInferRequest, writeInfer],
    answer: [ModelInferResponse, readInfer],
  }),
};

/** Both sides are streams of these messages. */
export const modelStreamInfer: GrpcMethod<InferMessage, StreamAnswer> = method({
  path: inference('ModelStreamInfer'),
  request: [ModelInferRequest, writeInfer],
  answer: [
    ModelStreamInferResponse,
    ({ error_message: error, infer_response = ModelInferResponse.empty() }) => {
      const answer = readInfer(infer_response);
      if (error === '') return { answer };
      return { error: serverError('internal', error, {}), answer };
    },
  ],
});

function inference(name: string): string {
  return `/inference.GRPCInferenceService/${name}`;
}

function method<Q, A, QueryInit, AnswerMessage>({
  path,
  request: [requestType, write],
  answer: [answerType, read],
}: {
  path: string;
  request: readonly [MessageType<unknown, QueryInit>, (request: Q) => QueryInit];
  answer: readonly [MessageType<AnswerMessage, unknown>, (message: AnswerMessage) => A];
}): GrpcMethod<Q, A> {
  return {
    path,
    encode: (request) => requestType.encode(write(request)),
    decode: (bytes) => read(answerType.decode(bytes)),
  };
}

function writeModel({ model, version }: Partial<ModelRef>): {
  name: string | undefined;
  version: string | undefined;
} {
  return { name: model, version };
}
