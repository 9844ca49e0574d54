import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HammerlineError } from '#libs/contracts';
import { type Http, Interrupted, openHttp, persist } from './http.js';

const signal = new AbortController().signal;
const open: Server[] = [];
let http: Http | undefined;
afterEach(async () => {
  await http?.close();
  for (const server of open.splice(0)) server.close();
});

async function serve(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

function client(url: URL): Http {
  http = openHttp({ token: 'secret', tokenOrigin: url.origin });
  return http;
}

describe('get', () => {
  it('follows relative redirects with the token', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/') response.writeHead(307, { location: '/there?x=1' }).end();
      else response.end(`${request.url} ${request.headers.authorization}`);
    });
    const { status, body } = await client(url).get(url, { signal });
    expect([status, await body.text()]).toEqual([200, '/there?x=1 Bearer secret']);
  });

  it.each(['ftp://example.com/', 'file:///etc/passwd', 'http://['])(
    'does not follow a redirect to %s',
    async (location) => {
      const url = await serve((_, response) => response.writeHead(302, { location }).end());
      await expect(client(url).get(url, { signal })).rejects.toThrow('not followed');
    },
  );

  it('does not follow redirects without end', async () => {
    const url = await serve((_, response) => response.writeHead(302, { location: '/' }).end());
    await expect(client(url).get(url, { signal })).rejects.toThrow('redirects without end');
  });

  it('says that nobody answers', async () => {
    const url = await serve(() => undefined);
    await new Promise((resolve) => open.pop()?.close(resolve));
    await expect(client(url).get(url, { signal })).rejects.toThrow(Interrupted);
  });

  it('takes the time that the server asks for from its answer', async () => {
    const url = await serve((_, response) => response.writeHead(429, { 'retry-after': '7' }).end());
    await expect(client(url).get(url, { signal })).rejects.toMatchObject({ waitMs: 7_000 });
  });
});

describe('persist', () => {
  it('tries again while it is interrupted', async () => {
    let tries = 0;
    const done = persist(3, signal, () => {
      tries += 1;
      return tries < 3 ? Promise.reject(new Interrupted('broken', 1)) : Promise.resolve('done');
    });
    await expect(done).resolves.toBe('done');
  });

  it('gives up after as many tries in a row, and says what to do', async () => {
    let tries = 0;
    const work = persist(2, signal, (progressed) => {
      tries += 1;
      if (tries === 1) progressed();
      return Promise.reject(new Interrupted('broken', 1));
    });
    await expect(work).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^broken: check the network/) as string,
    });
    expect(tries).toBe(2);
  });

  it('does not try again what is refused', async () => {
    const refused = new HammerlineError('not_found', 'gone');
    await expect(persist(3, signal, () => Promise.reject(refused))).rejects.toBe(refused);
  });
});
