import type { TritonErrorCode, TritonErrorOptions } from '../triton-error.js';
import { errorCode } from './error-codes.js';

type Meaning = readonly [code: TritonErrorCode, known: TritonErrorOptions];

const meanings = new Map<number, Meaning>([
  [errorCode.refusedStream, ['unavailable', { reason: 'connection', progress: 'unsent' }]],
  [errorCode.cancel, ['cancelled', { progress: 'sent' }]],
  [errorCode.enhanceYourCalm, ['resource_exhausted', { progress: 'sent' }]],
  [errorCode.inadequateSecurity, ['permission_denied', { progress: 'sent' }]],
]);
const otherMeaning: Meaning = ['internal', { progress: 'sent' }];

/** What gRPC takes a stream for that the server resets (its document "gRPC over HTTP2"). */
export function resetMeaning(code: number): Meaning {
  return meanings.get(code) ?? otherMeaning;
}
