import type {
  GenerateFields,
  LoadRequest,
  LogSettings,
  ModelConfig,
  ModelIndexEntry,
  ModelMetadata,
  ModelRef,
  ModelStatistics,
  ServerMetadata,
  TraceSettings,
  TraceSettingsRequest,
} from '../protocol.js';
import type { GenerateRequest, UnaryOperations } from '../transport.js';
import { invalidArgument, TritonError } from '../triton-error.js';
import { answerError, generateError, tritonMessage } from './answer-error.js';
import type { HttpAnswer, HttpOperation, HttpRequest } from './http-message.js';
import { JSON_LENGTH_HEADER, readInfer, writeInfer } from './infer-body.js';
import { checkText, writeJson } from '../write-json.js';
import { asText, isObject, type JsonObject, readJson } from './json-text.js';
import { modelStatistics } from './model-statistics.js';

/**
 * Triton's REST interface: KServe's, and its extensions.
 * https://github.com/triton-inference-server/server/tree/main/docs/protocol
 */
export const httpOperations: { readonly [O in keyof UnaryOperations]: HttpOperation<O> } = {
  ServerLive: { encode: () => get('/v2/health/live'), decode: readiness },
  ServerReady: { encode: () => get('/v2/health/ready'), decode: readiness },
  ServerMetadata: {
    encode: () => get('/v2'),
    decode: (answer) =>
      object(answer, ['name', 'version', 'extensions']) as unknown as ServerMetadata,
  },
  ModelReady: { encode: (request) => get(modelPath(request, '/ready')), decode: readiness },
  ModelMetadata: {
    encode: (request) => get(modelPath(request)),
    decode: (answer) => {
      const { name, versions, platform, inputs, outputs } = object(answer, ['name']);
      const metadata = { name, versions: list(versions), platform, inputs: list(inputs) };
      return { ...metadata, outputs: list(outputs) } as ModelMetadata;
    },
  },
  ModelConfig: {
    encode: (request) => get(modelPath(request, '/config')),
    decode: (answer) => object(answer, ['name']) as ModelConfig,
  },
  ModelStatistics: {
    encode: ({ model, version }) =>
      get(model === undefined ? '/v2/models/stats' : modelPath({ model, version }, '/stats')),
    decode: (answer): ModelStatistics[] =>
      list(object(answer, ['model_stats']).model_stats).map(modelStatistics),
  },
  RepositoryIndex: {
    encode: ({ ready = false }) => post('/v2/repository/index', 'index', { ready }),
    decode: (answer): ModelIndexEntry[] => {
      const entries = json(answer);
      if (!Array.isArray(entries)) throw answerError(answer);
      return entries.filter(isObject).map(({ name, version, state, reason }) => ({
        name: asText(name),
        version: asText(version),
        state: asText(state),
        reason: asText(reason),
      }));
    },
  },
  RepositoryModelLoad: {
    encode: (request) => post(repositoryPath(request.model, 'load'), 'load', loadBody(request)),
    decode: done,
  },
  RepositoryModelUnload: {
    encode: ({ model, unloadDependents = false }) =>
      post(repositoryPath(model, 'unload'), 'unload', {
        parameters: { unload_dependents: unloadDependents },
      }),
    decode: done,
  },
  TraceSetting: {
    encode: ({ model, settings }) => {
      const path =
        model === undefined ? '/v2/trace/setting' : modelPath({ model }, '/trace/setting');
      return settings ? post(path, 'settings', traceBody(settings)) : get(path);
    },
    decode: (answer): TraceSettings => {
      const settings = Object.entries(object(answer, ['trace_level']));
      return Object.fromEntries(
        settings.map(([name, value]) => [name, [value].flat().map(String)]),
      );
    },
  },
  LogSettings: {
    encode: ({ settings }) =>
      settings ? post('/v2/logging', 'settings', settings) : get('/v2/logging'),
    decode: (answer) => object(answer, ['log_verbose_level']) as LogSettings,
  },
  HealthCheck: {
    encode: () => get('/v2/health/ready'),
    decode: (answer) => (readiness(answer) ? 'serving' : 'not_serving'),
  },
  ModelInfer: {
    encode: (message) => ({
      method: 'POST',
      path: modelPath(message, '/infer'),
      ...writeInfer(message),
    }),
    decode: (answer) => {
      const { headers } = answer;
      // Of a web server, whose 200 says nothing.
      const isTriton =
        JSON_LENGTH_HEADER in headers || /\bjson\b/i.test(headers['content-type'] ?? '');
      if (answer.status !== 200 || !isTriton) throw answerError(answer);
      return readInfer(answer);
    },
  },
  Generate: {
    encode: (request) => generateRequest(request, '/generate'),
    decode: (answer) => {
      const { status, headers, body } = answer;
      // The answer comes in pieces if the model was asked.
      const asked = status === 200 || headers['transfer-encoding'] !== undefined;
      const message = asked ? tritonMessage(body) : undefined;
      if (message !== undefined) throw generateError(message, status);
      return object(answer, []) as GenerateFields;
    },
  },
};

