import { errorCode } from './error-codes.js';

/** What the server sent breaks HTTP/2: the connection ends with `code` (RFC 9113, section 7). */
export class ProtocolError extends Error {
  readonly code: number;

  constructor(message: string, code: number = errorCode.protocol) {
    super(message);
    this.code = code;
  }
}
