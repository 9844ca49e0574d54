import { int64Number, map, nested, repeated, string, uint64Number } from '../protobuf/fields.js';
import { message, type MessageOf } from '../protobuf/message.js';
import type { Duration, ModelStatistics } from '../protocol.js';
import { mapEntries } from '../entries.js';

// Numbers and names: grpc_service.proto of github.com/triton-inference-server/common (BSD-3-Clause).

const StatisticDuration = message('StatisticDuration', {
  count: uint64Number(1),
  ns: uint64Number(2),
});

const InferStatistics = message('InferStatistics', {
  success: nested(1, StatisticDuration),
  fail: nested(2, StatisticDuration),
  queue: nested(3, StatisticDuration),
  compute_input: nested(4, StatisticDuration),
  compute_infer: nested(5, StatisticDuration),
  compute_output: nested(6, StatisticDuration),
  cache_hit: nested(7, StatisticDuration),
  cache_miss: nested(8, StatisticDuration),
});

const InferResponseStatistics = message('InferResponseStatistics', {
  compute_infer: nested(1, StatisticDuration),
  compute_output: nested(2, StatisticDuration),
  success: nested(3, StatisticDuration),
  fail: nested(4, StatisticDuration),
  empty_response: nested(5, StatisticDuration),
  cancel: nested(6, StatisticDuration),
});

const InferBatchStatistics = message('InferBatchStatistics', {
  batch_size: uint64Number(1),
  compute_input: nested(2, StatisticDuration),
  compute_infer: nested(3, StatisticDuration),
  compute_output: nested(4, StatisticDuration),
});

const MemoryUsage = message('MemoryUsage', {
  type: string(1),
  id: int64Number(2),
  byte_size: uint64Number(3),
});

const Statistics = message('ModelStatistics', {
  name: string(1),
  version: string(2),
  last_inference: uint64Number(3),
  inference_count: uint64Number(4),
  execution_count: uint64Number(5),
  inference_stats: nested(6, InferStatistics),
  batch_stats: repeated(nested(7, InferBatchStatistics)),
  memory_usage: repeated(nested(8, MemoryUsage)),
  response_stats: map(9, string, nested(2, InferResponseStatistics)),
});

export const ModelStatisticsResponse = message('ModelStatisticsResponse', {
  model_stats: repeated(nested(1, Statistics)),
});

const NEVER: Duration = Object.freeze({ count: 0, ns: 0 });
const COMPUTE = { compute_input: NEVER, compute_infer: NEVER, compute_output: NEVER };

/** As HTTP has them: every duration is there. */
export function readStatistics(
  answer: MessageOf<typeof ModelStatisticsResponse>,
): ModelStatistics[] {
  return answer.model_stats.map((entry) => ({
    ...entry,
    inference_stats: {
      success: NEVER,
      fail: NEVER,
      queue: NEVER,
      cache_hit: NEVER,
      cache_miss: NEVER,
      ...COMPUTE,
      ...entry.inference_stats,
    },
    response_stats: mapEntries(entry.response_stats, (stats) => ({
      success: NEVER,
      fail: NEVER,
      empty_response: NEVER,
      cancel: NEVER,
      compute_infer: NEVER,
      compute_output: NEVER,
      ...stats,
    })),
    batch_stats: entry.batch_stats.map((stats) => ({ ...COMPUTE, ...stats })),
  }));
}
