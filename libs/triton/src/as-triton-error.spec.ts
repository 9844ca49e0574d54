import { expect, test } from 'vitest';
import { asTritonError } from './as-triton-error.js';
import { TritonError } from './triton-error.js';

test('our own error learns what is known, and keeps what it says', () => {
  const error = new TritonError('not_found', 'no such model', { endpoint: 'a:1' });
  const told = asTritonError(error, { operation: 'ModelInfer', endpoint: 'b:2', progress: 'sent' });
  expect(told).toMatchObject({
    code: 'not_found',
    message: 'no such model',
    operation: 'ModelInfer',
    endpoint: 'a:1',
    progress: 'sent',
  });
});

test.each([
  [new RangeError('out of bounds'), 'out of bounds'],
  ['a text', 'a text'],
])('what is not ours is internal: %s', (cause, message) => {
  const told = asTritonError(cause, { operation: 'ModelInfer' });
  expect(told).toMatchObject({ name: 'TritonError', code: 'internal', message, cause });
  expect(told.operation).toBe('ModelInfer');
});
