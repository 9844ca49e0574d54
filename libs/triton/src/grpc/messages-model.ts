import { bool, int64Number, nested, repeated, string } from '../protobuf/fields.js';
import { message } from '../protobuf/message.js';
import { ModelConfig } from './messages-model-config.js';

// Numbers and names: grpc_service.proto of github.com/triton-inference-server/common (BSD-3-Clause).

/** A model and a version: the request of several methods, which each have their own name for it. */
const modelFields = { name: string(1), version: string(2) };

export const ModelReadyRequest = message('ModelReadyRequest', modelFields);
export const ModelMetadataRequest = message('ModelMetadataRequest', modelFields);
export const ModelConfigRequest = message('ModelConfigRequest', modelFields);
export const ModelStatisticsRequest = message('ModelStatisticsRequest', modelFields);

export const ModelReadyResponse = message('ModelReadyResponse', { ready: bool(1) });

const TensorMetadata = message('ModelMetadataResponse.TensorMetadata', {
  name: string(1),
  datatype: string(2),
  shape: repeated(int64Number(3)),
});

export const ModelMetadataResponse = message('ModelMetadataResponse', {
  name: string(1),
  versions: repeated(string(2)),
  platform: string(3),
  inputs: repeated(nested(4, TensorMetadata)),
  outputs: repeated(nested(5, TensorMetadata)),
});

export const ModelConfigResponse = message('ModelConfigResponse', {
  config: nested(1, ModelConfig),
});
