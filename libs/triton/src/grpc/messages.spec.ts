import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Field } from '../protobuf/fields.js';
import type { MessageType } from '../protobuf/message.js';
import type { EnumType, ScalarType } from '../protobuf/scalar-types.js';
import * as infer from './messages-infer.js';
import * as model from './messages-model.js';
import * as modelConfig from './messages-model-config.js';
import * as repository from './messages-repository.js';
import * as server from './messages-server.js';
import * as settings from './messages-settings.js';
import * as statistics from './messages-statistics.js';
import { grpcMethods, modelStreamInfer } from './methods.js';

type FieldFacts = [number: number, type: string, label: string, oneof: string | null];

/** Written by protobuf-descriptors.py beside it. */
const python = JSON.parse(
  readFileSync(
    new URL('../../../../test/support/protobuf-descriptors.json', import.meta.url),
    'utf8',
  ),
) as {
  methods: Record<string, [request: string, answer: string]>;
  enums: Record<string, Record<string, number>>;
  messages: Record<string, Record<string, FieldFacts>>;
};

type Message = MessageType<unknown, unknown>;
type Named = Message | EnumType<string> | ScalarType<unknown>;

const { Empty, ...serverMessages } = server;
const tables = new Map<string, Message>();
const enums = new Map<string, EnumType<string>>();
for (const module of [
  infer,
  model,
  modelConfig,
  repository,
  serverMessages,
  settings,
  statistics,
]) {
  for (const value of Object.values(module)) if (isMessage(value)) collect(value);
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && 'fields' in value;
}

function collect(message: Message): void {
  tables.set(message.name, message);
  for (const field of Object.values(message.fields)) {
    const type = typeOf(field);
    if (isMessage(type)) collect(type);
    else if ('numbers' in type) enums.set(type.name, type);
  }
}

function typeOf({ type }: Field): Named {
  return (typeof type === 'function' ? type() : type) as Named;
}

function fullName(name: string): string {
  return name.startsWith('HealthCheck') ? `grpc.health.v1.${name}` : `inference.${name}`;
}

function facts(field: Field): FieldFacts {
  const type = typeOf(field);
  const name = isMessage(type) || 'numbers' in type ? fullName(type.name) : type.name;
  const oneof = field.oneof ?? null;
  if (field.cardinality === 'map') {
    return [field.number, `${field.key?.name}, ${name}`, 'map', oneof];
  }
  return [field.number, name, field.cardinality === 'repeated' ? 'repeated' : 'one', oneof];
}

describe('the tables of messages agree with the descriptors of tritonclient', () => {
  it.each([...tables.values()].map((table) => [table.name, table] as const))(
    '%s',
    (name, table) => {
      const fields = Object.entries(table.fields).map(([key, field]) => [key, facts(field)]);
      expect(Object.fromEntries(fields)).toEqual(python.messages[fullName(name)]);
    },
  );

  it.each([...enums.values()].map((type) => [type.name, type] as const))(
    'enum %s',
    (name, type) => {
      expect(type.numbers).toEqual(python.enums[fullName(name)]);
    },
  );

  it('have every message that the methods need', () => {
    const missing: string[] = [];
    for (const { path } of [...Object.values(grpcMethods), modelStreamInfer]) {
      for (const name of python.methods[path] ?? [path]) {
        const isEmpty = Object.keys(python.messages[name] ?? { unknown: [] }).length === 0;
        const ours = name.replace(/^inference\.|^grpc\.health\.v1\./, '');
        if (!isEmpty && !tables.has(ours)) missing.push(name);
      }
    }
    expect(missing).toEqual([]);
    expect(Empty.fields).toEqual({});
  });
});
