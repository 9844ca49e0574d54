import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Budget, Run } from '#libs/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  startScriptedHammer,
  type ScriptedHammer,
  type Sight,
} from './serving/support/scripted-hammer.js';
import { startScriptedServer, type ScriptedServer } from './support/scripted-server.js';
import { startStack, type Stack } from './support/stack.js';

const FIND = '[{"name": "find_invoice", "arguments": {"customer": "Dana"}}]';
const PAY = '[{"name": "pay_invoice", "arguments": {"invoice": "A-17"}}]';

let folder: string;
let tools: ScriptedServer;
/** How the tools answer; by default with what they were asked for. */
let answer: (path: string, response: ServerResponse) => void;
let hammer: ScriptedHammer;
let stack: Stack;
/** How much the model had seen when the test began. */
let from: number;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'hammerline-turns-'));
  [tools, hammer] = await Promise.all([
    startScriptedServer((request, response) => answer(request.path, response)),
    startScriptedHammer({ observe: true }),
  ]);
  const file = path.join(folder, 'desk.json');
  writeFileSync(file, JSON.stringify(deskToolset(tools.url)));
  stack = await startStack({
    toolsets: [file],
    worker: { RUNTIME: 'triton', TRITON_URL: `grpc://${hammer.grpc}` },
  });
});

afterAll(async () => {
  await stack?.stop();
  await Promise.all([hammer?.stop(), tools?.close()]);
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  answer = (at, response) =>
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ answered: at }));
  hammer.set({ fault: { kind: 'hang', after: 0, times: 0 } });
  from = hammer.sights().length;
});

/** A run that goes on until an answer, whose model answers so, turn by turn. */
async function submit(answers: string[], over: object = {}): Promise<Run> {
  const query = `Answer with ${answers.join(' >> ')}`;
  return stack.submit({ query, toolset: 'desk', until: 'answer', ...over });
}

async function ended(answers: string[], over: object = {}): Promise<Run> {
  return stack.ended((await submit(answers, over)).id);
}

/** What the model was asked in this test. */
function prompts(): string[] {
  return hammer
    .sights()
    .slice(from)
    .flatMap(({ prompt }) => prompt ?? []);
}

describe('a run until an answer', () => {
  it('shows the model what its calls came to, and ends with its words', async () => {
    const run = await ended([FIND, PAY, 'Dana’s invoice A-17 is paid.']);
    expect(run).toMatchObject({
      state: 'succeeded',
      outcome: 'answer',
      answer: 'Dana’s invoice A-17 is paid.',
      calls: [
        { name: 'find_invoice', turn: 1, state: 'succeeded', result: { answered: '/invoices' } },
        { name: 'pay_invoice', turn: 2, state: 'succeeded', result: { answered: '/payments' } },
      ],
    });
    const [first = '', second = '', third = '', ...more] = prompts();
    expect(more).toEqual([]);
    expect(second.startsWith(first)).toBe(true);
    expect(second.slice(first.length)).toContain(
      `${FIND}<|im_end|>\n<|im_start|>tool\n{"answered":"/invoices"}<|im_end|>`,
    );
    expect(third.startsWith(second)).toBe(true);
    expect(third.slice(second.length)).toContain(`${PAY}<|im_end|>\n<|im_start|>tool\n`);
  });

  it('asks for the closing words, without tools, where the model makes no more calls', async () => {
    const run = await ended([FIND, '[]', 'Dana has one invoice.']);
    expect(run).toMatchObject({
      state: 'succeeded',
      outcome: 'answer',
      answer: 'Dana has one invoice.',
    });
    const [, , chat = ''] = prompts();
    expect(chat).toContain('{"answered":"/invoices"}');
    expect(chat).not.toContain('pay_invoice');
  });

  it('asks for words, too, where no tool fits', async () => {
    expect(await ended(['[]', 'I cannot sing.'])).toMatchObject({
      state: 'succeeded',
      outcome: 'irrelevant',
      answer: 'I cannot sing.',
      calls: [],
    });
  });

  it('names what the request lacks', async () => {
    expect(await ended(['[{"name": "pay_invoice", "arguments": {}}]'])).toMatchObject({
      state: 'succeeded',
      outcome: 'needs_input',
      answer: 'The request does not say what pay_invoice requires: invoice.',
      missing: { tool: 'pay_invoice', parameters: ['invoice'] },
    });
  });

  it('tells the model why a call failed, and goes on', async () => {
    answer = (_, response) => response.writeHead(404).end('no such customer');
    const run = await ended([FIND, 'There is no Dana.']);
    expect(run).toMatchObject({
      state: 'succeeded',
      answer: 'There is no Dana.',
      calls: [{ state: 'failed', error: { code: 'tool_failed' } }],
    });
    const message = JSON.stringify(run.calls[0]?.error?.message);
    expect(prompts()[1]).toContain(`tool\n{"error":{"code":"tool_failed","message":${message}}}`);
  });

  it.each<[string, Partial<Budget>, object, number]>([
    ['turns', { turns: 2 }, { message: expect.stringContaining('asked 2 times') }, 2],
    ['tokens', { tokens: 50 }, { message: expect.stringMatching(/wrote \d+ tokens/) }, 1],
    ['calls', { calls: 1 }, { message: expect.stringContaining('budget is 1') }, 1],
  ])('ends where its budget of %s is spent', async (_, budget, error, made) => {
    const run = await ended([FIND, PAY, FIND], { budget });
    expect(run).toMatchObject({ state: 'failed', error: { code: 'budget_spent', ...error } });
    expect(run.calls).toHaveLength(made);
  });
});

describe('a run that ends while the model answers', () => {
  const began = ({ event, prompt }: Sight): boolean => event === 'began' && prompt !== undefined;
  const gaveUp = ({ event }: Sight): boolean => event === 'cancelled';

  beforeEach(() => hammer.set({ fault: { kind: 'hang', after: 1, times: 1 } }));

  it('by cancel: the model stops, and goes on with others', async () => {
    const { id } = await submit([FIND]);
    await hammer.saw(began, from);
    const response = await stack.request(`/v1/runs/${id}/cancel`, { method: 'POST' });
    expect(await response.json()).toMatchObject({ state: 'cancelled' });
    await hammer.saw(gaveUp, from);
    expect(await ended(['Done.'])).toMatchObject({ answer: 'Done.' });
    const events = (await stack.events(id)).map(({ type }) => type);
    expect(events).toEqual(['run.accepted', 'turn.claimed', 'run.ended']);
  });

  it('by its deadline: the model stops', async () => {
    const { id } = await submit([FIND], { expiresInS: 1 });
    await hammer.saw(gaveUp, from);
    expect(await stack.ended(id)).toMatchObject({ state: 'expired', error: { code: 'expired' } });
  });
});

function deskToolset(url: string): object {
  const text = (description: string): object => ({ type: 'string', description });
  const tool = (name: string, at: string, parameter: string, effect: string): object => ({
    name,
    description: `${name.replace('_', ' ')}.`,
    parameters: {
      type: 'object',
      properties: { [parameter]: text(`The ${parameter}.`) },
      required: [parameter],
    },
    effect,
    executor: { kind: 'http', method: 'POST', url: `${url}${at}` },
  });
  return {
    name: 'desk',
    version: '1',
    description: 'Invoices to find and to pay.',
    tools: [
      tool('find_invoice', '/invoices', 'customer', 'read'),
      tool('pay_invoice', '/payments', 'invoice', 'once'),
    ],
  };
}
