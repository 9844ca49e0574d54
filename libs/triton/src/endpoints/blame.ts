import { TritonError } from '../triton-error.js';

/**
 * What a failed call says about its endpoint:
 * - `endpoint`: it cannot be reached, does not keep to the protocol, fell silent, or says that it stops or is not ready;
 * - `model`: the process of this model is dead there; its other models may be well;
 * - `request`: it answered, and what it said concerns the request: a full queue, a model's error, a model that is unknown or
 *   not ready;
 * - `nobody`: nothing; the caller cancelled, ran out of time, or was refused before anything was sent.
 */
export type Blame = 'endpoint' | 'model' | 'request' | 'nobody';

/**
 * What is said of the server and not of a model, where both are `unavailable`: by a Triton that starts or stops
 * (https://github.com/triton-inference-server/core, server.cc and its schedulers; /server, grpc), by a gateway before it
 * (our words over HTTP, Envoy's over gRPC).
 */
const OWN_STATE =
  /^Server (not ready|exiting)$|\bServer is stopping, |^GRPC server is shutting down\b|^an error that is not Triton's: |^(no healthy upstream|upstream connect error)/;

export function blame(error: unknown): Blame {
  if (!(error instanceof TritonError)) return 'nobody';
  switch (error.reason) {
    case 'connection':
    case 'tls':
    case 'protocol':
    case 'stalled':
      return 'endpoint';
    case 'model_process':
      return 'model';
    case 'queue_full':
    case 'queue_timeout':
    case 'model_error':
      return 'request';
    case 'no_endpoint':
    case 'not_ready':
    case 'malformed_text':
    case 'too_large':
    case undefined:
      break;
  }
  if (error.code === 'unavailable') {
    return error.progress === 'unsent' || OWN_STATE.test(error.message) ? 'endpoint' : 'request';
  }
  const ownDoing = error.code === 'cancelled' || error.code === 'deadline_exceeded';
  return ownDoing || error.progress === 'unsent' ? 'nobody' : 'request';
}
