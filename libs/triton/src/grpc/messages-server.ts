import { bool, enumeration, repeated, string } from '../protobuf/fields.js';
import { message, type MessageOf } from '../protobuf/message.js';
import { enumType } from '../protobuf/scalar-types.js';
import type { HealthStatus } from '../protocol.js';

// Numbers and names: grpc_service.proto of github.com/triton-inference-server/common (BSD-3-Clause) and, for health,
// health.proto of github.com/grpc/grpc-proto (Apache-2.0).

/** Of requests without fields, and of answers of which nothing is read. */
export const Empty = message('Empty', {});

export const ServerLiveResponse = message('ServerLiveResponse', { live: bool(1) });

export const ServerReadyResponse = message('ServerReadyResponse', { ready: bool(1) });

export const ServerMetadataResponse = message('ServerMetadataResponse', {
  name: string(1),
  version: string(2),
  extensions: repeated(string(3)),
});

const ServingStatus = enumType('HealthCheckResponse.ServingStatus', {
  UNKNOWN: 0,
  SERVING: 1,
  NOT_SERVING: 2,
  SERVICE_UNKNOWN: 3,
});

export const HealthCheckRequest = message('HealthCheckRequest', { service: string(1) });

export const HealthCheckResponse = message('HealthCheckResponse', {
  status: enumeration(1, ServingStatus),
});

const statuses = {
  UNKNOWN: 'unknown',
  SERVING: 'serving',
  NOT_SERVING: 'not_serving',
  SERVICE_UNKNOWN: 'service_unknown',
} as const;

/** A status of a newer protocol is as good as none. */
export function readHealthStatus({ status }: MessageOf<typeof HealthCheckResponse>): HealthStatus {
  return typeof status === 'number' ? 'unknown' : statuses[status];
}
