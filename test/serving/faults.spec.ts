import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Run } from '#libs/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startStack, type Stack } from '../support/stack.js';
import { startToolServer, type ToolServer } from '../support/tool-server.js';
import { startScriptedHammer, type ScriptedHammer } from './support/scripted-hammer.js';

/** A call that its tool takes, and one that it does not. */
const CALL = '[{"name": "pay_invoice", "arguments": {"invoice": "A-17"}}]';
const WRONG_CALL = '[{"name": "pay_invoice", "arguments": {"invoice": 17}}]';

/** Far longer than an answer takes. */
const STALL_MS = 2_000;

let folder: string;
let tools: ToolServer;
/** Without its model until the first test loads it. */
let hammer: ScriptedHammer;
let stack: Stack;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'hammerline-faults-'));
  [tools, hammer] = await Promise.all([
    startToolServer(),
    startScriptedHammer({ loaded: false, observe: true }),
  ]);
  const file = path.join(folder, 'desk.json');
  writeFileSync(file, JSON.stringify(deskToolset(tools.url)));
  stack = await startStack({
    toolsets: [file],
    worker: {
      RUNTIME: 'triton',
      TRITON_URL: `grpc://${hammer.grpc}`,
      MODEL_STALL_MS: String(STALL_MS),
    },
  });
});

