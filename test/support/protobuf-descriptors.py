"""Writes protobuf-descriptors.json: what Python's tritonclient says of Triton's messages, which our tables must agree with.

    pip install "tritonclient[grpc]" grpcio-health-checking
    python protobuf-descriptors.py > protobuf-descriptors.json
    npx prettier --write protobuf-descriptors.json

A field is [number, type, label, oneof]: the type of a scalar as in a .proto, of an enum or message its full name; the label
one, repeated or map. A map's type is "key, value".
"""

import json
from importlib.metadata import version

from google.protobuf.descriptor import FieldDescriptor
from grpc_health.v1 import health_pb2
from tritonclient.grpc import model_config_pb2, service_pb2

SCALARS = {
    value: name[len("TYPE_") :].lower()
    for name, value in vars(FieldDescriptor).items()
    if name.startswith("TYPE_")
}

messages = {}
enums = {}


def type_of(field):
    named = field.message_type or field.enum_type
    return named.full_name if named else SCALARS[field.type]


def facts(field):
    entry = field.message_type
    oneof = field.containing_oneof and field.containing_oneof.name
    if entry and entry.GetOptions().map_entry:
        parts = [type_of(entry.fields_by_name[name]) for name in ("key", "value")]
        return [field.number, ", ".join(parts), "map", oneof]
    return [field.number, type_of(field), "repeated" if field.is_repeated else "one", oneof]


def add_enum(enum):
    enums[enum.full_name] = {value.name: value.number for value in enum.values}


def add_message(message):
    if message.GetOptions().map_entry:
        return
    messages[message.full_name] = {field.name: facts(field) for field in message.fields}
    for nested in message.nested_types:
        add_message(nested)
    for enum in message.enum_types:
        add_enum(enum)


methods = {}
for module in (model_config_pb2, service_pb2, health_pb2):
    file = module.DESCRIPTOR
    for enum in file.enum_types_by_name.values():
        add_enum(enum)
    for message in file.message_types_by_name.values():
        add_message(message)
    for service in file.services_by_name.values():
        for method in service.methods:
            path = f"/{service.full_name}/{method.name}"
            methods[path] = [method.input_type.full_name, method.output_type.full_name]

source = f"tritonclient {version('tritonclient')}"


def lines(table):
    rows = [f"    {json.dumps(key)}: {json.dumps(table[key])}" for key in sorted(table)]
    return "{\n" + ",\n".join(rows) + "\n  }"


print("{")
print(f'  "source": {json.dumps(source)},')
print(f'  "methods": {lines(methods)},')
print(f'  "enums": {lines(enums)},')
print(f'  "messages": {lines(messages)}')
print("}")
