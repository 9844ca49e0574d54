import { TritonError } from '../triton-error.js';
import { readShortText } from './short-text.js';

/** How a value lies on the wire. https://protobuf.dev/programming-guides/encoding/ */
export const WIRE = {
  varint: 0,
  fixed64: 1,
  delimited: 2,
  startGroup: 3,
  endGroup: 4,
  fixed32: 5,
} as const;

const TWO_32 = 2 ** 32;
/** What Google's own parsers allow. */
const DEEPEST = 100;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const fixed = new DataView(new ArrayBuffer(8));

/**
 * Reads the values of a message one after the other, up to `end`.
 *
 * @throws TritonError `internal`, reason `protocol`, where the bytes are no message
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  #position = 0;
  #end: number;
  #depth = 0;
  /** The upper half of the last 64-bit value. */
  #high = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  /** Whether the message that is being read is read. */
  get done(): boolean {
    return this.#position >= this.#end;
  }

  /** A field's number and wire type: `number << 3 | wire`. */
  tag(): number {
    const tag = this.uint32();
    if (tag < 8 || this.#high !== 0) throw malformed('a tag that has no field number');
    return tag;
  }

  /** The lower half of a varint, unsigned. */
  uint32(): number {
    const bytes = this.#bytes;
    let position = this.#position;
    if (position < this.#end) {
      const byte = bytes[position] ?? 0;
      if (byte < 0x80) {
        this.#position = position + 1;
        this.#high = 0;
        return byte;
      }
    }
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (position >= this.#end) throw malformed('it ends within a number');
      const byte = bytes[position++] ?? 0;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      // Of the tenth byte one bit is left to fill.
      else high |= (bits & 1) << 31;
      if (byte < 0x80) {
        this.#position = position;
        this.#high = high >>> 0;
        return low >>> 0;
      }
    }
    throw malformed('a number of more than ten bytes');
  }

  int32(): number {
    return this.uint32() | 0;
  }

  bool(): boolean {
    return (this.uint32() | this.#high) !== 0;
  }

  /** A bigint where a number would not be exact. */
  uint64(): number | bigint {
    const low = this.uint32();
    const high = this.#high;
    return high < 0x20_0000 ? high * TWO_32 + low : (BigInt(high) << 32n) | BigInt(low);
  }

  /** A bigint where a number would not be exact. */
  int64(): number | bigint {
    const low = this.uint32();
    const high = this.#high | 0;
    // The least safe integer is one above -2^53.
    return high < 0x20_0000 && (high > -0x20_0000 || (high === -0x20_0000 && low > 0))
      ? high * TWO_32 + low
      : (BigInt(high) << 32n) | BigInt(low);
  }

  float(): number {
    this.#fill(4);
    return fixed.getFloat32(0, true);
  }

  double(): number {
    this.#fill(8);
    return fixed.getFloat64(0, true);
  }

  #fill(length: number): void {
    const start = this.#take(length);
    for (let index = 0; index < length; index++) {
      fixed.setUint8(index, this.#bytes[start + index] ?? 0);
    }
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    const length = this.uint32();
    const start = this.#take(this.#high === 0 ? length : Infinity);
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, length);
  }

  /** @param where names the field in the error if it is not UTF-8: `data_loss`, reason `malformed_text` */
  string(where: string): string {
    const length = this.uint32();
    const start = this.#take(this.#high === 0 ? length : Infinity);
    const short = readShortText(this.#bytes, start, length);
    if (short !== undefined) return short;
    try {
      return utf8.decode(this.#bytes.subarray(start, start + length));
    } catch (cause) {
      const message = `${where}: the text is not UTF-8`;
      throw new TritonError('data_loss', message, { reason: 'malformed_text', cause });
    }
  }

  /** Goes into a value with a length before it, until `done`; `leave` takes what this gives. */
  enter(): number {
    const length = this.uint32();
    const start = this.#take(this.#high === 0 ? length : Infinity);
    if (++this.#depth > DEEPEST) throw malformed(`messages in more than ${DEEPEST} messages`);
    const outerEnd = this.#end;
    this.#end = this.#position;
    this.#position = start;
    return outerEnd;
  }

  leave(outerEnd: number): void {
    this.#end = outerEnd;
    this.#depth--;
  }

  /** Goes past the value of a field that is not known. */
  skip(tag: number): void {
    switch (tag & 7) {
      case WIRE.varint:
        this.uint32();
        break;
      case WIRE.fixed64:
        this.#take(8);
        break;
      case WIRE.delimited: {
        const length = this.uint32();
        this.#take(this.#high === 0 ? length : Infinity);
        break;
      }
      case WIRE.startGroup:
        this.#skipGroup(tag >>> 3);
        break;
      case WIRE.fixed32:
        this.#take(4);
        break;
      default:
        throw malformed(`wire type ${tag & 7} where a field begins`);
    }
  }

  #skipGroup(number: number): void {
    if (++this.#depth > DEEPEST) throw malformed(`groups in more than ${DEEPEST} groups`);
    for (;;) {
      const tag = this.tag();
      if ((tag & 7) !== WIRE.endGroup) this.skip(tag);
      else if (tag >>> 3 === number) break;
      else throw malformed('the end of a group that did not begin');
    }
    this.#depth--;
  }

  /** Where the next bytes lie. */
  #take(length: number): number {
    const start = this.#position;
    if (length > this.#end - start) throw malformed('it ends within a value');
    this.#position = start + length;
    return start;
  }
}

function malformed(problem: string): TritonError {
  return new TritonError('internal', `malformed protobuf message: ${problem}`, {
    reason: 'protocol',
  });
}
