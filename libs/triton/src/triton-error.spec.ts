import { expect, it } from 'vitest';
import { TritonError } from './triton-error.js';

const error = new TritonError('unavailable', 'no $& today', {
  reason: 'connection',
  operation: 'ModelInfer',
  endpoint: 'a:1',
  cause: new Error('why'),
});

it('is whole in JSON', () => {
  expect(JSON.parse(JSON.stringify(error))).toEqual({
    name: 'TritonError',
    code: 'unavailable',
    reason: 'connection',
    message: 'no $& today',
    progress: 'unsent',
    operation: 'ModelInfer',
    endpoint: 'a:1',
  });
});

it('shows another message in its stack, too, and where it came from', () => {
  const told = error.with({ message: 'no $& today (2 attempts)' });
  expect(told.message).toBe('no $& today (2 attempts)');
  expect(told.stack).toBe(error.stack?.replace('today', 'today (2 attempts)'));
});
