import type { Dispatcher } from 'undici';
import { describe, expect, it } from 'vitest';
import type { TritonError } from '../triton-error.js';
import { Exchange } from './exchange.js';

/** An exchange under way on a connection, and the error it ends with. */
function start(): {
  exchange: Exchange;
  controller: Dispatcher.DispatchController;
  failure: Promise<TritonError>;
} {
  const { promise: failure, resolve: failed } = Promise.withResolvers<TritonError>();
  const receiver = { answered: false, started() {}, received() {}, ended() {}, failed };
  const exchange = new Exchange(receiver, 'host:1', { metadata: {} });
  const controller = { abort() {} } as unknown as Dispatcher.DispatchController;
  exchange.onRequestStart(controller);
  return { exchange, controller, failure };
}

describe('Exchange', () => {
  const alert = Object.assign(new Error('alert'), {
    code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
  });

  it('was not sent where the server only refused our certificate', async () => {
    const { exchange, controller, failure } = start();
    exchange.onResponseError(controller, alert);
    expect(await failure).toMatchObject({ reason: 'tls', progress: 'unsent' });
  });

  it('was sent where an answer had begun before', async () => {
    const { exchange, controller, failure } = start();
    exchange.onResponseStart(controller, 200, {});
    exchange.onResponseError(controller, alert);
    expect(await failure).toMatchObject({ reason: 'tls', progress: 'sent' });
  });
});
