import type { Dispatcher } from 'undici';
import type { CallContext } from '../transport.js';
import { invalidArgument } from '../triton-error.js';
import type { HttpRequest } from './http-message.js';
import { JSON_LENGTH_HEADER } from './infer-body.js';

/** RFC 9110, 5.6.2. */
const NAME = /^[\w!#$%&'*+\-.^`|~]+$/;
/** RFC 9110, 5.5, as Latin-1. */
const VALUE = /^(?:[!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]*[!-~\u0080-\u00ff])?)?$/;
/** What frames a request: the transport's own. */
const OWN = new Set([
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'inference-header-content-length',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** A body up to here is copied together and written at once. */
const COPIED_BYTES = 32_768;

/**
 * A request as undici takes it.
 *
 * @param prefix what stands before Triton's paths
 * @throws TritonError `invalid_argument` that names what HTTP cannot carry
 */
export function dispatchOptions(
  { method, path, body, jsonLength, encoding }: HttpRequest,
  prefix: string,
  { metadata }: CallContext,
): Dispatcher.DispatchOptions {
  const headers: string[] = [];
  addMetadata(headers, metadata);
  if (jsonLength !== undefined) headers.push(JSON_LENGTH_HEADER, String(jsonLength));
  if (encoding) headers.push('content-encoding', encoding, 'accept-encoding', encoding);
  if (!body) return { method, path: prefix + path, headers };
  headers.push(
    'content-type',
    jsonLength === undefined ? 'application/json' : 'application/octet-stream',
  );
  let length = 0;
  for (const piece of body) length += piece.byteLength;
  if (length <= COPIED_BYTES) {
    return { method, path: prefix + path, headers, body: Buffer.concat(body, length) };
  }
  headers.push('content-length', String(length));
  // Undici takes any iterable of bytes, though its types do not say so.
  return { method, path: prefix + path, headers, body: body as unknown as Uint8Array };
}

/** Adds a call's metadata to header fields, a flat list of names and values. */
function addMetadata(headers: string[], metadata: CallContext['metadata']): void {
  for (const [name, value] of Object.entries(metadata)) {
    const where = `metadata ${JSON.stringify(name)}`;
    if (!NAME.test(name)) {
      throw invalidArgument(where, 'no name of a header field', 'use letters, digits and hyphens');
    }
    if (OWN.has(name.toLowerCase())) {
      throw invalidArgument(where, 'a header field that the transport sets itself', 'leave it out');
    }
    if (!VALUE.test(value)) {
      const problem = 'a value that no header field can have';
      throw invalidArgument(where, problem, 'give Latin-1 without line breaks or spaces around it');
    }
    headers.push(name, value);
  }
}
