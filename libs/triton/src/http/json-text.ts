import { isUtf8 } from 'node:buffer';
import { TritonError } from '../triton-error.js';

/**
 * Reads the server's JSON.
 *
 * @param exactly gives integers beyond 2^53 as bigint
 * @throws TritonError `data_loss` `malformed_text` if it is not UTF-8, `internal` `protocol` if it is no JSON
 */
export function readJson(bytes: Buffer, { exactly = false } = {}): unknown {
  if (!isUtf8(bytes)) {
    const message = "the server's JSON is not UTF-8: a text of the model is broken";
    throw new TritonError('data_loss', message, { reason: 'malformed_text', progress: 'answered' });
  }
  const text = bytes.toString();
  try {
    // Only a number of sixteen digits can be beyond 2^53; a reviver costs a call for every value.
    if (exactly && /\d{16}/.test(text)) return JSON.parse(text, exactInteger);
    return JSON.parse(text);
  } catch (cause) {
    throw broken(`the server's answer is no JSON: ${excerpt(bytes)}`, cause);
  }
}

/** `context.source` is the text of a number: Node 22 and later give it (TypeScript does not know of it yet). */
function exactInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? '';
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** The error of an answer that does not keep to the protocol. */
export function broken(message: string, cause?: unknown): TritonError {
  return new TritonError('internal', message, { reason: 'protocol', progress: 'answered', cause });
}

/** The beginning of something unexpected, for an error. */
export function excerpt(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 100));
  return bytes.length === 0 ? 'nothing' : JSON.stringify(text);
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text out of JSON, which may be absent. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
