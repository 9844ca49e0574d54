import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConnectionOptions, type TlsOptions, tensor, TritonClient } from '#libs/triton';
import { makeCertificate } from '../support/stub-certificate.js';
import { failureOf, useTriton } from './support/protocols.js';
import { startTlsProxy, type TlsProxy } from './support/tls-proxy.js';

const authority = makeCertificate({ name: 'Authority' });
const stranger = makeCertificate({ name: 'Stranger' });
const ours = makeCertificate({ name: 'triton.test', issuer: authority });
const client = makeCertificate({ name: 'Client', issuer: authority });
const unknown = makeCertificate({ name: 'Client', issuer: stranger });

const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-tls-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: string): string => {
  const where = path.join(folder, name);
  writeFileSync(where, content);
  return where;
};
const certificates = [
  `--grpc-server-cert=${file('server.pem', ours.cert)}`,
  `--grpc-server-key=${file('server.key', ours.key)}`,
  `--grpc-root-cert=${file('root.pem', authority.cert)}`,
];

/** Asks identity through a client of its own. */
async function ask(url: string, options: ConnectionOptions): Promise<unknown> {
  const asking = new TritonClient(url, { ...options, checkInputs: false });
  try {
    const inputs = { INPUT0: tensor('FP32', [1, 2]) };
    return (await asking.infer({ model: 'identity', inputs })).outputs['OUTPUT0']?.data;
  } finally {
    await asking.close();
  }
}

const ANSWER = Float32Array.of(1, 2);
const REFUSED = { code: 'unavailable', reason: 'tls', progress: 'unsent', operation: 'ModelInfer' };

/** What is the same wherever TLS is spoken. */
function checksTheServer(url: () => string, own: TlsOptions = {}): void {
  it('answers who trusts its authority', async () => {
    expect(await ask(url(), { tls: { ca: authority.cert, ...own } })).toEqual(ANSWER);
    const tls = { ca: [stranger.cert, Buffer.from(authority.cert)], serverName: 'triton.test' };
    expect(await ask(url(), { tls: { ...tls, ...own } })).toEqual(ANSWER);
  });

  it.each([
    ['an authority that is not trusted', { ca: stranger.cert }, /^127.*trusted/],
    ['a certificate for another name', { ca: authority.cert, serverName: 'other.test' }, /name/],
  ])('is not asked with %s', async (_, tls, message) => {
    expect(await failureOf(ask(url(), { tls: { ...own, ...tls } }))).toMatchObject({
      ...REFUSED,
      message: expect.stringMatching(message) as string,
    });
  });
}

describe('gRPC with TLS', () => {
  const triton = useTriton({
    models: ['identity'],
    args: ['--grpc-use-ssl=true', ...certificates.slice(0, 2)],
  });
  checksTheServer(() => `grpcs://${triton.server.grpc}`);

  it('is not asked in plain', async () => {
    const call = ask(`grpc://${triton.server.grpc}`, { connectTimeoutMs: 2_000 });
    expect(await failureOf(call)).toMatchObject({ code: 'unavailable', progress: 'unsent' });
  });
});

describe('gRPC with TLS of both sides', () => {
  const triton = useTriton({
    models: ['identity'],
    args: ['--grpc-use-ssl-mutual=true', ...certificates],
  });
  const url = (): string => `grpcs://${triton.server.grpc}`;
  checksTheServer(url, { cert: client.cert, key: client.key });

  it.each([
    ['without a certificate', {}],
    ['with a certificate of another authority', { cert: unknown.cert, key: unknown.key }],
  ])('refuses a client %s', async (_, own) => {
    const call = ask(url(), { tls: { ca: authority.cert, ...own } });
    expect(await failureOf(call)).toMatchObject(REFUSED);
  });

  describe('HTTP behind a gateway with TLS of both sides', () => {
    let gateway: TlsProxy;
    beforeAll(async () => {
      gateway = await startTlsProxy(new URL(triton.server.http).host, {
        protocol: 'http/1.1',
        cert: ours.cert,
        key: ours.key,
        ca: authority.cert,
        requestCert: true,
      });
    });
    afterAll(() => gateway.close());
    checksTheServer(() => `https://127.0.0.1:${gateway.port}`, {
      cert: client.cert,
      key: client.key,
    });

    it('refuses a client without a certificate', async () => {
      const call = ask(`https://127.0.0.1:${gateway.port}`, { tls: { ca: authority.cert } });
      expect(await failureOf(call)).toMatchObject(REFUSED);
    });
  });
});
