import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { HammerlineError } from '#libs/contracts';
import { readTools } from './read-tools.js';
import { inlineToolset, readToolset, toolsWithoutExecutor } from './toolset.js';

const http = { kind: 'http', method: 'POST', url: '${BASE}/messages' };
const send = {
  name: 'send',
  description: 'Send.',
  parameters: { type: 'object', properties: { to: { type: 'string' } }, required: ['to'] },
  executor: http,
};
const file = { name: 'office', version: '1', tools: [send] };

function problemOf(input: unknown): string {
  try {
    readToolset(input);
  } catch (error) {
    if (error instanceof HammerlineError && error.code === 'config_invalid') return error.message;
    throw error;
  }
  return '';
}

function problemOfTool(change: Record<string, unknown>): string {
  return problemOf({ ...file, tools: [{ ...send, ...change }] });
}

describe('readToolset', () => {
  it('reads the office example', async () => {
    const path = new URL('../../../examples/office/toolset.json', import.meta.url);
    const toolset = readToolset(JSON.parse(await readFile(path, 'utf8')));
    expect(toolset.name).toBe('office');
    expect(toolset.tools.map(({ name, effect }) => [name, effect])).toEqual([
      ['append_section', 'idempotent'],
      ['column_statistics', 'read'],
      ['list_messages', 'read'],
      ['send_message', 'once'],
    ]);
    expect(toolsWithoutExecutor(toolset)).toEqual([]);
  });

  it('reads the example of the documentation', async () => {
    const page = await readFile(new URL('../../../docs/toolsets.md', import.meta.url), 'utf8');
    const example = /```json\n([^`]*)```/.exec(page)?.[1] ?? '';
    expect(readToolset(JSON.parse(example)).tools).toMatchObject([
      { name: 'find_invoice', effect: 'read', approval: 'never' },
      { name: 'pay_invoice', effect: 'once', approval: 'unsure', timeoutMs: 20_000 },
    ]);
  });

  it('fills in what is not said, and leaves variables as they are', () => {
    expect(readToolset(file)).toEqual({
      name: 'office',
      version: '1',
      description: '',
      mask: 'auto',
      hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      tools: [
        { ...send, effect: 'once', approval: 'never', timeoutMs: 10_000, maxResultBytes: 65_536 },
      ],
    });
  });

  it.each([
    [{ executor: http }, 'once'],
    [{ executor: { ...http, method: 'PUT' } }, 'once'],
    [{ executor: { ...http, method: 'GET' } }, 'read'],
    [{ executor: { ...http, method: 'GET' }, effect: 'once' }, 'once'],
    [
      { executor: { kind: 'builtin', name: 'table.column_statistics', options: { file: 'a' } } },
      'once',
    ],
    [{ executor: undefined }, 'once'],
  ])('takes the effect of %j for %s', (change, effect) => {
    expect(readToolset({ ...file, tools: [{ ...send, ...change }] }).tools[0]?.effect).toBe(effect);
  });

  it('says whether its names are hidden from the model', () => {
    expect(readToolset({ ...file, mask: 'on' }).mask).toBe('on');
    expect(problemOf({ ...file, mask: 'maybe' })).toContain('/mask');
  });

  it('reads whose calls wait for a person, and how a tool is asked what became of a call', () => {
    const probe = { url: '${BASE}/messages/{to}', headers: { authorization: '${KEY}' } };
    const [tool] = readToolset({ ...file, tools: [{ ...send, approval: 'unsure', probe }] }).tools;
    expect(tool).toMatchObject({ approval: 'unsure', probe });
  });

  it('hashes what a toolset says, not how', () => {
    const { hash } = readToolset(file);
    const { executor, ...rest } = send;
    const moved = {
      version: '1',
      tools: [{ timeoutMs: 10_000, executor, ...rest }],
      name: 'office',
    };
    expect(readToolset(moved).hash).toBe(hash);
    const { parameters, ...function_ } = rest;
    const wrapped = { executor, type: 'function', function: { parameters, ...function_ } };
    expect(readToolset({ ...file, tools: [wrapped] }).hash).toBe(hash);
    const others = [
      { ...file, version: '2' },
      { ...file, description: 'x' },
      { ...file, tools: [{ ...send, timeoutMs: 1 }] },
      { ...file, tools: [{ ...send, executor: { ...http, method: 'PUT' } }] },
      { ...file, tools: [{ ...send, probe: { url: http.url } }] },
      { ...file, tools: [{ ...send, approval: 'always' }] },
    ];
    expect(new Set([hash, ...others.map((other) => readToolset(other).hash)]).size).toBe(7);
  });

  it('takes the order of parameters for a difference: the model reads them in it', () => {
    const [ab, ba] = [
      { a: {}, b: {} },
      { b: {}, a: {} },
    ].map((properties) =>
      readToolset({ ...file, tools: [{ ...send, parameters: { type: 'object', properties } }] }),
    );
    expect(ab?.hash).not.toBe(ba?.hash);
  });

  it.each([
    [null, /^the file .*expected object/],
    [[], /^the file .*expected object/],
    [{ ...file, name: 'a b' }, /^\/name must be letters/],
    [{ ...file, version: undefined }, /^\/version /],
    [{ ...file, extra: 1 }, /^the file .*"extra"/],
    [{ ...file, tools: [] }, /^\/tools /],
    [
      { ...file, tools: [send, send] },
      /^\/tools\/1 tools 0 and 1 have the same name "send" \(rename/,
    ],
  ])('refuses %j', (input, problem) => {
    expect(problemOf(input)).toMatch(problem);
    expect(problemOf(input)).not.toContain('\n');
  });

  it.each([
    [{ effect: 'maybe' }, /^\/tools\/0\/effect /],
    [{ timeoutMs: 0 }, /^\/tools\/0\/timeoutMs /],
    [{ timeoutMs: 300_001 }, /^\/tools\/0\/timeoutMs /],
    [{ maxResultBytes: 1.5 }, /^\/tools\/0\/maxResultBytes /],
    [{ timeout: 5 }, /^\/tools\/0 has unknown keys: "timeout" \(leave them out\)$/],
    [{ parameters: { type: 'strin' } }, /^\/tools\/0\/parameters\/type "strin" is no type/],
    [{ executor: { kind: 'shell' } }, /^\/tools\/0\/executor\/kind /],
    [
      { executor: { kind: 'builtin', name: 'document.shred' } },
      /^\/tools\/0\/executor\/name .*append_section/,
    ],
    [
      { executor: { kind: 'builtin', name: 'document.append_section', options: { file: '../x' } } },
      /^\/tools\/0\/executor\/options file: must be a path inside/,
    ],
    [{ executor: { ...http, url: 'ftp://x' } }, /^\/tools\/0\/executor\/url must begin with http/],
    [{ executor: { ...http, method: 'TRACE' } }, /^\/tools\/0\/executor\/method /],
    [
      { executor: { ...http, headers: { host: 'x' } } },
      /^\/tools\/0\/executor\/headers\/host is set by/,
    ],
    [{ approval: 'sometimes' }, /^\/tools\/0\/approval .*"always"\|"unsure"\|"never"/],
    [
      { executor: { ...http, statuses: { 404: 'fine' } } },
      /^\/tools\/0\/executor\/statuses\/404 .*"outcome_unknown"/,
    ],
    [
      { executor: { ...http, statuses: { '4xx': 'failed' } } },
      /^\/tools\/0\/executor\/statuses\/4xx must be a status from 200 to 599$/,
    ],
    [{ probe: {} }, /^\/tools\/0\/probe\/url /],
    [{ probe: { url: '/messages' } }, /^\/tools\/0\/probe\/url must begin with http/],
    [{ probe: { url: '${BASE}/{id}' } }, /^\/tools\/0\/probe\/url names \{id\}, which is no/],
    [
      { probe: { url: '${BASE}', headers: { 'idempotency-key': 'x' } } },
      /^\/tools\/0\/probe\/headers\/idempotency-key is set by the call itself/,
    ],
    [{ probe: { url: '${BASE}', method: 'POST' } }, /^\/tools\/0\/probe .*"method"/],
    [
      { effect: 'idempotent', probe: { url: '${BASE}' } },
      /^\/tools\/0\/probe is for calls that must not happen twice.* "idempotent"; leave it out$/,
    ],
    [{ executor: { ...http, retries: 3 } }, /^\/tools\/0\/executor .*"retries"/],
  ])('refuses a tool with %j', (change, problem) => {
    expect(problemOfTool(change)).toMatch(problem);
  });

  it('names several faults, but not all of many', () => {
    const tools = Array.from({ length: 9 }, (_, index) => ({
      ...send,
      name: `t${index}`,
      effect: 'x',
    }));
    expect(problemOf({ ...file, tools })).toMatch(
      /^\/tools\/0\/effect .*; \/tools\/1\/effect .*; and 4 more$/,
    );
  });
});

describe('inlineToolset', () => {
  it('has no executors', () => {
    const toolset = inlineToolset(readTools([{ name: 'a' }, { name: 'b' }]));
    expect(toolset).toMatchObject({
      name: 'inline',
      tools: [{ effect: 'once' }, { effect: 'once' }],
    });
    expect(toolsWithoutExecutor(toolset)).toEqual(['a', 'b']);
    expect(inlineToolset(readTools([{ name: 'a' }])).hash).not.toBe(toolset.hash);
  });
});
