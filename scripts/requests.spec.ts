import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chooseRequests, OFFICE } from './requests.mjs';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'requests-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: unknown): Promise<string> {
  const target = path.join(folder, name);
  await writeFile(target, typeof content === 'string' ? content : JSON.stringify(content));
  return target;
}

it('submits the office sample, one request of which fits no tool', () => {
  const { requests, toolsets, httpTools } = chooseRequests({});
  expect(requests.length).toBeGreaterThan(2);
  expect(requests.map(({ expect: expected }) => expected)).toContain('irrelevant');
  for (const { body } of requests)
    expect(body).toMatchObject({ toolset: 'office', mode: 'execute' });
  expect(toolsets).toEqual([OFFICE]);
  expect(httpTools).toContain('send_message');
});

it('asks the office for something else', () => {
  const { requests } = chooseRequests({ ask: 'hello' });
  expect(requests).toEqual([{ body: { query: 'hello', toolset: 'office', mode: 'execute' } }]);
});

it('executes with the tools of a toolset file', async () => {
  const tools = await file('set.json', { name: 'mine', tools: [] });
  const { requests, toolsets } = chooseRequests({ ask: 'hello', tools });
  expect(requests[0]?.body).toEqual({ query: 'hello', toolset: 'mine', mode: 'execute' });
  expect(toolsets).toEqual([OFFICE, tools]);
});

it('only resolves with a plain list of tools', async () => {
  const tools = await file('list.json', [{ name: 'a' }]);
  const { requests } = chooseRequests({ ask: 'hello', tools });
  expect(requests[0]?.body).toEqual({ query: 'hello', tools: [{ name: 'a' }], mode: 'resolve' });
});

it.each([
  ['{', /JSON/],
  ['{"tools":3}', /is neither a toolset/],
  ['null', /is neither a toolset/],
])('refuses a file with %s', async (content, message) => {
  const tools = await file('bad.json', content);
  expect(() => chooseRequests({ ask: 'hello', tools })).toThrow(message);
});

it('says that a file is not there', () => {
  expect(() => chooseRequests({ ask: 'hello', tools: 'none.json' })).toThrow(
    'there is no file none.json',
  );
});
