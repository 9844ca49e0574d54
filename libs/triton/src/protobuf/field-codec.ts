import type { Field, Later } from './fields.js';
import { putEntry } from '../entries.js';
import { type ScalarType, stringType, type ValueType, wrong } from './scalar-types.js';
import { WIRE, type WireReader } from './wire-reader.js';
import type { WireWriter } from './wire-writer.js';

/** A message under way: its fields by name. */
export type Values = Record<string, unknown>;
export type ReadField = (reader: WireReader, values: Values) => void;

/** How one field of a message is written and read. */
export interface FieldCodec {
  readonly name: string;
  readonly number: number;
  /** What an absent field is read as; undefined: the message is without it. Messages share it, so it must not change. */
  readonly absent: unknown;
  /** With its tag, which comes last: messages are written from their end. */
  write(writer: WireWriter, value: unknown): void;
  /** By tag, of which a repeated field has two. */
  readonly readers: readonly (readonly [tag: number, read: ReadField])[];
}

const NO_ELEMENTS: readonly unknown[] = Object.freeze([]);
const NO_ENTRIES: Readonly<Values> = Object.freeze({});

/**
 * @param where names the field in errors
 * @param rivals the other members of its oneof
 */
export function fieldCodec(
  name: string,
  where: string,
  field: Field,
  rivals: readonly string[],
): FieldCodec {
  switch (field.cardinality) {
    case 'implicit':
      return implicitCodec(name, where, field);
    case 'explicit':
      return explicitCodec(name, where, field, rivals);
    case 'repeated':
      return listCodec(name, where, field);
    case 'map':
      return mapCodec(name, where, field);
  }
}

function tagOf({ number, type }: Field): number {
  return (number << 3) | (typeof type === 'function' ? WIRE.delimited : type.wire);
}

function known<T>(type: Later<ValueType<T>>): ValueType<T> {
  return typeof type === 'function' ? type() : type;
}

function implicitCodec(name: string, where: string, field: Field): FieldCodec {
  const type = field.type as ScalarType<unknown>;
  const tag = tagOf(field);
  return {
    name,
    number: field.number,
    absent: type.empty(),
    write(writer, value) {
      if (type.isEmpty(value)) return;
      type.write(writer, value, where);
      writer.varint(tag);
    },
    readers: [
      [
        tag,
        (reader, values) => {
          values[name] = type.read(reader, where);
        },
      ],
    ],
  };
}

function explicitCodec(
  name: string,
  where: string,
  field: Field,
  rivals: readonly string[],
): FieldCodec {
  const { number, type } = field;
  const tag = tagOf(field);
  return {
    name,
    number,
    absent: undefined,
    write(writer, value) {
      known(type).write(writer, value, where);
      writer.varint(tag);
    },
    readers: [
      [
        tag,
        (reader, values) => {
          values[name] = known(type).read(reader, where, values[name]);
          for (const rival of rivals) if (values[rival] !== undefined) delete values[rival];
        },
      ],
    ],
  };
}

/** A repeated field. Numbers are written packed, and read either way. */
function listCodec(name: string, where: string, field: Field): FieldCodec {
  const { number, type } = field;
  const tag = tagOf(field);
  const packedTag = (number << 3) | WIRE.delimited;
  const listOf = (values: Values): unknown[] => {
    const list = values[name] === NO_ELEMENTS ? [] : (values[name] as unknown[]);
    values[name] = list;
    return list;
  };
  const readOne: ReadField = (reader, values) => {
    listOf(values).push(known(type).read(reader, where));
  };
  const readPacked: ReadField = (reader, values) => {
    const outerEnd = reader.enter();
    const list = listOf(values);
    while (!reader.done) list.push(known(type).read(reader, where));
    reader.leave(outerEnd);
  };
  return {
    name,
    number,
    absent: NO_ELEMENTS,
    write(writer, value) {
      if (!Array.isArray(value)) throw wrong(where, value, 'a list');
      const before = writer.length;
      for (let index = value.length - 1; index >= 0; index--) {
        known(type).write(writer, value[index], where);
        if (tag === packedTag) writer.varint(tag);
      }
      if (tag === packedTag || value.length === 0) return;
      writer.varint(writer.length - before);
      writer.varint(packedTag);
    },
    readers:
      tag === packedTag
        ? [[tag, readOne]]
        : [
            [tag, readOne],
            [packedTag, readPacked],
          ],
  };
}

/** A map: a repeated message of key and value. */
function mapCodec(name: string, where: string, field: Field): FieldCodec {
  const { number, type, key: keyType = stringType } = field;
  const tag = tagOf({ ...field, type: stringType });
  const keyTag = (1 << 3) | keyType.wire;
  const valueTag = tagOf({ ...field, number: 2 });
  const whereKey = `a key of ${where}`;
  return {
    name,
    number,
    absent: NO_ENTRIES,
    write(writer, value) {
      if (typeof value !== 'object' || value === null) throw wrong(where, value, 'an object');
      const entries = value as Values;
      const keys = Object.keys(entries);
      for (let index = keys.length - 1; index >= 0; index--) {
        const key = keys[index] ?? '';
        const before = writer.length;
        known(type).write(writer, entries[key], where);
        writer.varint(valueTag);
        keyType.write(writer, key, whereKey);
        writer.varint(keyTag);
        writer.varint(writer.length - before);
        writer.varint(tag);
      }
    },
    readers: [
      [
        tag,
        (reader, values) => {
          const outerEnd = reader.enter();
          let key = keyType.empty();
          let value: unknown;
          while (!reader.done) {
            const part = reader.tag();
            if (part === keyTag) key = keyType.read(reader, whereKey);
            else if (part === valueTag) value = known(type).read(reader, where, value);
            else reader.skip(part);
          }
          reader.leave(outerEnd);
          if (values[name] === NO_ENTRIES) values[name] = {};
          putEntry(values[name] as Values, key, value ?? known(type).empty());
        },
      ],
    ],
  };
}
