import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { exchangeHttp } from './http-exchange.js';

const server = createServer();

afterEach(() => new Promise((resolve) => server.close(resolve)));

it('takes a secret out of an answer also where it is escaped', async () => {
  const secret = String.raw`a/b"c\d`;
  const body = [secret, JSON.stringify(secret), String.raw`a\/b\"c\\d`].join(' ');
  server.on('request', (_, response) => response.end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const request = {
    method: 'GET',
    url: new URL(`http://127.0.0.1:${port}/`),
    headers: {},
    body: undefined,
    secrets: new Map([['TOKEN', secret]]),
  };
  const signal = new AbortController().signal;
  const exchange = await exchangeHttp(request, { signal, maxBytes: () => 1_000 });
  expect(exchange).toMatchObject({ kind: 'answered', text: '${TOKEN} "${TOKEN}" ${TOKEN}' });
});
