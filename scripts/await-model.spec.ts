import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi, type MockInstance } from 'vitest';
import { awaitModel } from './await-model.mjs';

let asked = 0;
let readyAt = 1;
const server = createServer((_request, response) => {
  response.writeHead(++asked >= readyAt ? 200 : 503).end();
});
let url: string;
let said: MockInstance;

beforeEach(async () => {
  asked = 0;
  said = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  server.close();
});

it('waits for the first worker that is ready, and says so', async () => {
  readyAt = 3;
  const workers = ['http://127.0.0.1:1', url];
  await awaitModel(workers, new AbortController().signal, { quietMs: 0 });
  expect(asked).toBe(3);
  expect(said).toHaveBeenCalledWith(expect.stringMatching(/^waiting for the model/));
});

it('says nothing where it does not take long', async () => {
  readyAt = 2;
  await awaitModel([url], new AbortController().signal);
  expect(said).not.toHaveBeenCalled();
});

it('gives up', async () => {
  readyAt = Infinity;
  const waiting = awaitModel([url], new AbortController().signal, {
    quietMs: 0,
    withinMs: 0,
  });
  await expect(waiting).rejects.toThrow(/no worker could ask its model.*worker\.log/);
});

it('ends with the start', async () => {
  readyAt = Infinity;
  const stopping = new AbortController();
  const waiting = awaitModel([url], stopping.signal);
  stopping.abort();
  await expect(waiting).rejects.toThrow('aborted');
});
