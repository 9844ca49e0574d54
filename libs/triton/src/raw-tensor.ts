import { fixedTypes, isDataType } from './data-types.js';
import { elementCount, shapeText } from './shape.js';
import type { DataType, Tensor } from './tensor.js';
import { invalidArgument, TritonError } from './triton-error.js';

/** An element of BYTES from this size on is sent from where it lies; smaller ones are copied together. */
const OWN_PIECE_BYTES = 16_384;
const PREFIX_BYTES = 4;
const LONGEST_ELEMENT = 0xffff_ffff;

/** Bytes of a tensor on the wire. */
export function rawByteLength(tensor: Tensor): number {
  if (tensor.datatype !== 'BYTES') return tensor.data.byteLength;
  let length = 0;
  for (const element of tensor.data) length += PREFIX_BYTES + element.byteLength;
  return length;
}

/**
 * The bytes of a tensor on the wire, to be sent one after the other: little-endian elements, and for BYTES each with its
 * length before it. They are views of the tensor's own data, which must not change until they are sent; only BYTES are
 * copied, and of those only elements below 16 KiB.
 * https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
 *
 * @throws TritonError `invalid_argument` for an element of BYTES of 4 GiB or more
 */
export function rawPieces(tensor: Tensor): readonly Uint8Array[] {
  if (tensor.datatype === 'BYTES') return bytesPieces(tensor.data);
  const { buffer, byteOffset, byteLength } = tensor.data;
  return [new Uint8Array(buffer, byteOffset, byteLength)];
}

function bytesPieces(elements: readonly Uint8Array[]): Uint8Array[] {
  let gatheredBytes = 0;
  for (const { byteLength } of elements) {
    gatheredBytes += PREFIX_BYTES + (byteLength < OWN_PIECE_BYTES ? byteLength : 0);
  }
  const gathered = Buffer.allocUnsafe(gatheredBytes);
  const pieces: Uint8Array[] = [];
  let start = 0;
  let end = 0;
  for (const [index, element] of elements.entries()) {
    const length = element.byteLength;
    if (length > LONGEST_ELEMENT) {
      throw invalidArgument(`element ${index}`, `${length} bytes`, 'BYTES holds up to 4 GiB - 1');
    }
    end = gathered.writeUInt32LE(length, end);
    if (length < OWN_PIECE_BYTES) {
      gathered.set(element, end);
      end += length;
    } else {
      pieces.push(gathered.subarray(start, end), element);
      start = end;
    }
  }
  if (end > start) pieces.push(gathered.subarray(start, end));
  return pieces;
}

/**
 * The tensor of these bytes from the wire. It shares their memory, unless they lie where no typed array of the type can:
 * then they are copied once.
 *
 * @param name of the output, for errors
 * @throws TritonError `data_loss`, reason `protocol`, if bytes and shape do not fit, or either is no tensor's
 */
export function readRawTensor(
  name: string,
  datatype: DataType,
  shape: readonly number[],
  bytes: Uint8Array,
): Tensor {
  if (!isDataType(datatype)) throw broken(name, datatype, shape, 'an unknown data type');
  const count = elementCount(shape);
  if (Number.isNaN(count)) {
    throw broken(name, datatype, shape, 'a shape that is negative or beyond 2^53 elements');
  }
  if (datatype === 'BYTES') {
    const data = readElements(bytes, count, (fault) => broken(name, datatype, shape, fault));
    return { datatype, shape, data };
  }
  const { bytes: size, Array: TypedArray } = fixedTypes[datatype];
  if (bytes.byteLength !== count * size) {
    throw broken(
      name,
      datatype,
      shape,
      `${bytes.byteLength} bytes came, but ${count} elements of ${size} bytes are ${count * size}`,
    );
  }
  const data =
    bytes.byteOffset % size === 0
      ? new TypedArray(bytes.buffer, bytes.byteOffset, count)
      : new TypedArray(new Uint8Array(bytes).buffer, 0, count);
  return { datatype, shape, data } as Tensor;
}

/** The elements of BYTES, each a view. */
function readElements(
  { buffer, byteOffset, byteLength }: Uint8Array,
  count: number,
  fault: (problem: string) => TritonError,
): Uint8Array[] {
  const view = new DataView(buffer, byteOffset, byteLength);
  const elements: Uint8Array[] = [];
  let offset = 0;
  for (let index = 0; index < count; index++) {
    const left = byteLength - offset - PREFIX_BYTES;
    if (left < 0) {
      throw fault(`${byteLength} bytes came, which end before element ${index} of ${count}`);
    }
    const length = view.getUint32(offset, true);
    if (length > left) {
      throw fault(`element ${index} of ${count} should have ${length} bytes, ${left} are left`);
    }
    elements.push(new Uint8Array(buffer, byteOffset + offset + PREFIX_BYTES, length));
    offset += PREFIX_BYTES + length;
  }
  if (offset < byteLength) {
    throw fault(
      `${byteLength - offset} of ${byteLength} bytes are left over after ${count} elements`,
    );
  }
  return elements;
}

function broken(
  name: string,
  datatype: string,
  shape: readonly number[],
  problem: string,
): TritonError {
  const message = `output ${name} (${datatype} ${shapeText(shape)}): ${problem}`;
  return new TritonError('data_loss', message, { reason: 'protocol', progress: 'answered' });
}
