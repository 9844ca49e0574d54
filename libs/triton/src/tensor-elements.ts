import {
  type BigDataType,
  fixedTypes,
  type FloatDataType,
  type SmallDataType,
} from './data-types.js';
import { bf16, fp16 } from './half-floats.js';
import type { DataType, TensorData } from './tensor.js';
import { invalidArgument, type TritonError } from './triton-error.js';

/** Names an element in an error. */
export type PlaceOf = (index: number) => string;

/**
 * The data of a tensor, of elements as people write them.
 *
 * @throws TritonError `invalid_argument` for an element that the type cannot hold
 */
export function readElements(
  datatype: DataType,
  elements: readonly unknown[],
  placeOf: PlaceOf,
): TensorData[DataType] {
  switch (datatype) {
    case 'BYTES':
      return elements.map((element, index) => readBytes(element, index, placeOf));
    case 'FP16':
      return fp16(readFloats(datatype, elements, new Float64Array(elements.length), placeOf));
    case 'BF16':
      return bf16(readFloats(datatype, elements, new Float64Array(elements.length), placeOf));
    case 'FP32':
      return readFloats(datatype, elements, new Float32Array(elements.length), placeOf);
    case 'FP64':
      return readFloats(datatype, elements, new Float64Array(elements.length), placeOf);
    case 'INT64':
    case 'UINT64':
      return readBigIntegers(datatype, elements, placeOf);
    case 'BOOL':
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
    case 'INT8':
    case 'INT16':
    case 'INT32':
      return readIntegers(datatype, elements, placeOf);
  }
}

function readFloats<T extends Float32Array | Float64Array>(
  datatype: FloatDataType,
  elements: readonly unknown[],
  data: T,
  placeOf: PlaceOf,
): T {
  for (let index = 0; index < data.length; index++) {
    const element = elements[index];
    if (typeof element !== 'number') {
      const problem = `${shown(element)} is no ${datatype}`;
      throw invalidArgument(placeOf(index), problem, 'give a number');
    }
    data[index] = element;
  }
  return data;
}

function readIntegers(
  datatype: SmallDataType,
  elements: readonly unknown[],
  placeOf: PlaceOf,
): TensorData[SmallDataType] {
  const { Array: TypedArray, least, greatest } = fixedTypes[datatype];
  const data = new TypedArray(elements.length);
  for (let index = 0; index < data.length; index++) {
    const element = asNumber(datatype, elements[index]);
    if (!Number.isInteger(element) || element < least || element > greatest) {
      throw notInteger(datatype, elements[index], placeOf(index));
    }
    data[index] = element;
  }
  return data;
}

/** What may stand for a number; NaN for what may not. */
function asNumber(datatype: SmallDataType, element: unknown): number {
  if (typeof element === 'number') return element;
  if (typeof element === 'bigint') return Number(element);
  return datatype === 'BOOL' && typeof element === 'boolean' ? Number(element) : NaN;
}

function readBigIntegers(
  datatype: BigDataType,
  elements: readonly unknown[],
  placeOf: PlaceOf,
): TensorData[BigDataType] {
  const { Array: TypedArray, least, greatest } = fixedTypes[datatype];
  const data = new TypedArray(elements.length);
  for (let index = 0; index < data.length; index++) {
    const given = elements[index];
    const element =
      typeof given === 'number' && Number.isSafeInteger(given) ? BigInt(given) : given;
    if (typeof element !== 'bigint' || element < least || element > greatest) {
      throw notInteger(datatype, given, placeOf(index));
    }
    data[index] = element;
  }
  return data;
}

function notInteger(
  datatype: SmallDataType | BigDataType,
  element: unknown,
  place: string,
): TritonError {
  const problem = `${shown(element)} is no ${datatype}`;
  if (datatype === 'BOOL') return invalidArgument(place, problem, 'give true, false, 1 or 0');
  const { least, greatest } = fixedTypes[datatype];
  if (typeof element === 'number' && Number.isInteger(element) && !Number.isSafeInteger(element)) {
    return invalidArgument(place, `${problem}: beyond 2^53 a number is not exact`, 'give a bigint');
  }
  return invalidArgument(place, problem, `give an integer from ${least} to ${greatest}`);
}

function readBytes(element: unknown, index: number, placeOf: PlaceOf): Uint8Array {
  if (element instanceof Uint8Array) return element;
  if (typeof element !== 'string') {
    const problem = `${shown(element)} is no BYTES`;
    throw invalidArgument(placeOf(index), problem, 'give a string or a Uint8Array');
  }
  if (!element.isWellFormed()) {
    const at = element.search(/\p{Surrogate}/u);
    const problem = `a lone surrogate at index ${at} of the string, which UTF-8 cannot hold`;
    throw invalidArgument(placeOf(index), problem, 'take it out, or give a Uint8Array');
  }
  return Buffer.from(element);
}

/** A value in an error. Texts and objects may be long or secret: only their kind is told. */
function shown(value: unknown): string {
  if (typeof value === 'string') return 'a string';
  if (Array.isArray(value)) return 'a list';
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
