import { DATA_TYPES, fixedTypes, isDataType } from './data-types.js';
import { flattenLists, indexPath } from './nested-lists.js';
import { elementCount, shapeText } from './shape.js';
import type { DataType, Tensor, TensorData } from './tensor.js';
import { readElements } from './tensor-elements.js';
import { invalidArgument } from './triton-error.js';

interface ElementValues {
  BOOL: boolean | number;
  FP16: number;
  FP32: number;
  FP64: number;
  BF16: number;
  BYTES: string | Uint8Array;
}

/** An element as people write it. */
export type ElementValue<D extends DataType = DataType> = D extends keyof ElementValues
  ? ElementValues[D]
  : number | bigint;

type Lists<T> = readonly (T | Lists<T>)[];

/** What a tensor is made of: a typed array, a list, lists of lists, or a single element. */
export type TensorValues<D extends DataType = DataType> =
  TensorData[D] | ElementValue<D> | Lists<ElementValue<D>>;

/**
 * Makes a tensor.
 *
 * A typed array of the type is kept as it is: not copied, its values not looked at. FP16 and BF16 take a Uint16Array of bits,
 * BOOL a Uint8Array of 0 and 1. A typed array of another type is an error, never converted.
 *
 * Elements in lists: integer types take integers in their range, as number or bigint (beyond 2^53 only bigint); BOOL takes
 * booleans, 0 and 1; floating point takes numbers, which are rounded to the nearest value of the type, ties to even, and
 * to Infinity beyond its range (IEEE 754); BYTES takes strings, as UTF-8, and Uint8Arrays, which are kept.
 *
 * @param shape default: as the lists are nested; `[1]` for a single element
 * @throws TritonError `invalid_argument` that names the place, as `values[1][2]`
 */
export function tensor<D extends DataType>(
  datatype: D,
  values: TensorValues<D>,
  shape?: readonly number[],
): Tensor<D> {
  if (!isDataType(datatype)) {
    const mend = `give one of ${DATA_TYPES.join(', ')}`;
    throw invalidArgument('datatype', `${String(datatype)} is none`, mend);
  }
  const read = readValues('values', datatype, values);
  if (shape !== undefined) checkCount('shape', shape, read.data.length);
  return { datatype, shape: shape ?? read.shape, data: read.data } as Tensor<D>;
}

/**
 * The data of a tensor, and the shape of the values as they are nested. `where` names them in errors.
 */
export function readValues(
  where: string,
  datatype: DataType,
  values: unknown,
): { readonly data: TensorData[DataType]; readonly shape: readonly number[] } {
  if (Array.isArray(values)) {
    const { elements, shape } = flattenLists(where, values);
    const placeOf = (index: number): string => where + indexPath(index, shape);
    return { data: readElements(datatype, elements, placeOf), shape };
  }
  if (datatype === 'BYTES' || !ArrayBuffer.isView(values)) {
    return { data: readElements(datatype, [values], () => where), shape: [1] };
  }
  const { Array: TypedArray } = fixedTypes[datatype];
  if (values instanceof TypedArray) return { data: values, shape: [values.length] };
  const wanted = `give ${TypedArray.name}`;
  throw invalidArgument(
    where,
    `${values.constructor.name} is not what holds ${datatype}`,
    datatype === 'FP16' || datatype === 'BF16'
      ? `${wanted} of bits, as ${datatype.toLowerCase()}(numbers) makes it`
      : wanted,
  );
}

/**
 * @throws TritonError `invalid_argument` if a shape does not hold exactly that many elements
 */
export function checkCount(where: string, shape: readonly number[], count: number): void {
  const room = elementCount(shape);
  if (Number.isNaN(room)) {
    throw invalidArgument(where, `${shapeText(shape)} is none`, 'give integers from 0 on');
  }
  if (room !== count) {
    const problem = `${shapeText(shape)} holds ${room} elements, but ${count} are given`;
    throw invalidArgument(where, problem, 'give a shape that holds them all');
  }
}
