import { readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { get } from 'node:http';
import path from 'node:path';
import { ERROR_CODES, type Run } from '#libs/contracts';
import { openPool, type StoredSpan } from '#libs/runs';
import { ATTR } from '#libs/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startOutbox } from '../scripts/outbox.mjs';
import { API_KEY, startStack, type Stack } from './support/stack.js';

const OFFICE = 'examples/office';
const SEND = 'Send Dana a message: "The quarterly report is ready for review."';
const MEAN = 'What is the mean revenue in the sales table?';

let stack: Stack;
let outbox: Awaited<ReturnType<typeof startOutbox>>;
let outboxLog: string;

beforeAll(async () => {
  stack = await startStack({
    toolsets: [OFFICE],
    prepare: async (folder) => {
      await cp(OFFICE, path.join(folder, 'files'), { recursive: true });
      outboxLog = path.join(folder, 'outbox.log');
      outbox = await startOutbox({ file: outboxLog });
      return { OUTBOX_URL: outbox.url, BODY_LIMIT_BYTES: '100000', RETENTION_DAYS: '1' };
    },
  });
});

afterAll(async () => {
  await stack?.stop();
  await outbox?.close();
});

const post = (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  stack.request('/v1/runs', {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers,
  });

describe('a run', () => {
  it('goes from words to an executed call, whose effect id is in the tool’s own log', async () => {
    const response = await post({ query: SEND, toolset: 'office' });
    expect(response.status).toBe(202);
    const accepted = (await response.json()) as Run;
    expect(response.headers.get('location')).toBe(`/v1/runs/${accepted.id}`);
    const run = await stack.ended(accepted.id);
    expect(run).toMatchObject({
      state: 'succeeded',
      outcome: 'calls',
      calls: [
        {
          name: 'send_message',
          arguments: { recipient: 'Dana', text: 'The quarterly report is ready for review.' },
          effect: 'once',
          state: 'succeeded',
        },
      ],
    });
    expect(run.model).toMatch(/smollm2/);
    expect(run.confidence).toBeGreaterThan(0);
    const logged = readFileSync(outboxLog, 'utf8').trim().split('\n');
    expect(logged.map((line) => JSON.parse(line).effectId)).toEqual([run.calls[0]?.id]);
  });

  it('tells its story as dense events, with arguments and results', async () => {
    const { id } = await stack.submit({ query: MEAN, toolset: 'office' });
    const events = await stack.events(id);
    expect(events.map(({ seq, type }) => `${seq} ${type}`)).toEqual([
      '1 run.accepted',
      '2 turn.claimed',
      '3 turn.resolved',
      '4 call.claimed',
      '5 call.settled',
      '6 run.ended',
    ]);
    expect(events[2]?.data['calls']).toMatchObject([
      { name: 'column_statistics', arguments: { column: 'revenue', statistic: 'mean' } },
    ]);
    expect(events[4]?.data['result']).toMatchObject({ column: 'revenue', statistic: 'mean' });
    const resumed = await stack.request(`/v1/runs/${id}/events`, {
      headers: { 'last-event-id': '4' },
    });
    expect((await resumed.text()).match(/^id: .*$/gm)).toEqual(['id: 5', 'id: 6']);
    for (const last of ['6', '99']) {
      const over = await stack.request(`/v1/runs/${id}/events`, {
        headers: { 'last-event-id': last },
      });
      expect(over.status).toBe(204);
    }
  });

  it('is answered whole when the client prefers to wait', async () => {
    const response = await post({ query: MEAN, toolset: 'office' }, { prefer: 'wait=60' });
    expect(response.status).toBe(200);
    expect(response.headers.get('preference-applied')).toBe('wait=60');
    expect(await response.json()).toMatchObject({ state: 'succeeded' });
  });

  it('with no fitting tool is irrelevant and calls nothing', async () => {
    const { id } = await stack.submit({
      query: 'What is the capital of Australia?',
      toolset: 'office',
    });
    expect(await stack.ended(id)).toMatchObject({
      state: 'succeeded',
      outcome: 'irrelevant',
      answer: 'None of the tools can do what is asked.',
      calls: [],
    });
  });

  it('takes messages, and inline tools in all three shapes, which are only resolved', async () => {
    const description = 'Get the current weather in a city.';
    const city = { type: 'string', description: 'Name of the city.' };
    const shapes = [
      {
        type: 'function',
        function: {
          name: 'get_weather',
          description,
          parameters: { type: 'object', properties: { city }, required: ['city'] },
        },
      },
      {
        name: 'get_weather',
        description,
        parameters: { type: 'dict', properties: { city }, required: ['city'] },
      },
      { name: 'get_weather', description, parameters: { city: { ...city, type: 'str' } } },
    ];
    for (const tool of shapes) {
      const { id, mode } = await stack.submit({
        messages: [{ role: 'user', content: 'What is the weather in Oslo?' }],
        tools: [tool],
      });
      expect(mode).toBe('resolve');
      expect(await stack.ended(id)).toMatchObject({
        state: 'succeeded',
        toolset: 'inline',
        calls: [{ name: 'get_weather', arguments: { city: 'Oslo' }, state: 'resolved' }],
      });
    }
  });

  it('is one trace, from the request over both queues and the model to the tool', async () => {
    const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const response = await post({ query: SEND, toolset: 'office' }, { traceparent: parent });
    const { id, traceId } = (await response.json()) as Run;
    expect(traceId).toBe('0af7651916cd43dd8448eb211c80319c');
    const run = await stack.ended(id);
    const spans = await stack.spans(id, 7);
    const pathOf = (span: StoredSpan | undefined): string[] => {
      if (!span) return [];
      const above = spans.find(({ spanId }) => spanId === span.parentSpanId);
      return [...pathOf(above), span.name];
    };
    const leaf = spans.find(({ name }) => name === 'execute_tool send_message');
    expect(pathOf(leaf)).toEqual([
      'POST /v1/runs',
      'send inference',
      'process inference',
      'send tools',
      'process tools',
      'execute_tool send_message',
    ]);
    const chat = spans.find(({ name }) => name.startsWith('chat '));
    expect(pathOf(chat).slice(0, 3)).toEqual([
      'POST /v1/runs',
      'send inference',
      'process inference',
    ]);
    expect(chat?.name).toBe(`chat ${run.model}`);
    expect(spans.find(({ parentSpanId }) => parentSpanId === 'b7ad6b7169203331')?.name).toBe(
      'POST /v1/runs',
    );
    expect(new Set(spans.map(({ service }) => service))).toEqual(
      new Set(['hammerline-gateway', 'hammerline-worker', 'hammerline-executor']),
    );
  });

  it('with masked names shows in its trace what the model saw and what that means', async () => {
    const response = await post({ query: MEAN, toolset: 'office', mask: 'on' });
    const { id } = (await response.json()) as Run;
    const run = await stack.ended(id);
    const spans = await stack.spans(id, 5);
    const chat = spans.find(({ name }) => name.startsWith('chat '))?.attributes ?? {};
    expect(chat[ATTR.masked]).toBe(true);
    const names = chat[ATTR.maskNames] as string[];
    const masks = new Map(names.map((pair) => pair.split('=') as [string, string]));
    expect([...masks.values()].toSorted()).toEqual([
      'append_section',
      'column_statistics',
      'list_messages',
      'send_message',
    ]);
    const [call] = run.calls;
    if (call === undefined) throw new Error('the model asked for no call');
    const parameters = Object.keys(call.arguments).join(', ');
    expect(chat[ATTR.callsResolved]).toEqual([`${call.name}(${parameters})`]);
    const [written = ''] = chat[ATTR.callsWritten] as string[];
    expect(masks.get(written.replace(/\(.*/, ''))).toBe(call.name);
    expect(written).not.toContain(parameters);
  });

  it('accepted twice under one Idempotency-Key is one run; another body is refused', async () => {
    const headers = { 'idempotency-key': 'abc-1' };
    const first = (await (await post({ query: MEAN, toolset: 'office' }, headers)).json()) as Run;
    const again = await post({ query: MEAN, toolset: 'office' }, headers);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(((await again.json()) as Run).id).toBe(first.id);
    const other = await post({ query: SEND, toolset: 'office' }, headers);
    expect(other.status).toBe(422);
    expect(await other.json()).toMatchObject({ code: 'idempotency_conflict' });
    await stack.ended(first.id);
  });
});

describe('bad input', () => {
  const tool = (over: object = {}): object => ({
    name: 'f',
    description: 'd',
    parameters: { type: 'object', properties: {} },
    ...over,
  });
  const q = 'hello';

  it.each<[string, unknown, number, string, string]>([
    ['no JSON', '{"query": ', 400, 'malformed_body', ''],
    // V8's own reader gives the second text the key of the first.
    [
      'a field with a backslash',
      String.raw`{"query":"x","caf\\":1}`,
      422,
      'invalid_request',
      '/caf\\',
    ],
    [
      'a field with an escape',
      String.raw`{"query":"x","caf\u00e9":1}`,
      422,
      'invalid_request',
      '/café',
    ],
    ['no body', undefined, 400, 'malformed_body', ''],
    ['a body that is no object', [], 422, 'invalid_request', ''],
    ['an empty object', {}, 422, 'invalid_request', '/query'],
    [
      'an unknown field',
      { query: q, toolset: 'office', temprature: 1 },
      422,
      'invalid_request',
      '/temprature',
    ],
    [
      'query and messages',
      { query: q, messages: [{ role: 'user', content: q }], toolset: 'office' },
      422,
      'invalid_request',
      '/query',
    ],
    [
      'an unknown role',
      { messages: [{ role: 'boss', content: q }], toolset: 'office' },
      422,
      'invalid_request',
      '/messages/0/role',
    ],
    ['NUL in a query', { query: 'a\u0000b', toolset: 'office' }, 422, 'invalid_request', '/query'],
    [
      'half a character',
      { messages: [{ role: 'user', content: 'a\ud800' }], toolset: 'office' },
      422,
      'invalid_request',
      '/messages/0/content',
    ],
    ['a blank query', { query: '  ', toolset: 'office' }, 422, 'invalid_request', '/query'],
    [
      'messages without a user’s',
      { messages: [{ role: 'system', content: q }], toolset: 'office' },
      422,
      'invalid_request',
      '/messages',
    ],
    ['a wrong mode', { query: q, toolset: 'office', mode: 'go' }, 422, 'invalid_request', '/mode'],
    ['an unknown toolset', { query: q, toolset: 'offices' }, 422, 'unknown_toolset', '/toolset'],
    [
      'a tool without a name',
      { query: q, tools: [tool({ name: undefined })] },
      422,
      'invalid_request',
      '/tools/0',
    ],
    [
      'two tools of one name',
      { query: q, tools: [tool(), tool()] },
      422,
      'invalid_request',
      '/tools/1',
    ],
    [
      'a schema that is none',
      {
        query: q,
        tools: [tool({ parameters: { type: 'object', properties: { x: { type: 'strin' } } } })],
      },
      422,
      'invalid_request',
      '/tools/0/parameters',
    ],
    [
      'a remote reference',
      {
        query: q,
        tools: [
          tool({
            parameters: { type: 'object', properties: { x: { $ref: 'http://127.0.0.1/s' } } },
          }),
        ],
      },
      422,
      'invalid_request',
      '/tools/0/parameters',
    ],
    [
      'execute with inline tools',
      { query: q, tools: [tool()], mode: 'execute' },
      422,
      'no_executor',
      '/mode',
    ],
    [
      'a body over the limit',
      { query: 'x'.repeat(100_001), toolset: 'office' },
      413,
      'body_too_large',
      '',
    ],
  ])('%s is refused by name', async (_what, body, status, code, pointer) => {
    const response = await post(body);
    const problem = (await response.json()) as {
      type: string;
      detail: string;
      code: string;
      errors?: { pointer: string; detail: string; mend?: string }[];
    };
    expect({ status: response.status, code: problem.code }).toEqual({ status, code });
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(problem.type).toBe(`urn:hammerline:error:${code}`);
    expect(Object.keys(ERROR_CODES)).toContain(code);
    expect(problem.detail.length).toBeGreaterThan(10);
    const faulty = problem.errors?.map((error) => error.pointer) ?? [''];
    expect(faulty.some((at) => at.startsWith(pointer))).toBe(true);
    // Every fault says how to mend it.
    expect((problem.errors ?? []).filter(({ mend }) => !mend)).toEqual([]);
  });

  it('refuses what is not JSON by its type, and wrong ids, cursors, headers and keys', async () => {
    const cases: [Promise<Response>, number, string][] = [
      [post('hello', { 'content-type': 'text/plain' }), 415, 'unsupported_media_type'],
      [post({ query: q, toolset: 'office' }, { 'idempotency-key': 'a b' }), 422, 'invalid_request'],
      [stack.request('/v1/runs/nonsense'), 404, 'not_found'],
      [stack.request('/v1/runs/01890a5d-ac96-774b-bcce-b302099a8057'), 404, 'not_found'],
      [stack.request('/v1/runs/01890a5d-ac96-774b-bcce-b302099a8057/events'), 404, 'not_found'],
      [stack.request('/v1/runs?cursor=x'), 422, 'invalid_request'],
      [stack.request('/v1/runs?limit=1000'), 422, 'invalid_request'],
      [stack.request('/v1/nothing'), 404, 'not_found'],
      [stack.request('/v1/toolsets/none'), 404, 'not_found'],
      [stack.request('/v1/runs', { key: null }), 401, 'unauthorized'],
      [stack.request('/v1/runs', { key: 'hl_wrong_key_wrong_key' }), 401, 'unauthorized'],
    ];
    for (const [answer, status, code] of cases) {
      const response = await answer;
      const problem = (await response.json()) as { code: string; detail: string };
      expect([response.status, problem.code]).toEqual([status, code]);
    }
  });

  it('takes control tokens and prototype names for what they are: data', async () => {
    const run = await stack.submit({
      query: '<|im_end|> __proto__',
      tools: [
        tool({
          parameters: { type: 'object', properties: { constructor: { type: 'integer' } } },
        }),
      ],
    });
    expect(['succeeded', 'failed']).toContain((await stack.ended(run.id)).state);
  });

  it('refuses a prototype’s name as a key, and JSON nested without end, in bounded time', async () => {
    const poisoned = await post('{"query":"q","tools":[{"__proto__":{"name":"f"}}]}');
    expect([poisoned.status, (await poisoned.json()).code]).toEqual([400, 'malformed_body']);
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    const nested = await post(
      `{"query":"q","tools":[{"name":"f","parameters":{"properties":${deep}}}]}`,
    );
    expect([400, 422]).toContain(nested.status);
    expect((await stack.request('/readyz')).status).toBe(200);
  });
});

describe('the key', () => {
  const login = (target: string): Promise<Response> =>
    stack.request(target, { key: null, redirect: 'manual', headers: { accept: 'text/html' } });

  it('opens the pages to a browser once it came with a link, and leaves the address', async () => {
    const answer = await login(`/runs/x?key=${API_KEY}&a=1`);
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/runs/x?a=1']);
    const cookie = answer.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict; Path=\/$/);
    const page = await stack.request('/', {
      key: null,
      headers: { cookie: cookie.split(';')[0] ?? '' },
    });
    expect(page.status).toBe(200);
    expect((await login('/')).status).toBe(401);
    expect((await login('/?key=hl_wrong_key_wrong_key')).status).toBe(401);
  });

  it('is never carried to another site, and strange paths do not get around it', async () => {
    const { hostname, port } = new URL(stack.apps.gateway.url);
    /** As sent: fetch would tidy the path first. */
    const raw = (target: string): Promise<{ status: number; location: string | undefined }> =>
      new Promise((resolve, reject) => {
        get({ hostname, port, path: target }, (response) => {
          response.resume();
          resolve({ status: response.statusCode ?? 0, location: response.headers.location });
        }).on('error', reject);
      });
    expect(await raw(`//a//evil.example/?key=${API_KEY}`)).toEqual({ status: 303, location: '/' });
    for (const target of ['//', '//[', '/queues/static/../../docs/x', '/docs/../v1/runs']) {
      expect([401, 404, 403]).toContain((await raw(target)).status);
    }
    for (const target of ['/%', '/v1/runs/%', `/v1/runs/${'x'.repeat(200)}`]) {
      const answer = await stack.request(target);
      expect([answer.status, (await answer.json()).code]).toEqual([404, 'not_found']);
    }
  });
});

it('lists a tenant’s runs newest first, by cursor', async () => {
  const first = (await (await stack.request('/v1/runs?limit=2')).json()) as {
    runs: Run[];
    next: string;
  };
  expect(first.runs).toHaveLength(2);
  const second = (await (await stack.request(`/v1/runs?limit=2&cursor=${first.next}`)).json()) as {
    runs: Run[];
  };
  const ids = [...first.runs, ...second.runs].map(({ id }) => id);
  expect(ids).toEqual(ids.toSorted().toReversed());
});

it('forgets a run that ended more than RETENTION_DAYS ago', async () => {
  const [old, young] = [
    await stack.submit({ query: MEAN, toolset: 'office' }),
    await stack.submit({ query: MEAN, toolset: 'office' }),
  ];
  for (const { id } of [old, young]) await stack.ended(id);
  const pool = openPool({
    databaseUrl: stack.postgres.url,
    service: 'test',
    onError: () => undefined,
  });
  const later = "UPDATE runs SET ended_at = now() - interval '25 hours' WHERE id = $1";
  await pool.query(later, [old.id]);
  await pool.end();
  const status = async ({ id }: Run): Promise<number> =>
    (await stack.request(`/v1/runs/${id}`)).status;
  const signal = AbortSignal.timeout(30_000);
  while ((await status(old)) !== 404) signal.throwIfAborted();
  expect(await status(young)).toBe(200);
});

it('shows the toolsets without saying where their tools live', async () => {
  const text = await (await stack.request('/v1/toolsets/office')).text();
  expect(JSON.parse(text)).toMatchObject({
    name: 'office',
    tools: [{ name: 'append_section' }, {}, {}, {}],
  });
  expect(text).not.toMatch(/OUTBOX_URL|http:/);
});

it('says that it is alive and ready, without a key', async () => {
  for (const route of ['/livez', '/readyz']) {
    expect((await stack.request(route, { key: null })).status).toBe(200);
  }
});
