import { TritonError } from '../triton-error.js';

/**
 * What a failed call says about its endpoint:
 * - `endpoint`: it cannot be reached, does not keep to the protocol, fell silent, or says that it is not available;
 * - `model`: the process of this model is dead there; its other models may be well;
 * - `request`: it answered, and what it said concerns the request: a full queue, a model's error, an unknown model;
 * - `nobody`: nothing; the caller cancelled, ran out of time, or was refused before anything was sent.
 */
export type Blame = 'endpoint' | 'model' | 'request' | 'nobody';

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
    case 'malformed_text':
    case 'too_large':
    case undefined:
      break;
  }
  if (error.code === 'unavailable') return 'endpoint';
  const ownDoing = error.code === 'cancelled' || error.code === 'deadline_exceeded';
  return ownDoing || error.progress === 'unsent' ? 'nobody' : 'request';
}
