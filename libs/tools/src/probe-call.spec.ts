import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ProbeResult } from '#libs/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import { probeCall } from './probe-call.js';
import type { Tool } from './toolset.js';

const running: Server[] = [];

afterEach(() => {
  for (const server of running.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  running.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function answering(status: number, body = '', type = 'application/json'): Promise<string> {
  return serve((_, response) => response.writeHead(status, { 'content-type': type }).end(body));
}

function probe(url: string, over: Partial<Tool> = {}, signal?: AbortSignal): Promise<ProbeResult> {
  const tool: Tool = {
    name: 'pay',
    description: '',
    parameters: { type: 'object' },
    effect: 'once',
    approval: 'never',
    probe: { url, headers: { authorization: 'Bearer ${TOKEN}' } },
    timeoutMs: 10_000,
    maxResultBytes: 100,
    ...over,
  };
  const call = { id: 'call-1', arguments: { invoice: 'A/17', TOKEN: 'other', amount: 3 } };
  return probeCall(tool, call, { env: { TOKEN: 'very-secret' }, signal, traceparent: '00-a-b-01' });
}

describe('a probe', () => {
  it('is a GET that names the call, and of its arguments what the url names', async () => {
    const seen: unknown[] = [];
    const url = await serve(({ method, url: path, headers }, response) => {
      seen.push({ method, path, headers });
      response.setHeader('content-type', 'application/json').end('{"sum":"very-secret"}');
    });
    expect(await probe(`${url}/payments/{invoice}`)).toEqual({
      state: 'succeeded',
      result: { sum: '${TOKEN}' },
    });
    expect(seen).toMatchObject([
      {
        method: 'GET',
        path: '/payments/A%2F17',
        headers: {
          'idempotency-key': 'call-1',
          authorization: 'Bearer very-secret',
          traceparent: '00-a-b-01',
        },
      },
    ]);
  });

  it.each([
    ['no body', '', null],
    ['text', 'paid', 'paid'],
    ['more than a result may hold', 'x'.repeat(200), { truncated: true, maxResultBytes: 100 }],
  ])('takes 2xx with %s for a success', async (_, body, result) => {
    const found = await probe(await answering(200, body, 'text/plain'));
    expect(found).toMatchObject({ state: 'succeeded', result });
  });

  it.each([404, 410])('takes %i for: the call never took effect', async (status) => {
    expect(await probe(await answering(status, 'no'))).toEqual({ state: 'absent' });
  });

  it.each([302, 400, 401, 409, 429, 500, 503])('takes %i for no clear answer', async (status) => {
    const reason = `HTTP ${status}`;
    expect(await probe(await answering(status))).toEqual({ state: 'unclear', reason });
  });

  it('that is not answered is unclear: nobody there, no answer in time, half an answer, stopped', async () => {
    const gone = await answering(200);
    running[0]?.close();
    await once(running[0] as Server, 'close');
    expect(await probe(gone)).toMatchObject({
      state: 'unclear',
      reason: expect.stringContaining('ECONNREFUSED') as string,
    });
    const silent = await serve(() => {});
    expect(await probe(silent, { timeoutMs: 50 })).toEqual({
      state: 'unclear',
      reason: 'no answer in time',
    });
    const half = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 9 }).write('1234', () => response.destroy());
    });
    expect(await probe(half)).toMatchObject({ state: 'unclear' });
    expect(await probe(silent, {}, AbortSignal.abort())).toEqual({
      state: 'unclear',
      reason: 'the call was stopped',
    });
  });

  it('that cannot be sent is unclear', async () => {
    expect(await probe('${NO_SUCH}/x')).toMatchObject({
      state: 'unclear',
      reason: expect.stringContaining('NO_SUCH is not set') as string,
    });
  });
});
