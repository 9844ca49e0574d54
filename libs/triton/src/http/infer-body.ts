import { isDataType } from '../data-types.js';
import { readValues } from '../make-tensor.js';
import type {
  InferAnswer,
  InferMessage,
  NamedTensor,
  Parameters,
  RequestedOutput,
} from '../protocol.js';
import { rawByteLength, rawPieces, readRawTensor } from '../raw-tensor.js';
import { elementCount } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkParameterNumber, checkText } from '../write-json.js';
import { invalidArgument, TritonError } from '../triton-error.js';
import type { HttpAnswer } from './http-message.js';
import { asText, broken, isObject, type JsonObject, readJson } from './json-text.js';

/** Where the JSON of a request or an answer ends and binary tensors begin. */
export const JSON_LENGTH_HEADER = 'inference-header-content-length';

/** What tells how a tensor is carried, and is not the caller's to say. */
const OWN = new Set(['binary_data', 'binary_data_output', 'binary_data_size', 'classification']);

/** What Triton reads as unsigned. Any other integer beyond INT64 would reach the model as a rounded double. */
const UNSIGNED = new Set(['sequence_id', 'priority', 'timeout']);

/**
 * The body of an inference request: JSON, then the bytes of the tensors, in pieces that are the tensors' own memory.
 * https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
 *
 * @throws TritonError `invalid_argument` that names what JSON, or Triton's reading of it, cannot carry
 */
export function writeInfer(message: InferMessage): { body: Uint8Array[]; jsonLength: number } {
  const { id = '', parameters, inputs, outputs = [] } = message;
  const pieces: Uint8Array[] = [];
  let json = `{"inputs":[${inputs.map((input) => writeInput(input, pieces)).join()}]`;
  if (outputs.length > 0) json += `,"outputs":[${outputs.map(writeOutput).join()}]`;
  if (id !== '') json += `,"id":${text('id', id)}`;
  // Without it, outputs that are not asked for by name come as JSON.
  const binary = '"binary_data_output":true';
  json += `,"parameters":{${writeParameters('parameters', parameters, binary)}}}`;
  const header = Buffer.from(json);
  return { body: [header, ...pieces], jsonLength: header.length };
}

function writeInput({ name, tensor, parameters }: NamedTensor, pieces: Uint8Array[]): string {
  // A tensor of BYTES may have more pieces than a call can have arguments.
  for (const piece of rawPieces(tensor)) pieces.push(piece);
  const size = `"binary_data_size":${rawByteLength(tensor)}`;
  return (
    `{"name":${text('the name of an input', name)},"datatype":"${tensor.datatype}",` +
    `"shape":[${tensor.shape.join()}],"parameters":{${writeParameters(name, parameters, size)}}}`
  );
}

function writeOutput({ name, classification, parameters }: RequestedOutput): string {
  let own = '"binary_data":true';
  if (classification !== undefined) own += `,"classification":${classification}`;
  return `{"name":${text('the name of an output', name)},"parameters":{${writeParameters(name, parameters, own)}}}`;
}

/** JSON.stringify refuses a bigint, but its digits are JSON. */
function writeParameters(where: string, parameters: Parameters = {}, own: string): string {
  let json = own;
  for (const [key, value] of Object.entries(parameters)) {
    const place = `${where}.${key}`;
    if (OWN.has(key)) throw invalidArgument(place, 'is part of the protocol', 'leave it out');
    json += `,${text(`a name in ${where}`, key)}:`;
    if (typeof value === 'bigint') checkInteger(place, key, value);
    if (typeof value === 'number') checkParameterNumber(place, value);
    json += typeof value === 'string' ? text(place, value) : String(value);
  }
  return json;
}

function text(where: string, value: string): string {
  checkText(where, value);
  return JSON.stringify(value);
}

function checkInteger(where: string, key: string, value: bigint): void {
  const unsigned = UNSIGNED.has(key);
  if (BigInt[unsigned ? 'asUintN' : 'asIntN'](64, value) === value) return;
  throw invalidArgument(
    where,
    `${value} is beyond ${unsigned ? 'UINT64' : 'INT64'}`,
    'give less, or a string',
  );
}

/**
 * Reads an answer to an inference request. Tensors are views of its body, copied only where the alignment demands it.
 *
 * @throws TritonError `internal` or `data_loss`, reason `protocol`, if it breaks the protocol
 */
export function readInfer({ headers, body }: HttpAnswer): InferAnswer {
  const jsonLength = Number(headers[JSON_LENGTH_HEADER] ?? body.length);
  if (!isSize(jsonLength) || jsonLength > body.length) {
    throw broken(`the answer has ${body.length} bytes, its JSON alone should have ${jsonLength}`);
  }
  const json = readJson(body.subarray(0, jsonLength), { exactly: true });
  if (!isObject(json) || !Array.isArray(json.outputs)) throw broken('the answer has no outputs');
  let offset = jsonLength;
  const outputs: [string, Tensor][] = [];
  for (const output of json.outputs) {
    const { name, datatype, shape, binarySize, data } = readOutput(output);
    if (binarySize === undefined) {
      outputs.push([name, readJsonTensor(name, datatype, shape, data)]);
      continue;
    }
    const end = offset + binarySize;
    if (end > body.length) throw broken(`the answer ends within output ${name}`);
    outputs.push([name, readRawTensor(name, datatype, shape, body.subarray(offset, end))]);
    offset = end;
  }
  if (offset !== body.length) throw broken(`the answer has ${body.length - offset} bytes too many`);
  return {
    model: asText(json.model_name),
    version: asText(json.model_version),
    id: asText(json.id),
    parameters: isObject(json.parameters) ? (json.parameters as Parameters) : {},
    outputs: Object.fromEntries(outputs),
  };
}

interface Output {
  readonly name: string;
  readonly datatype: Tensor['datatype'];
  readonly shape: readonly number[];
  readonly binarySize: number | undefined;
  readonly data: unknown;
}

function readOutput(output: unknown): Output {
  const { name, datatype, shape, parameters, data }: JsonObject = isObject(output) ? output : {};
  const binarySize = isObject(parameters) ? parameters.binary_data_size : undefined;
  if (
    typeof name !== 'string' ||
    typeof datatype !== 'string' ||
    !isDataType(datatype) ||
    !isSizes(shape) ||
    !(binarySize === undefined || isSize(binarySize))
  ) {
    const seen = `${String(name)}, ${String(datatype)}`;
    throw broken(`the answer has an output that is none, or of a type unknown here: ${seen}`);
  }
  return { name, datatype, shape, binarySize, data };
}

function isSizes(shape: unknown): shape is number[] {
  return Array.isArray(shape) && shape.every(isSize);
}

function isSize(size: unknown): size is number {
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0;
}

/** Of a server that did not heed the wish for binary data. */
function readJsonTensor(
  name: string,
  datatype: Tensor['datatype'],
  shape: readonly number[],
  values: unknown,
): Tensor {
  if (!Array.isArray(values)) throw broken(`output ${name} has no data`);
  try {
    const { data } = readValues('data', datatype, values.flat(Infinity));
    if (data.length === elementCount(shape)) return { datatype, shape, data } as Tensor;
  } catch (cause) {
    if (!(cause instanceof TritonError)) throw cause;
    throw broken(`output ${name} (${datatype}): ${cause.message}`, cause);
  }
  throw broken(`output ${name} has ${values.length} elements, its shape is [${shape.join(', ')}]`);
}
