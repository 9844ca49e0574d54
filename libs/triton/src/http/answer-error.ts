import { serverError } from '../server-error.js';
import { TritonError, type TritonErrorCode } from '../triton-error.js';
import type { HttpAnswer } from './http-message.js';
import { excerpt, isObject } from './json-text.js';

const CODES: Readonly<Record<number, TritonErrorCode>> = {
  400: 'invalid_argument',
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  408: 'deadline_exceeded',
  409: 'aborted',
  413: 'resource_exhausted',
  429: 'resource_exhausted',
  499: 'cancelled',
  500: 'internal',
  501: 'unimplemented',
  502: 'unavailable',
  503: 'unavailable',
  504: 'deadline_exceeded',
};

/** What a gateway before Triton answers in its own words; any other error without Triton's words is no Triton's. */
const GATEWAY = new Set([401, 403, 408, 413, 429, 499, 500, 502, 503, 504]);

/** The error of an answer whose status, or whose content, is no success. */
export function answerError({ status, headers, body }: HttpAnswer): TritonError {
  const message = tritonMessage(body);
  // Triton's port of metrics refuses a POST in these words.
  if (message !== undefined && status !== 405)
    return serverError(CODES[status] ?? 'unknown', message, { status });
  const { location } = headers;
  const to = location === undefined ? '' : ` to ${location.slice(0, 200)}`;
  const seen = `HTTP ${status}${to}, ${headers['content-type'] ?? 'of no type'}: ${excerpt(body)}`;
  if (status === 400 && /https/i.test(body.subarray(0, 1_000).toString('latin1'))) {
    const text = `the server wants TLS on this port, so give an https: URL (it answers ${seen})`;
    return new TritonError('unavailable', text, { reason: 'tls', progress: 'sent', status });
  }
  if (GATEWAY.has(status)) {
    const reason = status === 413 ? 'too_large' : undefined;
    const code = CODES[status] ?? 'unknown';
    return new TritonError(code, `an error that is not Triton's: ${seen}`, {
      reason,
      progress: 'sent',
      status,
    });
  }
  const text = `what answers is no Triton, or not its HTTP port: ${seen}`;
  return new TritonError('unavailable', text, { reason: 'protocol', progress: 'sent', status });
}

/**
 * The error of `/generate` and `/generate_stream` once the model was asked. Its status says nothing: 200 where an answer
 * came before, else left to chance, because Triton (2.51 to 2.69) makes it of an error that it has already freed.
 */
export function generateError(message: string, status: number): TritonError {
  return serverError('internal', message, {
    status,
    progress: status === 200 ? 'answered' : 'sent',
  });
}

/** Triton's message, if that is what the body is: `{"error": "…"}`. */
export function tritonMessage(body: Buffer): string | undefined {
  try {
    return errorText(JSON.parse(body.toString()));
  } catch {
    return undefined;
  }
}

/** The text of an object that has an error and nothing else. */
export function errorText(value: unknown): string | undefined {
  if (!isObject(value) || Object.keys(value).length !== 1) return undefined;
  return typeof value.error === 'string' ? value.error : undefined;
}
