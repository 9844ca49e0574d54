import {
  bool,
  decimalFloat,
  double,
  enumeration,
  int32,
  int64Number,
  int64Text,
  map,
  nested,
  oneof,
  repeated,
  string,
  uint32,
  uint64Number,
  uint64Text,
} from '../protobuf/fields.js';
import { message } from '../protobuf/message.js';
import { enumType } from '../protobuf/scalar-types.js';

// Numbers and names: model_config.proto of github.com/triton-inference-server/common (BSD-3-Clause).
//
// What is read is the JSON that the server's HTTP endpoint gives of a configuration: its JSON has 64-bit integers as numbers,
// but for those that ModelConfigToJson() in model_config_utils.cc of triton-inference-server/core does not get to, which
// are texts.

const Latest = message('ModelVersionPolicy.Latest', { num_versions: uint32(1) });

const All = message('ModelVersionPolicy.All', {});

const Specific = message('ModelVersionPolicy.Specific', { versions: repeated(int64Number(1)) });

const ModelVersionPolicy = message('ModelVersionPolicy', {
  ...oneof('policy_choice', {
    latest: nested(1, Latest),
    all: nested(2, All),
    specific: nested(3, Specific),
  }),
});

const DataType = enumType('DataType', {
  TYPE_INVALID: 0,
  TYPE_BOOL: 1,
  TYPE_UINT8: 2,
  TYPE_UINT16: 3,
  TYPE_UINT32: 4,
  TYPE_UINT64: 5,
  TYPE_INT8: 6,
  TYPE_INT16: 7,
  TYPE_INT32: 8,
  TYPE_INT64: 9,
  TYPE_FP16: 10,
  TYPE_FP32: 11,
  TYPE_FP64: 12,
  TYPE_STRING: 13,
  TYPE_BF16: 14,
});

const Format = enumType('ModelInput.Format', { FORMAT_NONE: 0, FORMAT_NHWC: 1, FORMAT_NCHW: 2 });

const ModelTensorReshape = message('ModelTensorReshape', { shape: repeated(int64Number(1)) });

const ModelInput = message('ModelInput', {
  name: string(1),
  data_type: enumeration(2, DataType),
  format: enumeration(3, Format),
  dims: repeated(int64Number(4)),
  reshape: nested(5, ModelTensorReshape),
  is_shape_tensor: bool(6),
  allow_ragged_batch: bool(7),
  optional: bool(8),
  is_non_linear_format_io: bool(9),
});

const ModelOutput = message('ModelOutput', {
  name: string(1),
  data_type: enumeration(2, DataType),
  dims: repeated(int64Number(3)),
  reshape: nested(5, ModelTensorReshape),
  label_filename: string(4),
  is_shape_tensor: bool(6),
  is_non_linear_format_io: bool(7),
});

const BatchInputKind = enumType('BatchInput.Kind', {
  BATCH_ELEMENT_COUNT: 0,
  BATCH_ACCUMULATED_ELEMENT_COUNT: 1,
  BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO: 2,
  BATCH_MAX_ELEMENT_COUNT_AS_SHAPE: 3,
  BATCH_ITEM_SHAPE: 4,
  BATCH_ITEM_SHAPE_FLATTEN: 5,
});

const BatchInput = message('BatchInput', {
  kind: enumeration(1, BatchInputKind),
  target_name: repeated(string(2)),
  data_type: enumeration(3, DataType),
  source_input: repeated(string(4)),
});

const BatchOutputKind = enumType('BatchOutput.Kind', { BATCH_SCATTER_WITH_INPUT_SHAPE: 0 });

const BatchOutput = message('BatchOutput', {
  target_name: repeated(string(1)),
  kind: enumeration(2, BatchOutputKind),
  source_input: repeated(string(3)),
});

const Graph = message('ModelOptimizationPolicy.Graph', { level: int32(1) });

const ModelPriority = enumType('ModelOptimizationPolicy.ModelPriority', {
  PRIORITY_DEFAULT: 0,
  PRIORITY_MAX: 1,
  PRIORITY_MIN: 2,
});

const Shape = message('ModelOptimizationPolicy.Cuda.GraphSpec.Shape', {
  dim: repeated(int64Text(1)),
});

const LowerBound = message('ModelOptimizationPolicy.Cuda.GraphSpec.LowerBound', {
  batch_size: int32(1),
  input: map(2, string, nested(2, Shape)),
});

const GraphSpec = message('ModelOptimizationPolicy.Cuda.GraphSpec', {
  batch_size: int32(1),
  input: map(2, string, nested(2, Shape)),
  graph_lower_bound: nested(3, LowerBound),
});

