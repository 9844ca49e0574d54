import type { InferAnswer, InferMessage } from '../protocol.js';
import type { MessageInit } from '../protobuf/message.js';
import { putEntry } from '../entries.js';
import { isDataType } from '../data-types.js';
import { rawPieces, readRawTensor } from '../raw-tensor.js';
import { elementCount, shapeText } from '../shape.js';
import type { DataType, Tensor, TensorData } from '../tensor.js';
import { TritonError } from '../triton-error.js';
import type {
  InferOutputTensor,
  InferTensorContents,
  ModelInferRequest,
  ModelInferResponse,
} from './messages-infer.js';
import { readParameters, writeParameters } from './messages-parameters.js';

const NO_BYTES = new Uint8Array(0);

/** Tensors go as raw bytes, from where they lie. */
export function writeInfer(request: InferMessage): MessageInit<typeof ModelInferRequest> {
  const { model, version, id, parameters, inputs, outputs } = request;
  return {
    model_name: model,
    model_version: version,
    id,
    parameters: writeParameters('parameters', parameters),
    inputs: inputs.map(({ name, tensor, parameters: own }) => ({
      name,
      datatype: tensor.datatype,
      shape: tensor.shape,
      parameters: own && writeParameters(`parameters of input ${name}`, own),
    })),
    outputs: outputs?.map(({ name, classification, parameters: own }) => ({
      name,
      parameters: writeParameters(
        `parameters of output ${name}`,
        classification === undefined ? own : { ...own, classification },
      ),
    })),
    raw_input_contents: inputs.map(({ tensor }) => rawPieces(tensor)),
  };
}

/** @throws TritonError that names the output whose bytes do not fit its shape */
export function readInfer(response: ModelInferResponse): InferAnswer {
  const raw = response.raw_output_contents;
  const outputs: Record<string, Tensor> = {};
  for (const [index, output] of response.outputs.entries()) {
    putEntry(outputs, output.name, readOutput(output, raw[index]));
  }
  return {
    model: response.model_name,
    version: response.model_version,
    id: response.id,
    parameters: readParameters(response.parameters),
    outputs,
  };
}

/** A server may give the elements in a field of their type in place of the bytes. */
function readOutput(output: InferOutputTensor, raw: Uint8Array | undefined): Tensor {
  const { name, datatype, shape, contents } = output;
  if (raw !== undefined || contents === undefined || !isDataType(datatype)) {
    // It refuses the name of no data type.
    return readRawTensor(name, datatype as DataType, shape, raw ?? NO_BYTES);
  }
  const data = typedContents[datatype]?.(contents);
  if (data?.length !== elementCount(shape)) {
    const message = `output ${name} (${datatype} ${shapeText(shape)}): ${data?.length ?? 'no'} elements came`;
    throw new TritonError('data_loss', message, { reason: 'protocol', progress: 'answered' });
  }
  return { datatype, shape, data } as Tensor;
}

/** FP16 and BF16 have no field, so they come only as bytes. */
const typedContents: {
  readonly [D in DataType]?: (contents: InferTensorContents) => TensorData[D];
} = {
  BOOL: ({ bool_contents }) => Uint8Array.from(bool_contents, Number),
  UINT8: ({ uint_contents }) => Uint8Array.from(uint_contents),
  UINT16: ({ uint_contents }) => Uint16Array.from(uint_contents),
  UINT32: ({ uint_contents }) => Uint32Array.from(uint_contents),
  UINT64: ({ uint64_contents }) => BigUint64Array.from(uint64_contents, BigInt),
  INT8: ({ int_contents }) => Int8Array.from(int_contents),
  INT16: ({ int_contents }) => Int16Array.from(int_contents),
  INT32: ({ int_contents }) => Int32Array.from(int_contents),
  INT64: ({ int64_contents }) => BigInt64Array.from(int64_contents, BigInt),
  FP32: ({ fp32_contents }) => Float32Array.from(fp32_contents),
  FP64: ({ fp64_contents }) => Float64Array.from(fp64_contents),
  BYTES: ({ bytes_contents }) => bytes_contents,
};
