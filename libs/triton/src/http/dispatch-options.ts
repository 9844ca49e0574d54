import type { Dispatcher } from 'undici';
import { metadataFields } from '../metadata-fields.js';
import type { CallContext } from '../transport.js';
import { invalidArgument } from '../triton-error.js';
import type { HttpRequest } from './http-message.js';
import { JSON_LENGTH_HEADER } from './infer-body.js';

/** What frames a request or its answer: the transport's own, besides what is so for gRPC, too. */
const OWN = new Set([
  'accept-encoding',
  'content-encoding',
  'expect',
  JSON_LENGTH_HEADER,
  'keep-alive',
  'trailer',
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
  for (const [name, value] of metadataFields(metadata)) {
    if (OWN.has(name)) {
      const where = `metadata ${JSON.stringify(name)}`;
      throw invalidArgument(where, 'is part of the protocol', 'leave it out');
    }
    headers.push(name, value);
  }
}
