import { bool, bytes, int64, map, nested, oneof, repeated, string } from '../protobuf/fields.js';
import { message, type MessageInit } from '../protobuf/message.js';
import type { LoadRequest, UnloadRequest } from '../protocol.js';
import { writeJson } from '../write-json.js';

// Numbers and names: grpc_service.proto of github.com/triton-inference-server/common (BSD-3-Clause).

export const RepositoryIndexRequest = message('RepositoryIndexRequest', {
  repository_name: string(1),
  ready: bool(2),
});

export const RepositoryIndexResponse = message('RepositoryIndexResponse', {
  models: repeated(
    nested(
      1,
      message('RepositoryIndexResponse.ModelIndex', {
        name: string(1),
        version: string(2),
        state: string(3),
        reason: string(4),
      }),
    ),
  ),
});

const ModelRepositoryParameter = message('ModelRepositoryParameter', {
  ...oneof('parameter_choice', {
    bool_param: bool(1),
    int64_param: int64(2),
    string_param: string(3),
    bytes_param: bytes(4),
  }),
});

const repositoryFields = {
  repository_name: string(1),
  model_name: string(2),
  parameters: map(3, string, nested(2, ModelRepositoryParameter)),
};

export const RepositoryModelLoadRequest = message('RepositoryModelLoadRequest', repositoryFields);
export const RepositoryModelUnloadRequest = message(
  'RepositoryModelUnloadRequest',
  repositoryFields,
);

/** https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_repository.md */
export function writeLoad({
  model,
  config,
  files = {},
}: LoadRequest): MessageInit<typeof RepositoryModelLoadRequest> {
  const contents = Object.entries(files).map(
    ([path, content]) => [`file:${path}`, { bytes_param: content }] as const,
  );
  return {
    model_name: model,
    parameters: {
      ...(config && { config: { string_param: writeJson('config', config) } }),
      ...Object.fromEntries(contents),
    },
  };
}

export function writeUnload({
  model,
  unloadDependents,
}: UnloadRequest): MessageInit<typeof RepositoryModelUnloadRequest> {
  return {
    model_name: model,
    parameters: unloadDependents ? { unload_dependents: { bool_param: true } } : {},
  };
}