const Cuda = message('ModelOptimizationPolicy.Cuda', {
  graphs: bool(1),
  busy_wait_events: bool(2),
  graph_spec: repeated(nested(3, GraphSpec)),
  output_copy_stream: bool(4),
});

const Accelerator = message('ModelOptimizationPolicy.ExecutionAccelerators.Accelerator', {
  name: string(1),
  parameters: map(2, string, string(2)),
});

const ExecutionAccelerators = message('ModelOptimizationPolicy.ExecutionAccelerators', {
  gpu_execution_accelerator: repeated(nested(1, Accelerator)),
  cpu_execution_accelerator: repeated(nested(2, Accelerator)),
});

const PinnedMemoryBuffer = message('ModelOptimizationPolicy.PinnedMemoryBuffer', {
  enable: bool(1),
});

const ModelOptimizationPolicy = message('ModelOptimizationPolicy', {
  graph: nested(1, Graph),
  priority: enumeration(2, ModelPriority),
  cuda: nested(3, Cuda),
  execution_accelerators: nested(4, ExecutionAccelerators),
  input_pinned_memory: nested(5, PinnedMemoryBuffer),
  output_pinned_memory: nested(6, PinnedMemoryBuffer),
  gather_kernel_buffer_threshold: uint32(7),
  eager_batching: bool(8),
});

const TimeoutAction = enumType('ModelQueuePolicy.TimeoutAction', { REJECT: 0, DELAY: 1 });

const ModelQueuePolicy = message('ModelQueuePolicy', {
  timeout_action: enumeration(1, TimeoutAction),
  default_timeout_microseconds: uint64Number(2),
  allow_timeout_override: bool(3),
  max_queue_size: uint32(4),
});

const ModelDynamicBatching = message('ModelDynamicBatching', {
  preferred_batch_size: repeated(int32(1)),
  max_queue_delay_microseconds: uint64Number(2),
  preserve_ordering: bool(3),
  priority_levels: uint64Number(4),
  default_priority_level: uint64Number(5),
  default_queue_policy: nested(6, ModelQueuePolicy),
  priority_queue_policy: map(7, uint64Text, nested(2, ModelQueuePolicy)),
});

const StrategyDirect = message('ModelSequenceBatching.StrategyDirect', {
  max_queue_delay_microseconds: uint64Number(1),
  minimum_slot_utilization: decimalFloat(2),
});

const StrategyOldest = message('ModelSequenceBatching.StrategyOldest', {
  max_candidate_sequences: int32(1),
  preferred_batch_size: repeated(int32(2)),
  max_queue_delay_microseconds: uint64Number(3),
  preserve_ordering: bool(4),
});

const ControlKind = enumType('ModelSequenceBatching.Control.Kind', {
  CONTROL_SEQUENCE_START: 0,
  CONTROL_SEQUENCE_READY: 1,
  CONTROL_SEQUENCE_END: 2,
  CONTROL_SEQUENCE_CORRID: 3,
});

const Control = message('ModelSequenceBatching.Control', {
  kind: enumeration(1, ControlKind),
  int32_false_true: repeated(int32(2)),
  fp32_false_true: repeated(decimalFloat(3)),
  bool_false_true: repeated(bool(5)),
  data_type: enumeration(4, DataType),
});

const ControlInput = message('ModelSequenceBatching.ControlInput', {
  name: string(1),
  control: repeated(nested(2, Control)),
});

const InitialState = message('ModelSequenceBatching.InitialState', {
  data_type: enumeration(1, DataType),
  dims: repeated(int64Text(2)),
  ...oneof('state_data', { zero_data: bool(3), data_file: string(4) }),
  name: string(5),
});

const State = message('ModelSequenceBatching.State', {
  input_name: string(1),
  output_name: string(2),
  data_type: enumeration(3, DataType),
  dims: repeated(int64Number(4)),
  initial_state: repeated(nested(5, InitialState)),
  use_same_buffer_for_input_output: bool(6),
  use_growable_memory: bool(7),
});

const ModelSequenceBatching = message('ModelSequenceBatching', {
  ...oneof('strategy_choice', {
    direct: nested(3, StrategyDirect),
    oldest: nested(4, StrategyOldest),
  }),
  max_sequence_idle_microseconds: uint64Number(1),
  control_input: repeated(nested(2, ControlInput)),
  state: repeated(nested(5, State)),
  iterative_sequence: bool(6),
});

const Step = message('ModelEnsembling.Step', {
  model_name: string(1),
  model_version: int64Number(2),
  input_map: map(3, string, string(2)),
  output_map: map(4, string, string(2)),
  model_namespace: string(5),
});

