import type { ModelRef } from '../protocol.js';
import type { StreamCall, StreamOperations, UnaryCall } from '../transport.js';
import { TritonError } from '../triton-error.js';

/** The model that a call runs; none where it only asks about one, as that says nothing of the model's process. */
export function modelOf({ operation, request }: UnaryCall): string | undefined {
  const runs = operation === 'ModelInfer' || operation === 'Generate';
  return runs && 'model' in request ? request.model : undefined;
}

/** As {@link modelOf}; unknown where the requests are still to come, which may be of several models. */
export function modelOfStream({ requests }: StreamCall): string | undefined {
  return Array.isArray(requests) ? (requests as readonly ModelRef[])[0]?.model : undefined;
}

/** The error that an answer of a stream carries for one request, if it does. */
export function inBandError({
  error,
}: StreamOperations[keyof StreamOperations][1]): TritonError | undefined {
  return error instanceof TritonError ? error : undefined;
}
