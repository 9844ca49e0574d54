import { type FieldCodec, fieldCodec, type ReadField, type Values } from './field-codec.js';
import type { Cardinality, Field, Fields } from './fields.js';
import { type ValueType, wrong } from './scalar-types.js';
import { WIRE, WireReader } from './wire-reader.js';
import { WireWriter } from './wire-writer.js';

type Shape<C extends Cardinality, T> = C extends 'repeated'
  ? readonly T[]
  : C extends 'map'
    ? Readonly<Record<string, T>>
    : T;

type Read<F> = F extends Field<infer C, infer Out> ? Shape<C, Out> : never;
type Taken<F> = F extends Field<infer C, unknown, infer In> ? Shape<C, In> : never;
type Optional<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<'explicit'> ? K : never;
}[keyof F];

type Decoded<F extends Fields> = {
  readonly [K in Exclude<keyof F, Optional<F>>]: Read<F[K]>;
} & { readonly [K in Optional<F>]?: Read<F[K]> };

type Init<F extends Fields> = { readonly [K in keyof F]?: Taken<F[K]> | undefined };

/** A kind of message: reads and writes it, and can be the type of a field of another. */
export interface MessageType<Out, In> extends ValueType<Out, In> {
  readonly fields: Fields;
  /**
   * In pieces to be sent one after the other. Values of `bytes` from 16 KiB on are pieces of their own, not copied: they
   * must not change until they are sent.
   *
   * @throws TritonError `invalid_argument` that names the field whose value is not of its type
   */
  encode(message: In): Uint8Array[];
  /**
   * Fields that are not known are left out. Values of `bytes` are views of `bytes`.
   *
   * @throws TritonError `internal`, reason `protocol`, if it is no message; `data_loss`, reason `malformed_text`, if a text
   * in it is not UTF-8
   */
  decode(bytes: Uint8Array): Out;
}

/** A message as it is read: every field is there, but for messages and members of a oneof. */
export type MessageOf<M> = M extends MessageType<infer Out, unknown> ? Out : never;
/** A message as it is written: what is left out has its default. */
export type MessageInit<M> = M extends MessageType<unknown, infer In> ? In : never;

/**
 * Declares a kind of message of proto3.
 *
 * @param name as the .proto has it, with the messages around it but without the package
 * @param fields under the names of the .proto
 */
export function message<F extends Fields>(
  name: string,
  fields: F,
): MessageType<Decoded<F>, Init<F>> {
  return new TableMessage<Decoded<F>, Init<F>>(name, fields);
}

const writer = new WireWriter();

class TableMessage<Out, In> implements MessageType<Out, In> {
  readonly name: string;
  readonly wire = WIRE.delimited;
  readonly fields: Fields;
  readonly #backwards: readonly FieldCodec[];
  readonly #readers: ReadField[] = [];
  readonly #absent: Values = {};

  constructor(name: string, fields: Fields) {
    this.name = name;
    this.fields = fields;
    const codecs = Object.entries(fields).map(([key, field]) =>
      fieldCodec(key, `${name}.${key}`, field, rivals(key, fields)),
    );
    this.#backwards = codecs.toSorted((one, other) => other.number - one.number);
    for (const { name: key, absent, readers } of codecs) {
      if (absent !== undefined) this.#absent[key] = absent;
      for (const [tag, read] of readers) this.#readers[tag] = read;
    }
  }

  encode(value: In): Uint8Array[] {
    writer.begin();
    this.#write(writer, value, this.name);
    return writer.finish();
  }

  decode(bytes: Uint8Array): Out {
    return this.#read(new WireReader(bytes), this.empty());
  }

  empty(): Out {
    return { ...this.#absent } as Out;
  }

  read(reader: WireReader, _where: string, known: Out = this.empty()): Out {
    const outerEnd = reader.enter();
    this.#read(reader, known);
    reader.leave(outerEnd);
    return known;
  }

  write(into: WireWriter, value: In, where: string): void {
    const before = into.length;
    this.#write(into, value, where);
    into.varint(into.length - before);
  }

  #write(into: WireWriter, value: In, where: string): void {
    if (typeof value !== 'object' || value === null) throw wrong(where, value, 'an object');
    const values = value as Values;
    for (const field of this.#backwards) {
      const member = values[field.name];
      if (member !== undefined) field.write(into, member);
    }
  }

  #read(reader: WireReader, known: Out): Out {
    const values = known as Values;
    const readers = this.#readers;
    while (!reader.done) {
      const tag = reader.tag();
      const read = tag < readers.length ? readers[tag] : undefined;
      if (read === undefined) reader.skip(tag);
      else read(reader, values);
    }
    return known;
  }
}

/** The other members of a field's oneof. */
function rivals(key: string, fields: Fields): string[] {
  const name = fields[key]?.oneof;
  return Object.keys(fields).filter(
    (other) => name !== undefined && other !== key && fields[other]?.oneof === name,
  );
}
