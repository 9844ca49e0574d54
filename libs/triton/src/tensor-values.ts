import { bf16ToNumbers, fp16ToNumbers } from './half-floats.js';
import type { InferAnswer } from './protocol.js';
import { shapeText } from './shape.js';
import type { DataType, Tensor } from './tensor.js';
import { invalidArgument, TritonError } from './triton-error.js';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The output of this name, known to be of this type.
 *
 * @throws TritonError `invalid_argument` that says what the answer has, if that is not among it
 */
export function output<D extends DataType>(
  answer: InferAnswer,
  name: string,
  datatype: D,
): Tensor<D> {
  const found = Object.hasOwn(answer.outputs, name) ? answer.outputs[name] : undefined;
  if (found?.datatype === datatype) return found as Tensor<D>;
  const problem =
    found === undefined ? 'not in the answer' : `${typeText(found)}, but ${datatype} is asked for`;
  const others = Object.entries(answer.outputs).map(
    ([other, has]) => `${other} (${typeText(has)})`,
  );
  throw invalidArgument(
    `model ${answer.model}, output ${name}`,
    problem,
    `it has ${others.join(', ') || 'no outputs'}`,
  ).with({ progress: 'answered' });
}

function typeText({ datatype, shape }: Tensor): string {
  return `${datatype} ${shapeText(shape)}`;
}

/**
 * The elements as numbers, row-major: FP16 and BF16 as what their bits mean, BOOL as 0 and 1.
 *
 * @param name of the tensor, for errors
 * @throws TritonError `out_of_range` for a 64-bit integer beyond 2^53, `invalid_argument` for BYTES
 */
export function toNumbers(tensor: Tensor, name = 'tensor'): number[] {
  const { datatype, data } = tensor;
  if (datatype === 'BYTES') {
    throw invalidArgument(name, 'BYTES are no numbers', 'read them with toStrings');
  }
  if (datatype === 'FP16') return fp16ToNumbers(data);
  if (datatype === 'BF16') return bf16ToNumbers(data);
  if (datatype !== 'INT64' && datatype !== 'UINT64') return Array.from(data);
  return Array.from<bigint, number>(data, (value, index) => exact(value, name, index));
}

function exact(value: bigint, name: string, index: number): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  const message = `${name}, element ${index}: ${value} is beyond 2^53; read the tensor's data`;
  throw new TritonError('out_of_range', message);
}

/**
 * The elements of BYTES as texts, row-major.
 *
 * @param name of the tensor, for errors
 * @throws TritonError `data_loss`, reason `malformed_text`, for an element that is not UTF-8; `invalid_argument` for another
 * data type than BYTES
 */
export function toStrings(tensor: Tensor, name = 'tensor'): string[] {
  if (tensor.datatype !== 'BYTES') {
    throw invalidArgument(name, `${tensor.datatype} is no text`, 'read it with toNumbers');
  }
  return tensor.data.map((element, index) => {
    try {
      return utf8.decode(element);
    } catch (cause) {
      const message = `${name}, element ${index} of ${tensor.data.length}: not UTF-8`;
      throw new TritonError('data_loss', message, {
        reason: 'malformed_text',
        progress: 'answered',
        cause,
      });
    }
  });
}
