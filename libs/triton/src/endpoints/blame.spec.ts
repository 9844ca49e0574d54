import { describe, expect, it } from 'vitest';
import { answerError } from '../http/answer-error.js';
import { serverError } from '../server-error.js';
import { TritonError, type TritonErrorCode, type TritonErrorOptions } from '../triton-error.js';
import { blame } from './blame.js';

function blamed(code: TritonErrorCode, options: TritonErrorOptions = {}): string {
  return blame(new TritonError(code, 'as it happens', { progress: 'sent', ...options }));
}

describe('blame', () => {
  it.each(['connection', 'tls', 'protocol'] as const)(
    'is of the endpoint for reason %s',
    (reason) => {
      expect(blamed('unavailable', { reason })).toBe('endpoint');
      expect(blamed('unavailable', { reason, progress: 'unsent' })).toBe('endpoint');
    },
  );

  it('is of the endpoint for a stream that stalled, and for what never reached a server', () => {
    expect(blamed('deadline_exceeded', { reason: 'stalled' })).toBe('endpoint');
    expect(blamed('unavailable', { progress: 'unsent' })).toBe('endpoint');
    expect(blamed('data_loss', { reason: 'protocol' })).toBe('endpoint');
  });

  it.each([
    'Server not ready',
    'Server exiting',
    '[request id: 7] Server is stopping, scheduler for model has stopped accepting new inference requests',
    'GRPC server is shutting down and has stopped accepting new requests.',
    'no healthy upstream',
  ])('is of the endpoint that says of itself: %s', (message) => {
    expect(blame(serverError('unavailable', message, { status: 14 }))).toBe('endpoint');
  });

  it.each([502, 503])('is of the endpoint where a gateway answers in its place: %d', (status) => {
    const error = answerError({ status, headers: {}, body: Buffer.from('<html>') });
    expect(blame(error)).toBe('endpoint');
  });

  it.each(["Request for model 'bad' failed: 'bad' is not at ready state", 'what a model says'])(
    'is of the request where the server says of a model: %s',
    (message) => {
      expect(blame(serverError('unavailable', message, { status: 14 }))).toBe('request');
      // In band, there is no status.
      expect(blame(serverError('unavailable', message, {}))).toBe('request');
    },
  );

  it('is of the model alone where its process is dead', () => {
    expect(blamed('unavailable', { reason: 'model_process' })).toBe('model');
  });

  it('is of the request where the server answered', () => {
    expect(blamed('unavailable', { reason: 'queue_full' })).toBe('request');
    expect(blamed('unavailable', { reason: 'queue_timeout' })).toBe('request');
    expect(blamed('internal', { reason: 'model_error' })).toBe('request');
    expect(blamed('invalid_argument')).toBe('request');
    expect(blamed('not_found')).toBe('request');
    expect(blamed('resource_exhausted', { reason: 'too_large' })).toBe('request');
  });

  it('is of nobody where the call never came so far, or where the caller ended it', () => {
    expect(blamed('cancelled')).toBe('nobody');
    expect(blamed('deadline_exceeded')).toBe('nobody');
    expect(blamed('invalid_argument', { progress: 'unsent' })).toBe('nobody');
    expect(blamed('resource_exhausted', { reason: 'too_large', progress: 'unsent' })).toBe(
      'nobody',
    );
    expect(blame(new TypeError('a bug'))).toBe('nobody');
  });
});
