import { type ScalarType, wrong } from './scalar-types.js';
import { WIRE, type WireReader } from './wire-reader.js';
import type { WireWriter } from './wire-writer.js';

type Integer = number | bigint;
type Name = 'int64' | 'uint64';

const bounds: Readonly<Record<Name, readonly [bigint, bigint]>> = {
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** Exact: a bigint where a number is not. */
export const int64Type: ScalarType<Integer> = exact('int64');
export const uint64Type: ScalarType<Integer> = exact('uint64');

/** Always a number: beyond 2^53 the nearest one. */
export const int64NumberType: ScalarType<number, Integer> = {
  ...int64Type,
  empty: () => 0,
  read: (reader) => Number(reader.int64()),
};
export const uint64NumberType: ScalarType<number, Integer> = {
  ...uint64Type,
  empty: () => 0,
  read: (reader) => Number(reader.uint64()),
};

/** In decimal digits, as protobuf's JSON has it, and as a key of a map must be. */
export const int64TextType: ScalarType<string> = text('int64');
export const uint64TextType: ScalarType<string> = text('uint64');

function exact(name: Name): ScalarType<Integer> {
  return {
    name,
    wire: WIRE.varint,
    empty: () => 0,
    isEmpty: (value) => value === 0 || value === 0n,
    read: name === 'int64' ? (reader) => reader.int64() : (reader) => reader.uint64(),
    write: (writer, value, where) => write(writer, name, value, where),
  };
}

function text(name: Name): ScalarType<string> {
  const read = (reader: WireReader): string =>
    String(name === 'int64' ? reader.int64() : reader.uint64());
  return {
    name,
    wire: WIRE.varint,
    empty: () => '0',
    isEmpty: (value) => value === '0',
    read,
    write(writer, value, where) {
      if (!/^-?\d{1,20}$/.test(value)) throw wrong(where, value, `the digits of an ${name}`);
      write(writer, name, BigInt(value), where);
    },
  };
}

function write(writer: WireWriter, name: Name, value: Integer, where: string): void {
  if (Number.isSafeInteger(value) && Number(value) >= 0) return writer.varint(Number(value));
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) {
    const [least, greatest] = bounds[name];
    const big = BigInt(value);
    if (big >= least && big <= greatest) return writer.bigVarint(big);
  }
  throw wrong(where, value, `an ${name} (a bigint beyond 2^53)`);
}
