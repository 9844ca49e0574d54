import { readServerMessage } from './server-messages.js';
import { TritonError, type TritonErrorCode, type TritonErrorOptions } from './triton-error.js';

/**
 * An error in the server's words, some of which say more than the transport's status does. Words of no known meaning are
 * those of the model. Behind them stands what the caller can do about it, where that is known.
 *
 * @param code what the status says; `internal` for an error inside a stream, which has none
 */
export function serverError(
  code: TritonErrorCode,
  message: string,
  known: TritonErrorOptions,
): TritonError {
  const meaning = readServerMessage(message);
  const better = meaning.code ?? code;
  const isUnknown = meaning.code === undefined && better === 'internal';
  const reason = isUnknown ? 'model_error' : meaning.reason;
  const text = meaning.mend === undefined ? message : `${message} (${meaning.mend})`;
  return new TritonError(better, text, { progress: 'sent', ...known, reason });
}
