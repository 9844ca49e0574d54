import { once } from 'node:events';
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type SecureServerOptions,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { makeCertificate } from '../../../test/support/stub-certificate.js';
import { TritonClient } from './client.js';
import type { ClientOptions } from './client-options.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** Says that the server is live. */
function live(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.of(0, 0, 0, 0, 2, 0x08, 1));
}

/** Returns the port. */
async function serve(
  server: Http2Server | Http2SecureServer,
  answer: (stream: ServerHttp2Stream) => void = live,
): Promise<number> {
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {});
    answer(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    return once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

function client(url: string, options: ClientOptions): TritonClient {
  const made = new TritonClient(url, options);
  closing.push(() => made.close());
  return made;
}

describe('resolve', () => {
  it('takes the addresses of a name without TLS', async () => {
    const port = await serve(createServer());
    const triton = client(`grpc://localhost:${port}`, { resolve: true });
    expect(await triton.serverLive()).toBe(true);
  });

  it('asks for a certificate of the name, or of another that is given', async () => {
    const { cert, key } = makeCertificate({ name: 'localhost' });
    const names: string[] = [];
    const SNICallback: SecureServerOptions['SNICallback'] = (name, done) => {
      names.push(name);
      done(null);
    };
    const server = createSecureServer({ cert, key, SNICallback });
    // One that does not like the certificate leaves.
    server.on('sessionError', () => {});
    const port = await serve(server);
    for (const tls of [{ ca: cert }, { ca: cert, serverName: undefined }]) {
      const triton = client(`grpcs://localhost:${port}`, { resolve: true, tls });
      expect(await triton.serverLive()).toBe(true);
    }
    expect(names).toEqual(['localhost', 'localhost']);
    const tls = { ca: cert, serverName: 'other.example' };
    const other = client(`grpcs://localhost:${port}`, { resolve: true, tls });
    await expect(other.serverLive()).rejects.toMatchObject({ code: 'unavailable' });
    expect(names.at(-1)).toBe('other.example');
  });
});

it('a stream that stalls names its server', async () => {
  const server = createServer();
  const port = await serve(server, () => {});
  const triton = client(`grpc://127.0.0.1:${port}`, { stallMs: 50, checkInputs: false });
  await expect(triton.streamInfer({ model: 'm', inputs: {} }).next()).rejects.toMatchObject({
    reason: 'stalled',
    endpoint: `127.0.0.1:${port}`,
  });
});
