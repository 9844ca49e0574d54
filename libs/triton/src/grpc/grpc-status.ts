import { serverError } from '../server-error.js';
import { TritonError, type TritonErrorCode, type TritonErrorOptions } from '../triton-error.js';
import type { Header } from '../http2/hpack-table.js';

/** By gRPC status number; 0 is OK. */
const codes: readonly (TritonErrorCode | undefined)[] = [
  undefined,
  'cancelled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
];

/** What gRPC says of an HTTP status without a gRPC one (its document "HTTP to gRPC status code mapping"). */
const httpCodes = new Map<string, TritonErrorCode>([
  ['400', 'internal'],
  ['401', 'unauthenticated'],
  ['403', 'permission_denied'],
  ['404', 'unimplemented'],
  ['429', 'unavailable'],
  ['502', 'unavailable'],
  ['503', 'unavailable'],
  ['504', 'unavailable'],
]);

/** The header fields of an answer that matter, of its head and its trailers together. */
export class AnswerHead {
  encoding = 'identity';
  #httpStatus = '';
  #contentType = '';
  #status: string | undefined;
  #message = '';

  read(fields: readonly Header[]): void {
    for (const [name, value] of fields) {
      if (name === ':status') this.#httpStatus = value;
      else if (name === 'content-type') this.#contentType = value;
      else if (name === 'grpc-status') this.#status = value;
      else if (name === 'grpc-message') this.#message = value;
      else if (name === 'grpc-encoding') this.encoding = value;
    }
  }

  /** The error that the answer ends in; undefined where it ends well. */
  error(known: TritonErrorOptions): TritonError | undefined {
    if (this.#status === '0') return undefined;
    if (this.#status === undefined) {
      const isGrpc = this.#httpStatus === '200' && this.#contentType.startsWith('application/grpc');
      return new TritonError(
        isGrpc ? 'internal' : (httpCodes.get(this.#httpStatus) ?? 'unknown'),
        isGrpc
          ? 'the answer ended without a gRPC status'
          : `the answer is HTTP status ${this.#httpStatus} (${this.#contentType || 'no content type'}), not gRPC: is this Triton's gRPC port?`,
        { ...known, reason: 'protocol' },
      );
    }
    const status = Number(this.#status);
    return serverError(codes[status] ?? 'unknown', decodeMessage(this.#message), {
      ...known,
      status,
    });
  }
}

/** gRPC percent-encodes UTF-8. */
function decodeMessage(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
