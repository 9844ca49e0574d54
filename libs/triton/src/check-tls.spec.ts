import { generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { makeCertificate } from '../../../test/support/stub-certificate.js';
import { checkTls } from './check-tls.js';
import { TritonClient } from './client.js';
import type { TlsOptions } from './connection-options.js';

const { cert, key } = makeCertificate({});
const other = makeCertificate({});
const { privateKey: locked } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open' },
});

it.each<[TlsOptions, string]>([
  [{ ca: '/etc/ca.pem' }, "tls.ca: no PEM; give the file's contents, not its path"],
  [{ ca: [cert, 'hello'] }, 'tls.ca: no PEM'],
  [{ cert: 'me.pem', key }, 'tls.cert: no PEM'],
  [{ cert }, 'tls.key: missing, with tls.cert'],
  [{ key }, 'tls.cert: missing, with tls.key'],
  [{ cert, key: other.key }, 'tls.key: does not belong to tls.cert'],
  [{ cert, key: locked }, 'tls.passphrase: does not open tls.key'],
  [{ cert, key: locked, passphrase: 'shut' }, 'tls.passphrase: does not open tls.key'],
  [{ ca: '-----BEGIN CERTIFICATE-----\nhello' }, 'tls.ca: no certificate'],
])('refuses %o', (tls, words) => {
  expect(() => checkTls(tls)).toThrow(words);
  for (const url of ['grpcs://localhost:1', 'https://localhost:1']) {
    expect(() => new TritonClient(url, { tls })).toThrow(words);
  }
});

it('takes a pair that fits', () => {
  expect(() => checkTls({ ca: [cert, other.cert], cert, key })).not.toThrow();
  expect(() => checkTls({})).not.toThrow();
});
