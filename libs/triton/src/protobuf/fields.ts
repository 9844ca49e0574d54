import * as integers from './integer-types.js';
import * as scalars from './scalar-types.js';
import type { ScalarType, ValueType } from './scalar-types.js';

/**
 * Implicit: a scalar that has its zero where it is not on the wire. Explicit: a message or a member of a oneof, which is
 * there or is not.
 */
export type Cardinality = 'implicit' | 'explicit' | 'repeated' | 'map';

/** A message that contains itself can only be named later. */
export type Later<T> = T | (() => T);

/** What a .proto says of a field. `Out` is one value as it is read, `In` as it is taken. */
export interface Field<C extends Cardinality = Cardinality, Out = unknown, In = unknown> {
  readonly cardinality: C;
  readonly number: number;
  readonly type: Later<ValueType<Out, In>>;
  /** Of a map. */
  readonly key?: ScalarType<string>;
  /** At most one field of a oneof is set. */
  readonly oneof?: string;
}

export type Fields = Readonly<Record<string, Field>>;

type ScalarField<Out, In = Out> = (number: number) => Field<'implicit', Out, In>;

export const string = scalar(scalars.stringType);
export const bytes = scalar(scalars.bytesType);
export const bool = scalar(scalars.boolType);
export const int32 = scalar(scalars.int32Type);
export const uint32 = scalar(scalars.uint32Type);
export const int64 = scalar(integers.int64Type);
export const uint64 = scalar(integers.uint64Type);
export const int64Number = scalar(integers.int64NumberType);
export const uint64Number = scalar(integers.uint64NumberType);
export const int64Text = scalar(integers.int64TextType);
export const uint64Text = scalar(integers.uint64TextType);
export const float = scalar(scalars.floatType);
export const decimalFloat = scalar(scalars.decimalFloatType);
export const double = scalar(scalars.doubleType);

function scalar<Out, In>(type: ScalarType<Out, In>): ScalarField<Out, In> {
  return (number) => ({ cardinality: 'implicit', number, type });
}

/** A message within the message. */
export function nested<Out, In>(
  number: number,
  type: Later<ValueType<Out, In>>,
): Field<'explicit', Out, In> {
  return { cardinality: 'explicit', number, type };
}

export function enumeration<N extends string>(
  number: number,
  type: scalars.EnumType<N>,
): Field<'implicit', N | number, N | number> {
  return { cardinality: 'implicit', number, type };
}

export function repeated<Out, In>({
  number,
  type,
}: Field<'implicit' | 'explicit', Out, In>): Field<'repeated', Out, In> {
  return { cardinality: 'repeated', number, type };
}

/** `map(4, string, nested(2, Shape))`. Keys are texts: `string`, or numbers as `int64Text` and `uint64Text`. */
export function map<Out, In>(
  number: number,
  key: ScalarField<string>,
  value: Field<'implicit' | 'explicit', Out, In>,
): Field<'map', Out, In> {
  return { cardinality: 'map', number, type: value.type, key: key(1).type as ScalarType<string> };
}

type Members<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<Cardinality, infer Out, infer In>
    ? Field<'explicit', Out, In>
    : never;
};

/** Of these fields at most one is set: the last one on the wire. */
export function oneof<F extends Fields>(name: string, fields: F): Members<F> {
  const members = Object.entries(fields).map(([key, { number, type }]): [string, Field] => [
    key,
    { cardinality: 'explicit', number, type, oneof: name },
  ]);
  return Object.fromEntries(members) as Members<F>;
}
