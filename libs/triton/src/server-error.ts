import { readServerMessage } from './server-messages.js';
import { TritonError, type TritonErrorCode, type TritonErrorOptions } from './triton-error.js';

/**
 * An error in the server's words, some of which say more than the transport's status does.
 *
 * @param code what the status says; `internal` for an error inside a stream, which has none
 */
export function serverError(
  code: TritonErrorCode,
  message: string,
  known: TritonErrorOptions,
): TritonError {
  const { code: better = code, reason } = readServerMessage(message);
  return new TritonError(better, message, { ...known, reason: reason ?? known.reason });
}
