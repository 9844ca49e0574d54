import { TritonError } from './triton-error.js';

/** The error of an answer beyond `maxMessageBytes`. */
export function tooLarge(atMost: number): TritonError {
  const message = `the answer has more than ${atMost} bytes; raise maxMessageBytes if that is right`;
  return new TritonError('resource_exhausted', message, {
    reason: 'too_large',
    progress: 'answered',
  });
}
