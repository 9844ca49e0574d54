import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOutbox } from './outbox.mjs';

let folder: string;
let outbox: Awaited<ReturnType<typeof startOutbox>>;
const file = (): string => path.join(folder, 'outbox.log');

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'outbox-'));
  outbox = await startOutbox({ file: file() });
});
afterAll(async () => {
  await outbox.close();
  await rm(folder, { recursive: true });
});

function post(body: unknown, headers: Record<string, string>): Promise<Response> {
  return fetch(`${outbox.url}/messages`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

it('writes each message it is given, doubles too', async () => {
  const message = { recipient: 'Dana', text: 'ready' };
  for (const key of ['c1', 'c1', 'c2']) {
    const response = await post(message, { 'Idempotency-Key': key });
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ ...message, effectId: key });
  }
  const lines = (await readFile(file(), 'utf8')).trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { effectId: string }).effectId)).toEqual([
    'c1',
    'c1',
    'c2',
  ]);
});

it('lists the messages of one recipient', async () => {
  await post({ recipient: 'Eli', text: 'hello' }, { 'Idempotency-Key': 'c3' });
  const response = await fetch(`${outbox.url}/messages?recipient=Eli`);
  expect(await response.json()).toMatchObject({
    messages: [{ recipient: 'Eli', text: 'hello', effectId: 'c3' }],
  });
});

it.each([
  ['no key', { recipient: 'a', text: 'b' }, {}],
  ['a missing field', { recipient: 'a' }, { 'Idempotency-Key': 'k' }],
  ['no JSON', '{', { 'Idempotency-Key': 'k' }],
  ['a body over the limit', 'x'.repeat(100_000), { 'Idempotency-Key': 'k' }],
])('refuses a message with %s', async (_, body, headers) => {
  const response = await post(body, headers);
  expect(response.status).toBe(400);
  expect(await response.json()).toHaveProperty('error');
});