const ModelEnsembling = message('ModelEnsembling', {
  step: repeated(nested(1, Step)),
  max_inflight_requests: uint32(2),
});

const ModelInstanceGroupKind = enumType('ModelInstanceGroup.Kind', {
  KIND_AUTO: 0,
  KIND_GPU: 1,
  KIND_CPU: 2,
  KIND_MODEL: 3,
});

const Resource = message('ModelRateLimiter.Resource', {
  name: string(1),
  global: bool(2),
  count: uint32(3),
});

const ModelRateLimiter = message('ModelRateLimiter', {
  resources: repeated(nested(1, Resource)),
  priority: uint32(2),
});

const SecondaryDeviceKind = enumType('ModelInstanceGroup.SecondaryDevice.SecondaryDeviceKind', {
  KIND_NVDLA: 0,
});

const SecondaryDevice = message('ModelInstanceGroup.SecondaryDevice', {
  kind: enumeration(1, SecondaryDeviceKind),
  device_id: int64Text(2),
});

const ModelInstanceGroup = message('ModelInstanceGroup', {
  name: string(1),
  kind: enumeration(4, ModelInstanceGroupKind),
  count: int32(2),
  rate_limiter: nested(6, ModelRateLimiter),
  gpus: repeated(int32(3)),
  secondary_devices: repeated(nested(8, SecondaryDevice)),
  profile: repeated(string(5)),
  passive: bool(7),
  host_policy: string(9),
});

const ModelParameter = message('ModelParameter', { string_value: string(1) });

const Input = message('ModelWarmup.Input', {
  data_type: enumeration(1, DataType),
  dims: repeated(int64Number(2)),
  ...oneof('input_data_type', {
    zero_data: bool(3),
    random_data: bool(4),
    input_data_file: string(5),
  }),
});

const ModelWarmup = message('ModelWarmup', {
  name: string(1),
  batch_size: uint32(2),
  inputs: map(3, string, nested(2, Input)),
  count: uint32(4),
});

const ModelOperations = message('ModelOperations', { op_library_filename: repeated(string(1)) });

const ModelTransactionPolicy = message('ModelTransactionPolicy', { decoupled: bool(1) });

const Agent = message('ModelRepositoryAgents.Agent', {
  name: string(1),
  parameters: map(2, string, string(2)),
});

const ModelRepositoryAgents = message('ModelRepositoryAgents', {
  agents: repeated(nested(1, Agent)),
});

const ModelResponseCache = message('ModelResponseCache', { enable: bool(1) });

const MetricIdentifier = message('ModelMetrics.MetricControl.MetricIdentifier', {
  family: string(1),
});

const HistogramOptions = message('ModelMetrics.MetricControl.HistogramOptions', {
  buckets: repeated(double(1)),
});

const MetricControl = message('ModelMetrics.MetricControl', {
  metric_identifier: nested(1, MetricIdentifier),
  ...oneof('metric_options', { histogram_options: nested(2, HistogramOptions) }),
});

const ModelMetrics = message('ModelMetrics', {
  metric_control: repeated(nested(1, MetricControl)),
});

export const ModelConfig = message('ModelConfig', {
  name: string(1),
  platform: string(2),
  backend: string(17),
  runtime: string(25),
  version_policy: nested(3, ModelVersionPolicy),
  max_batch_size: int32(4),
  input: repeated(nested(5, ModelInput)),
  output: repeated(nested(6, ModelOutput)),
  batch_input: repeated(nested(20, BatchInput)),
  batch_output: repeated(nested(21, BatchOutput)),
  optimization: nested(12, ModelOptimizationPolicy),
  ...oneof('scheduling_choice', {
    dynamic_batching: nested(11, ModelDynamicBatching),
    sequence_batching: nested(13, ModelSequenceBatching),
    ensemble_scheduling: nested(15, ModelEnsembling),
  }),
  instance_group: repeated(nested(7, ModelInstanceGroup)),
  default_model_filename: string(8),
  cc_model_filenames: map(9, string, string(2)),
  metric_tags: map(10, string, string(2)),
  parameters: map(14, string, nested(2, ModelParameter)),
  model_warmup: repeated(nested(16, ModelWarmup)),
  model_operations: nested(18, ModelOperations),
  model_transaction_policy: nested(19, ModelTransactionPolicy),
  model_repository_agents: nested(23, ModelRepositoryAgents),
  response_cache: nested(24, ModelResponseCache),
  model_metrics: nested(26, ModelMetrics),
});
