import { invalidArgument, type TritonError } from '../triton-error.js';
import { WIRE, type WireReader } from './wire-reader.js';
import type { WireWriter } from './wire-writer.js';

type Wire = (typeof WIRE)[keyof typeof WIRE];

/** How one value is written and read: a scalar or a message. `In` is what is taken, `Out` what is given. */
export interface ValueType<Out, In = Out> {
  /** As a .proto has it. */
  readonly name: string;
  readonly wire: Wire;
  /** @param known the value that the field had before; messages are merged into it */
  read(reader: WireReader, where: string, known?: Out): Out;
  /** @param where names the field in errors */
  write(writer: WireWriter, value: In, where: string): void;
  /** What an absent value is taken for. */
  empty(): Out;
}

export interface ScalarType<Out, In = Out> extends ValueType<Out, In> {
  /** Whether that is what an absent value is taken for. */
  isEmpty(value: In): boolean;
}

export const stringType: ScalarType<string> = {
  name: 'string',
  wire: WIRE.delimited,
  empty: () => '',
  isEmpty: (value) => value === '',
  read: (reader, where) => reader.string(where),
  write(writer, value, where) {
    if (typeof value !== 'string') throw wrong(where, value, 'a text');
    const before = writer.length;
    writer.string(value, where);
    writer.varint(writer.length - before);
  },
};

const NO_BYTES = new Uint8Array(0);

/** Taken in one part or in several; given as a view of the message. */
export const bytesType: ScalarType<Uint8Array, Uint8Array | readonly Uint8Array[]> = {
  name: 'bytes',
  wire: WIRE.delimited,
  empty: () => NO_BYTES,
  isEmpty: (value) =>
    Array.isArray(value) ? value.every((part) => part.length === 0) : value.length === 0,
  read: (reader) => reader.bytes(),
  write(writer, value, where) {
    if (!(value instanceof Uint8Array) && !Array.isArray(value))
      throw wrong(where, value, 'a Uint8Array');
    const before = writer.length;
    writer.bytes(value);
    writer.varint(writer.length - before);
  },
};

export const boolType: ScalarType<boolean> = {
  name: 'bool',
  wire: WIRE.varint,
  empty: () => false,
  isEmpty: (value) => !value,
  read: (reader) => reader.bool(),
  write(writer, value, where) {
    if (typeof value !== 'boolean') throw wrong(where, value, 'true or false');
    writer.varint(value ? 1 : 0);
  },
};

export const int32Type: ScalarType<number> = {
  name: 'int32',
  wire: WIRE.varint,
  empty: () => 0,
  isEmpty: (value) => value === 0,
  read: (reader) => reader.int32(),
  write(writer, value, where) {
    if ((value | 0) !== value) throw wrong(where, value, 'an integer of 32 bits');
    if (value < 0) writer.bigVarint(BigInt(value));
    else writer.varint(value);
  },
};

export const uint32Type: ScalarType<number> = {
  name: 'uint32',
  wire: WIRE.varint,
  empty: () => 0,
  isEmpty: (value) => value === 0,
  read: (reader) => reader.uint32(),
  write(writer, value, where) {
    if (value >>> 0 !== value) throw wrong(where, value, 'an integer from 0 to 2^32 - 1');
    writer.varint(value);
  },
};

export const floatType: ScalarType<number> = {
  name: 'float',
  wire: WIRE.fixed32,
  empty: () => 0,
  isEmpty: (value) => Object.is(value, 0),
  read: (reader) => reader.float(),
  write(writer, value, where) {
    if (typeof value !== 'number') throw wrong(where, value, 'a number');
    writer.float(value);
  },
};

/** A float as the shortest decimal that means it: 0.1, not 0.10000000149011612. So protobuf's JSON has it. */
export const decimalFloatType: ScalarType<number> = {
  ...floatType,
  read(reader) {
    const value = reader.float();
    for (let digits = 6; digits < 9; digits++) {
      const decimal = Number(value.toPrecision(digits));
      if (Object.is(Math.fround(decimal), value)) return decimal;
    }
    return value;
  },
};

export const doubleType: ScalarType<number> = {
  name: 'double',
  wire: WIRE.fixed64,
  empty: () => 0,
  isEmpty: (value) => Object.is(value, 0),
  read: (reader) => reader.double(),
  write(writer, value, where) {
    if (typeof value !== 'number') throw wrong(where, value, 'a number');
    writer.double(value);
  },
};

/**
 * An enum: names by number. A number without a name is given as it is.
 *
 * @param numbers by name, as a .proto lists them
 */
export function enumType<N extends string>(
  name: string,
  numbers: Readonly<Record<N, number>>,
): EnumType<N> {
  const known = new Map<string | number, number>();
  const names = new Map<number, N>();
  for (const key of Object.keys(numbers) as N[]) {
    const number = numbers[key];
    known.set(key, number);
    if (!names.has(number)) names.set(number, key);
  }
  const nameOf = (number: number): N | number => names.get(number) ?? number;
  const numberOf = (value: N | number): number | undefined =>
    typeof value === 'number' ? value : known.get(value);
  return {
    name,
    numbers,
    wire: WIRE.varint,
    empty: () => nameOf(0),
    isEmpty: (value) => numberOf(value) === 0,
    read: (reader) => nameOf(reader.int32()),
    write(writer, value, where) {
      const number = numberOf(value);
      if (number === undefined)
        throw wrong(where, value, `one of ${[...names.values()].join(', ')}`);
      int32Type.write(writer, number, where);
    },
  };
}

export interface EnumType<N extends string> extends ScalarType<N | number> {
  readonly numbers: Readonly<Record<N, number>>;
}

export function wrong(where: string, value: unknown, wanted: string): TritonError {
  const shown = typeof value === 'object' && value !== null ? 'an object' : String(value);
  return invalidArgument(where, `${shown} is not ${wanted}`, `give ${wanted}`);
}
