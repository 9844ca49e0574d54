import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi, type MockInstance } from 'vitest';
import { awaitModel } from './await-model.mjs';

let asked = 0;
let readyAt = 1;
const server = createServer((_request, response) => {
  response.writeHead(++asked >= readyAt ? 200 : 503).end();
});
const patience = { withinMs: 60_000, awaits: () => 'it loads' };
const signal = () => new AbortController().signal;
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
  await awaitModel(workers, signal(), { ...patience, quietMs: 0 });
  expect(asked).toBe(3);
  expect(said.mock.calls).toEqual([['Waiting for the model (0 s of 60 s)\n']]);
});

it('says nothing where it does not take long', async () => {
  readyAt = 2;
  await awaitModel([url], signal(), patience);
  expect(said).not.toHaveBeenCalled();
});

it('says again why, for those who come later', async () => {
  readyAt = 4;
  await awaitModel([url], signal(), { ...patience, quietMs: 0, sayEveryMs: 0 });
  expect(said).toHaveBeenCalledTimes(3);
  expect(said).toHaveBeenLastCalledWith('Waiting for the model (0 s of 60 s): it loads\n');
});

it('gives up, and says why', async () => {
  readyAt = Infinity;
  const why = awaitModel([url], signal(), { ...patience, withinMs: 0 });
  await expect(why).rejects.toThrow(/^no worker could ask its model within 0 s: it loads$/);
  const unknown = awaitModel([url], signal(), { withinMs: 0 });
  await expect(unknown).rejects.toThrow(/: \.hammerline\/logs say why$/);
});

it('ends with the start', async () => {
  readyAt = Infinity;
  const stopping = new AbortController();
  const waiting = awaitModel([url], stopping.signal, patience);
  stopping.abort();
  await expect(waiting).rejects.toThrow('aborted');
});
