import { readValues } from './make-tensor.js';
import type {
  GenerateFields,
  InferAnswer,
  InferMessage,
  Json,
  ModelMetadata,
  NamedTensor,
  Parameters,
  TensorMetadata,
} from './protocol.js';
import { elementCount, shapeText } from './shape.js';
import type { Tensor } from './tensor.js';
import { toNumbers, toStrings } from './tensor-values.js';
import { invalidArgument } from './triton-error.js';

/** Parameter of a streamed answer that only gRPC adds: is it the last one? */
const FINAL_RESPONSE = 'triton_final_response';

/**
 * The request that Triton makes of the fields of its HTTP endpoint `/generate`, for where there is no such endpoint. A field
 * named as an input is that input: a value or a flat list, in the model's shape, of which the innermost dimension of any
 * size takes what the fixed ones leave and the others are 1. Any other field is a parameter. So are the members of the field
 * `parameters`, unless they in turn are inputs; `id` is the request's id and a parameter.
 *
 * Triton 2.51 and this differ in what they refuse. Only here: integers out of range, which Triton cuts off, or beyond 2^53;
 * lists in a list, even of one element each. Only there: FP16 and BF16, 0 and 1 for BOOL.
 * https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_generate.md
 *
 * @throws TritonError `invalid_argument` that names model and field
 */
export function fieldsToInputs(
  metadata: ModelMetadata,
  fields: GenerateFields,
): Pick<InferMessage, 'id' | 'parameters' | 'inputs'> {
  const inputs: NamedTensor[] = [];
  const parameters: [string, Parameters[string]][] = [];
  const take = (name: string, value: Json, where: string): void => {
    const expected = metadata.inputs.find((input) => input.name === name);
    if (expected === undefined) {
      parameters.push([name, readParameter(where, value)]);
    } else if (inputs.some((input) => input.name === name)) {
      throw invalidArgument(where, 'given twice', 'give it here or in parameters');
    } else {
      inputs.push({ name, tensor: readInput(where, expected, value) });
    }
  };

  let id: string | undefined;
  for (const [name, value] of given(fields)) {
    const where = `model ${metadata.name}, field ${name}`;
    if (name === 'parameters') {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw invalidArgument(where, 'no object', 'give one of values by name');
      }
      for (const [inner, its] of given(value)) take(inner, its, `${where}.${inner}`);
      continue;
    }
    if (name === 'id') {
      if (typeof value !== 'string') throw invalidArgument(where, 'no string', 'give one');
      id = value;
    }
    take(name, value, where);
  }
  return { id, parameters: Object.fromEntries(parameters), inputs };
}

/** What JSON would keep of an object. */
function given(fields: object): [string, Json][] {
  return Object.entries(fields).filter(([, value]) => value !== undefined);
}

function readParameter(where: string, value: Json): Parameters[string] {
  if (typeof value === 'object') {
    const problem = 'neither an input of the model nor fit for a parameter';
    throw invalidArgument(where, problem, 'a parameter is a boolean, a number or a string');
  }
  return value;
}

function readInput(where: string, { datatype, shape }: TensorMetadata, value: Json): Tensor {
  const { data, shape: own } = readValues(where, datatype, value);
  if (own.length > 1)
    throw invalidArgument(where, 'lists in a list', 'give a value or a flat list');
  const fixed = elementCount(shape.filter((size) => size !== -1));
  let rest = data.length / fixed;
  const padded = shape.toReversed().map((size) => {
    if (size !== -1) return size;
    const taken = rest;
    rest = 1;
    return taken;
  });
  if (!Number.isInteger(data.length / fixed) || rest !== 1) {
    const problem = `${data.length} elements cannot have the shape of ${datatype} ${shapeText(shape)}`;
    const mend = shape.includes(-1) ? `give a multiple of ${fixed}` : `give ${fixed}`;
    throw invalidArgument(where, problem, mend);
  }
  return { datatype, shape: padded.toReversed(), data } as Tensor;
}

/**
 * An answer as `/generate` gives it: outputs by name, of one element as it is and of more as a flat list, with the answer's
 * parameters, `model_name`, `model_version` and, where there is one, `id`; of equal names the later in this order wins. A
 * 64-bit integer beyond 2^53 becomes the nearest number.
 *
 * @throws TritonError `data_loss`, reason `malformed_text`, for a text that is not UTF-8
 */
export function answerToFields(answer: InferAnswer): GenerateFields {
  const fields: [string, Json][] = [];
  for (const [name, tensor] of Object.entries(answer.outputs)) {
    const values = toJson(name, tensor);
    fields.push([name, values.length === 1 ? (values[0] ?? null) : values]);
  }
  for (const [name, value] of Object.entries(answer.parameters)) {
    if (name !== FINAL_RESPONSE)
      fields.push([name, typeof value === 'bigint' ? Number(value) : value]);
  }
  fields.push(['model_name', answer.model], ['model_version', answer.version]);
  if (answer.id !== '') fields.push(['id', answer.id]);
  return Object.fromEntries(fields);
}

function toJson(name: string, tensor: Tensor): readonly Json[] {
  const { datatype, data } = tensor;
  if (datatype === 'BYTES') return toStrings(tensor, `output ${name}`);
  if (datatype === 'BOOL') return Array.from(data, (value) => value !== 0);
  if (datatype === 'INT64' || datatype === 'UINT64')
    return Array.from<bigint, number>(data, Number);
  return toNumbers(tensor);
}
