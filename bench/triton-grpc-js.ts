import { Client, credentials, Metadata } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import type { InferClient } from './triton-client.js';

/** As much of Triton's protocol as the calls here need; what protobufjs makes of a .proto file. */
const { root } = protobuf.parse(
  `
  syntax = "proto3";
  package inference;
  message InferParameter { oneof parameter_choice { bool bool_param = 1; int64 int64_param = 2; string string_param = 3; } }
  message Input { string name = 1; string datatype = 2; repeated int64 shape = 3; map<string, InferParameter> parameters = 4; }
  message Output { string name = 1; string datatype = 2; repeated int64 shape = 3; map<string, InferParameter> parameters = 4; }
  message ModelInferRequest {
    string model_name = 1;
    string model_version = 2;
    string id = 3;
    map<string, InferParameter> parameters = 4;
    repeated Input inputs = 5;
    repeated bytes raw_input_contents = 7;
  }
  message ModelInferResponse {
    string model_name = 1;
    string model_version = 2;
    string id = 3;
    map<string, InferParameter> parameters = 4;
    repeated Output outputs = 5;
    repeated bytes raw_output_contents = 6;
  }
  message ModelStreamInferResponse { string error_message = 1; ModelInferResponse infer_response = 2; }
`,
  { keepCase: true },
);
const Request = root.lookupType('inference.ModelInferRequest');
const Response = root.lookupType('inference.ModelInferResponse');
const StreamResponse = root.lookupType('inference.ModelStreamInferResponse');

interface ModelInferResponse {
  readonly raw_output_contents: readonly Uint8Array[];
}

const service = '/inference.GRPCInferenceService';
const encode = (request: object): Buffer => Request.encode(request).finish() as Buffer;
const decode = (bytes: Buffer) => Response.decode(bytes) as unknown as ModelInferResponse;
const decodeStream = (bytes: Buffer) => StreamResponse.decode(bytes);

/** @grpc/grpc-js with the codecs of protobufjs, tensors as raw bytes. */
export function connect(url: string): InferClient {
  const client = new Client(new URL(url).host, credentials.createInsecure());
  return {
    infer: (values) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          `${service}/ModelInfer`,
          encode,
          decode,
          requestOf(values),
          (error, response) => {
            const [bytes] = response?.raw_output_contents ?? [];
            if (bytes) resolve(floats(bytes));
            else reject(error ?? new Error('no output'));
          },
        );
      }),
    async openStream(values) {
      const call = client.makeBidiStreamRequest(
        `${service}/ModelStreamInfer`,
        encode,
        decodeStream,
        new Metadata(),
      );
      await new Promise((resolve, reject) => {
        call.once('data', resolve);
        call.once('error', reject);
        call.write(requestOf(values));
      });
    },
    readTokens: () => Promise.reject(new Error('measured with the product only')),
  };
}

function requestOf(values: Float32Array): object {
  return {
    model_name: 'identity',
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [values.length] }],
    raw_input_contents: [Buffer.from(values.buffer, values.byteOffset, values.byteLength)],
  };
}

/** Copied: the bytes lie somewhere in a network buffer, where no float may begin. */
function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}
