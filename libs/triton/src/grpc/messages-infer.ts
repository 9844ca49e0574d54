import {
  bool,
  bytes,
  double,
  float,
  int32,
  int64,
  int64Number,
  map,
  nested,
  oneof,
  repeated,
  string,
  uint32,
  uint64,
} from '../protobuf/fields.js';
import { message, type MessageOf } from '../protobuf/message.js';

// Numbers and names: grpc_service.proto of github.com/triton-inference-server/common (BSD-3-Clause).

export const InferParameter = message('InferParameter', {
  ...oneof('parameter_choice', {
    bool_param: bool(1),
    int64_param: int64(2),
    string_param: string(3),
    double_param: double(4),
    uint64_param: uint64(5),
  }),
});
export type InferParameter = MessageOf<typeof InferParameter>;

export const InferTensorContents = message('InferTensorContents', {
  bool_contents: repeated(bool(1)),
  int_contents: repeated(int32(2)),
  int64_contents: repeated(int64(3)),
  uint_contents: repeated(uint32(4)),
  uint64_contents: repeated(uint64(5)),
  fp32_contents: repeated(float(6)),
  fp64_contents: repeated(double(7)),
  bytes_contents: repeated(bytes(8)),
});
export type InferTensorContents = MessageOf<typeof InferTensorContents>;

export const ModelInferRequest = message('ModelInferRequest', {
  model_name: string(1),
  model_version: string(2),
  id: string(3),
  parameters: map(4, string, nested(2, InferParameter)),
  inputs: repeated(
    nested(
      5,
      message('ModelInferRequest.InferInputTensor', {
        name: string(1),
        datatype: string(2),
        shape: repeated(int64Number(3)),
        parameters: map(4, string, nested(2, InferParameter)),
        contents: nested(5, InferTensorContents),
      }),
    ),
  ),
  outputs: repeated(
    nested(
      6,
      message('ModelInferRequest.InferRequestedOutputTensor', {
        name: string(1),
        parameters: map(2, string, nested(2, InferParameter)),
      }),
    ),
  ),
  raw_input_contents: repeated(bytes(7)),
});

const InferOutputTensor = message('ModelInferResponse.InferOutputTensor', {
  name: string(1),
  datatype: string(2),
  shape: repeated(int64Number(3)),
  parameters: map(4, string, nested(2, InferParameter)),
  contents: nested(5, InferTensorContents),
});
export type InferOutputTensor = MessageOf<typeof InferOutputTensor>;

export const ModelInferResponse = message('ModelInferResponse', {
  model_name: string(1),
  model_version: string(2),
  id: string(3),
  parameters: map(4, string, nested(2, InferParameter)),
  outputs: repeated(nested(5, InferOutputTensor)),
  raw_output_contents: repeated(bytes(6)),
});
export type ModelInferResponse = MessageOf<typeof ModelInferResponse>;

export const ModelStreamInferResponse = message('ModelStreamInferResponse', {
  error_message: string(1),
  infer_response: nested(2, ModelInferResponse),
});
