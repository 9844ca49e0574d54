import './check-node.js';
export type { CallOptions } from './call-options.js';
export type { TensorInput } from './check-inputs.js';
export { TritonClient } from './client.js';
export type { ClientOptions } from './client-options.js';
export type { ConnectionOptions, TlsOptions } from './connection-options.js';
export {
  balance,
  type BalanceChange,
  type BalancedTransport,
  type BalanceOptions,
} from './endpoints/balance.js';
export { dnsEndpoints, type DnsOptions, type EndpointSource } from './endpoints/dns-endpoints.js';
export type { EndpointAddress } from './endpoints/endpoint-address.js';
export type { EndpointSnapshot, EndpointState } from './endpoints/endpoint.js';
export type { HealthOptions } from './endpoints/health.js';
export { type Candidate, leastOutstanding, type Policy, roundRobin } from './endpoints/policies.js';
export { prefixAffinity, type PrefixAffinityOptions } from './endpoints/prefix-affinity.js';
export { grpcTransport } from './grpc/grpc-transport.js';
export { httpTransport } from './http/http-transport.js';
export type { InferRequest } from './infer-request.js';
export type { InferStream } from './infer-stream.js';
export { bf16, fp16 } from './half-floats.js';
export { type ElementValue, tensor, type TensorValues } from './make-tensor.js';
export type * from './protocol.js';
export { retries, type RetryOptions } from './retry.js';
export { stallWatchdog } from './stall.js';
export type { DataType, Tensor, TensorData } from './tensor.js';
export { output, toNumbers, toStrings } from './tensor-values.js';
export { traceContext } from './trace-context.js';
export type * from './transport.js';
export {
  type Progress,
  TritonError,
  type TritonErrorCode,
  type TritonErrorOptions,
  type TritonErrorReason,
} from './triton-error.js';