/** @param action `/generate` or `/generate_stream` */
export function generateRequest(request: GenerateRequest, action: string): HttpRequest {
  return post(modelPath(request, action), 'fields', request.fields);
}

function get(path: string): HttpRequest {
  return { method: 'GET', path };
}

function post(path: string, where: string, value: unknown): HttpRequest {
  return { method: 'POST', path, body: [Buffer.from(writeJson(where, value))] };
}

function modelPath({ model, version = '' }: ModelRef, action = ''): string {
  if (!/^\d*$/.test(version)) {
    throw invalidArgument('version', `${JSON.stringify(version)} is none`, 'give a number, as "1"');
  }
  return `/v2/models/${part('model', model)}${version && `/versions/${version}`}${action}`;
}

function repositoryPath(model: string, action: string): string {
  return `/v2/repository/models/${part('model', model)}/${action}`;
}

/**
 * Triton takes a path as it comes and decodes nothing, so only what a path cannot have is encoded: with such a name Triton
 * finds no model, but nothing worse happens.
 */
function part(where: string, name: string): string {
  if (name === '') throw invalidArgument(where, 'is empty', 'give the name of a model');
  if (name === '.' || name === '..') {
    throw invalidArgument(where, `${name} means a folder in a path`, 'give the name of a model');
  }
  checkText(where, name);
  return name.replaceAll(/[^\w\-.~!$&'()*+,;=:@]+/gu, encodeURIComponent);
}

function loadBody({ config, files }: LoadRequest): unknown {
  const parameters: Record<string, string> = {};
  if (config) parameters.config = writeJson('config', config);
  for (const [path, { buffer, byteOffset, byteLength }] of Object.entries(files ?? {})) {
    parameters[`file:${path}`] = Buffer.from(buffer, byteOffset, byteLength).toString('base64');
  }
  return { parameters };
}

/** Triton wants a list for the level, and a text for any other setting. */
function traceBody(settings: NonNullable<TraceSettingsRequest['settings']>): unknown {
  const entries = Object.entries(settings).map(([name, value]) => {
    if (value === null) return [name, null];
    const values = [value].flat();
    if (name === 'trace_level') return [name, values];
    if (values.length === 1) return [name, values[0]];
    throw invalidArgument(`settings.${name}`, `${values.length} values`, 'give one, or null');
  });
  return Object.fromEntries(entries);
}

/** Live and ready are told by the status: 200 or 400. */
function readiness(answer: HttpAnswer): boolean {
  const { status, body } = answer;
  // Triton answers without a body; other servers of the protocol say it in JSON.
  if (status === 200 && body.length === 0) return true;
  const told = status === 200 ? json(answer) : undefined;
  const is = isObject(told) ? (told.live ?? told.ready) : undefined;
  if (typeof is === 'boolean') return is;
  if (status === 400 && (body.length === 0 || tritonMessage(body) !== undefined)) return false;
  throw answerError(answer);
}

function done(answer: HttpAnswer): void {
  if (answer.status !== 200) throw answerError(answer);
  if (answer.body.length > 0) json(answer);
}

function json(answer: HttpAnswer): unknown {
  if (answer.status !== 200) throw answerError(answer);
  try {
    return readJson(answer.body);
  } catch (error) {
    if (error instanceof TritonError && error.reason === 'protocol') throw answerError(answer);
    throw error;
  }
}

function object(answer: HttpAnswer, members: readonly string[]): JsonObject {
  const value = json(answer);
  if (!isObject(value) || !members.every((name) => name in value)) throw answerError(answer);
  return value;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