afterAll(async () => {
  await stack?.stop();
  await Promise.all([hammer?.stop(), tools?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  tools.effects.length = 0;
  hammer.set({ fault: { kind: 'hang', after: 0, times: 0 } });
});

/** A run whose model answers so. */
function submit(answer: string): Promise<Run> {
  return stack.submit({ query: `Answer with ${answer}`, toolset: 'desk' });
}

/** What a run's events say of its turn's claims and failures. */
async function turns(id: string): Promise<string[]> {
  const events = await stack.events(id);
  return events.filter(({ type }) => type.startsWith('turn.')).map(({ type }) => type);
}

async function readiness(): Promise<{ status: number; model: string | undefined }> {
  const response = await fetch(`${stack.apps.worker.url}/readyz`);
  const { checks } = (await response.json()) as { checks: Record<string, string> };
  return { status: response.status, model: checks['model'] };
}

describe('a model that is not there', () => {
  it('and then loads for long: the run waits in the queue and burns no try', async () => {
    expect(await readiness()).toEqual({ status: 503, model: 'failed' });
    const run = await submit(CALL);

    hammer.set({ loading: true });
    const loaded = hammer.load();
    await hammer.saw(({ event }) => event === 'loading');
    expect(await readiness()).toEqual({ status: 503, model: 'failed' });
    const waiting = (await (await stack.request(`/v1/runs/${run.id}`)).json()) as Run;
    expect(waiting.state).toBe('queued');

    const ready = stack.logged('worker', 'model ready');
    hammer.set({ loading: false });
    await Promise.all([loaded, ready]);
    expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
    expect(await turns(run.id)).toEqual(['turn.claimed', 'turn.resolved']);
    expect(await readiness()).toEqual({ status: 200, model: 'ok' });
    expect(tools.effects).toHaveLength(1);
  });
});

describe('an answer', () => {
  it.each([
    ['is garbage', 'Sure! I will pay it right away.'],
    ['ignores the schema', WRONG_CALL],
    ['calls a tool that there is not', '[{"name": "pay_everything", "arguments": {}}]'],
  ])('that %s is repaired once; then the run fails, and no tool runs', async (_what, wrong) => {
    const query = `Answer with ${wrong} || ${CALL}`;
    const repaired = await stack.submit({ query, toolset: 'desk', mode: 'resolve' });
    expect(await stack.ended(repaired.id)).toMatchObject({
      state: 'succeeded',
      calls: [{ name: 'pay_invoice', arguments: { invoice: 'A-17' } }],
    });

    const failed = await submit(wrong);
    expect(await stack.ended(failed.id)).toMatchObject({
      state: 'failed',
      error: { code: 'invalid_call' },
      calls: [],
    });
    expect(await turns(failed.id)).toEqual(['turn.claimed', 'turn.failed']);
    expect(tools.effects).toEqual([]);
  });

  it('that repeats without end is cut, and the run fails', async () => {
    const run = await submit('[{"name": "pay_invoice", "arguments": {"invoice": "A-17-…');
    expect(await stack.ended(run.id)).toMatchObject({
      state: 'failed',
      error: { code: 'invalid_call' },
    });
    expect(tools.effects).toEqual([]);
  });
});

it('a prompt over the context: the run fails and says so', async () => {
  const query = `Answer with ${CALL} ${'and so on '.repeat(2_000)}`;
  const run = await stack.submit({ query, toolset: 'desk' });
  expect(await stack.ended(run.id)).toMatchObject({
    state: 'failed',
    error: { code: 'context_overflow', message: expect.stringMatching(/4096/) },
  });
  expect(await turns(run.id)).toEqual(['turn.claimed', 'turn.failed']);
});

it('a model that fails in the middle of an answer is asked again', async () => {
  hammer.set({ fault: { kind: 'error', after: 2, times: 1 } });
  const run = await submit(CALL);
  expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
  const failed = await stack.event(run.id, 'turn.failed');
  expect(failed.data).toMatchObject({ error: { code: 'model_failed' }, retry: true });
  expect(tools.effects).toHaveLength(1);
});

describe('a model that falls silent in the middle of an answer', () => {
  const silence = {
    error: {
      code: 'model_failed',
      message: expect.stringContaining(`${STALL_MS} ms`),
    },
    retry: true,
  };

  it('is given up and asked again: it hangs', async () => {
    hammer.set({ fault: { kind: 'hang', after: 2, times: 1 } });
    const run = await submit(CALL);
    expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
    expect((await stack.event(run.id, 'turn.failed')).data).toMatchObject(silence);
    expect(tools.effects).toHaveLength(1);
  });

  it('is given up and asked again once it is loaded anew: its process dies', async () => {
    hammer.set({ fault: { kind: 'die', after: 2, times: 1 } });
    const run = await submit(CALL);
    expect((await stack.event(run.id, 'turn.failed')).data).toMatchObject(silence);
    hammer.set({ fault: { kind: 'die', after: 2, times: 0 } });
    await hammer.unload();
    await hammer.load();
    expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
    // The request that it died of is its own doing; to find it dead is not.
    expect((await turns(run.id)).filter((type) => type === 'turn.failed')).toHaveLength(1);
    expect(tools.effects).toHaveLength(1);
  });

  it('is called by no run while its process is dead, and then again', async () => {
    // Nothing but a call shows that.
    hammer.killModel();
    const run = await submit(CALL);
    const delayed = await stack.event(run.id, 'turn.delayed');
    expect(delayed.data).toMatchObject({ error: { code: 'model_unavailable' } });
    expect(await readiness()).toEqual({ status: 503, model: 'failed' });
    await hammer.unload();
    await hammer.load();
    expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
    expect(await turns(run.id)).not.toContain('turn.failed');
    expect(tools.effects).toHaveLength(1);
  });
});

it('a LoRA that the server lacks: no worker is ready, and runs wait for it', async () => {
  await stack.apps.worker.stop();
  hammer.set({ loras: ['finance'] });
  stack.apps.worker = await stack.startApp('worker', { MODEL_LORA: 'finance' });
  await stack.logged(stack.apps.worker, 'model ready');
  hammer.set({ loras: [] });
  const run = await submit(CALL);
  expect((await stack.event(run.id, 'turn.delayed')).data).toMatchObject({
    error: { code: 'model_unavailable', message: expect.stringMatching(/finance.*MODEL_LORA/) },
  });
  expect(await readiness()).toEqual({ status: 503, model: 'failed' });
  hammer.set({ loras: ['finance'] });
  expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
  expect(await turns(run.id)).not.toContain('turn.failed');
  expect(tools.effects).toHaveLength(1);
});

it('a server that is killed in the middle of an answer: the run ends when it is back', async () => {
  hammer.set({ fault: { kind: 'hang', after: 2, times: 1 } });
  const from = hammer.sights().length;
  const run = await submit(CALL);
  await hammer.saw(({ event }) => event === 'fault', from);
  await hammer.kill();
  const failed = await stack.event(run.id, 'turn.failed');
  expect(failed.data).toMatchObject({ error: { code: 'model_failed' }, retry: true });
  hammer.set({ fault: { kind: 'hang', after: 2, times: 0 } });
  await hammer.restart();
  await hammer.load();
  expect(await stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
  expect(tools.effects).toHaveLength(1);
});

function deskToolset(url: string): object {
  const invoice = { type: 'string', description: 'Number of the invoice.' };
  return {
    name: 'desk',
    version: '1',
    description: 'Invoices to pay.',
    tools: [
      {
        name: 'pay_invoice',
        description: 'Pay an invoice.',
        parameters: { type: 'object', properties: { invoice }, required: ['invoice'] },
        executor: { kind: 'http', method: 'POST', url: `${url}/payments` },
      },
    ],
  };
}
