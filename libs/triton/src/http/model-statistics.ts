import type { Duration, ModelStatistics } from '../protocol.js';
import { asText, isObject, type JsonObject } from './json-text.js';

const REQUESTS = [
  'success',
  'fail',
  'queue',
  'compute_input',
  'compute_infer',
  'compute_output',
  'cache_hit',
  'cache_miss',
] as const;
const RESPONSES = [
  'compute_infer',
  'compute_output',
  'success',
  'fail',
  'empty_response',
  'cancel',
] as const;
const BATCHES = ['compute_input', 'compute_infer', 'compute_output'] as const;

/** A model's statistics out of Triton's JSON, where a version may lack some of the figures. */
export function modelStatistics(json: unknown): ModelStatistics {
  const model = object(json);
  return {
    name: asText(model.name),
    version: asText(model.version),
    last_inference: count(model.last_inference),
    inference_count: count(model.inference_count),
    execution_count: count(model.execution_count),
    inference_stats: durations(REQUESTS, model.inference_stats),
    response_stats: Object.fromEntries(
      Object.entries(object(model.response_stats)).map(([index, response]) => [
        index,
        durations(RESPONSES, response),
      ]),
    ),
    batch_stats: list(model.batch_stats).map((batch) => ({
      batch_size: count(batch.batch_size),
      ...durations(BATCHES, batch),
    })),
    memory_usage: list(model.memory_usage).map(({ type, id, byte_size }) => ({
      type: asText(type),
      id: count(id),
      byte_size: count(byte_size),
    })),
  };
}

function durations<K extends string>(names: readonly K[], json: unknown): Record<K, Duration> {
  const figures = object(json);
  const entries = names.map((name) => {
    const duration = object(figures[name]);
    return [name, { count: count(duration.count), ns: count(duration.ns) }];
  });
  return Object.fromEntries(entries) as Record<K, Duration>;
}

function object(json: unknown): JsonObject {
  return isObject(json) ? json : {};
}

function list(json: unknown): JsonObject[] {
  return Array.isArray(json) ? json.map(object) : [];
}

function count(json: unknown): number {
  return typeof json === 'number' ? json : 0;
}
