import { describe, expect, it } from 'vitest';
import { TritonError } from './triton-error.js';
import { connectionError } from './connection-error.js';

const http = { protocol: 'HTTP/1.1', plain: 'http:', secure: 'https:', port: 'HTTP' } as const;

function coded(code: string, message = 'words of Node'): Error {
  return Object.assign(new Error(message), { code });
}

describe('connectionError', () => {
  it.each([
    ['ECONNREFUSED', 'connection', 'words of Node'],
    ['ENOTFOUND', 'connection', 'words of Node'],
    ['UND_ERR_SOCKET', 'connection', 'words of Node'],
    ['CERT_NOT_YET_VALID', 'tls', 'not yet valid'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'tls', 'tls.ca'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'tls', 'tls.ca'],
    ['CERT_REVOKED', 'tls', 'TLS failed (words of Node)'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls', 'tls.cert'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'tls', 'tls.cert'],
    ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'tls', 'tls.cert'],
    ['ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', 'protocol', 'not HTTP/1.1'],
    ['UND_ERR_HEADERS_OVERFLOW', 'protocol', 'does not speak HTTP/1.1'],
  ])('explains %s', (code, reason, words) => {
    const cause = coded(code);
    const error = connectionError(cause, 'host:1', 'sent', http);
    expect(error).toMatchObject({ code: 'unavailable', reason, endpoint: 'host:1', cause });
    expect(error.message).toMatch(/^host:1: /);
    expect(error.message).toContain(words);
  });

  const ALERT = 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED';
  it.each([
    ['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', 'unsent', false, 'unsent'],
    ['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', 'sent', false, 'sent'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'sent', false, 'sent'],
    ['CERT_HAS_EXPIRED', 'sent', false, 'sent'],
    [ALERT, 'unsent', false, 'unsent'],
    [ALERT, 'sent', false, 'unsent'],
    [ALERT, 'sent', true, 'sent'],
    [ALERT, 'answered', true, 'answered'],
  ] as const)('after %s, %s, heard: %s, the request counts as %s', (code, given, heard, told) => {
    expect(connectionError(coded(code), 'host:1', given, http, heard).progress).toBe(told);
  });

  it('finds the words where every address of a name was tried', () => {
    const all = new AggregateError([coded('ECONNREFUSED', 'connect ECONNREFUSED ::1:8000')], '');
    expect(connectionError(all, 'localhost:8000', 'unsent', http).message).toContain(
      'ECONNREFUSED ::1',
    );
  });

  it('leaves an error that is already ours as it is', () => {
    const error = new TritonError('resource_exhausted', 'too much', { reason: 'too_large' });
    expect(connectionError(error, 'host:1', 'sent', http)).toMatchObject({
      code: 'resource_exhausted',
      reason: 'too_large',
      message: 'too much',
      endpoint: 'host:1',
      progress: 'sent',
    });
    const answered = error.with({ progress: 'answered' });
    expect(connectionError(answered, 'host:1', 'sent', http).progress).toBe('answered');
  });
});
