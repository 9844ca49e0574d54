import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Run, RunRequest } from '#libs/contracts';
import { ensureApiKey, openPool, type Pool } from '#libs/runs';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { startScriptedModel } from './scripted-model.js';
import { API_KEY, startStack, type Stack } from './stack.js';
import { startToolServer, type ToolServer } from './tool-server.js';

/** The key of another tenant, `other`. */
export const OTHER_KEY = 'hl_key_of_the_tenant_called_other';

interface ScriptedCall {
  name: 'look_up' | 'switch_light' | 'pay' | 'send';
  arguments: Record<string, unknown>;
}

/** A stack whose model answers as a request says, with tools of every effect at a server that answers as a test says. */
export interface Desk {
  stack: Stack;
  tools: ToolServer;
  pool: Pool;
  /** A run whose model asks for these calls, turn by turn, and then for none. */
  submit(turns: ScriptedCall[][], over?: Partial<RunRequest>): Promise<Run>;
  get(route: string, key?: string): Promise<Answer>;
  post(route: string, body?: unknown, key?: string): Promise<Answer>;
  /** The run as soon as it is so. */
  once(id: string, isSo: (run: Run) => boolean): Promise<Run>;
}

export interface Answer {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- what a test expects of it is the test
  body: any;
}

/** Starts a desk before the tests of the block that calls this, and stops it after them. Each test begins without effects. */
export function useDesk(): Desk {
  let started: Awaited<ReturnType<typeof startDesk>> | undefined;
  const desk = (): Desk => {
    if (!started) throw new Error('the desk starts with the first test');
    return started;
  };
  beforeAll(async () => {
    started = await startDesk();
  });
  afterAll(async () => {
    await started?.stop();
  });
  beforeEach(() => {
    desk().tools.effects.length = 0;
  });
  return {
    get stack() {
      return desk().stack;
    },
    get tools() {
      return desk().tools;
    },
    get pool() {
      return desk().pool;
    },
    submit: (turns, over) => desk().submit(turns, over),
    get: (route, key) => desk().get(route, key),
    post: (route, body, key) => desk().post(route, body, key),
    once: (id, isSo) => desk().once(id, isSo),
  };
}

async function startDesk(): Promise<Desk & { stop(): Promise<void> }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-desk-'));
  const [tools, model] = await Promise.all([startToolServer(), startScriptedModel()]);
  const file = path.join(folder, 'desk.json');
  writeFileSync(file, JSON.stringify(deskToolset(tools.url)));
  const stack = await startStack({ toolsets: [file], worker: model.env(folder) });
  const pool = openPool({
    databaseUrl: stack.postgres.url,
    service: 'test',
    onError: () => undefined,
  });
  await ensureApiKey(pool, 'other', OTHER_KEY);
  let count = 0;

  const answerOf = async (response: Response): Promise<Answer> => ({
    status: response.status,
    body: await response.json(),
  });
  const get: Desk['get'] = async (route, key = API_KEY) =>
    answerOf(await stack.request(route, { key }));
  return {
    stack,
    tools,
    pool,
    get,
    submit: (turns, over = {}) => {
      const answers = [...turns.map((calls) => JSON.stringify(calls)), '[]'];
      const query = `Answer with ${answers.join(' >> ')} #${++count}`;
      return stack.submit({ query, toolset: 'desk', ...over });
    },
    post: async (route, body, key = API_KEY) => {
      const init = body === undefined ? {} : { body: JSON.stringify(body) };
      return answerOf(await stack.request(route, { method: 'POST', key, ...init }));
    },
    once: async (id, isSo) => {
      const signal = AbortSignal.timeout(30_000);
      for (;;) {
        signal.throwIfAborted();
        const { body } = await get(`/v1/runs/${id}`);
        if (isSo(body as Run)) return body as Run;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    stop: async () => {
      await pool.end();
      await stack.stop();
      await Promise.all([tools.stop(), model.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function deskToolset(url: string): object {
  const tool = (
    name: ScriptedCall['name'],
    description: string,
    parameters: object,
    policy: object,
  ): object => ({
    name,
    description,
    parameters: {
      type: 'object',
      properties: parameters,
      required: Object.keys(parameters),
      additionalProperties: false,
    },
    ...policy,
  });
  const text = { type: 'string', minLength: 1, description: 'A text.' };
  const at = (method: string, route: string): object => ({
    executor: { kind: 'http', method, url: `${url}/${route}` },
  });
  return {
    name: 'desk',
    version: '1',
    tools: [
      tool('look_up', 'Look a word up.', { word: text }, at('GET', 'look-up')),
      tool(
        'switch_light',
        'Switch a light on.',
        { room: text },
        { effect: 'idempotent', ...at('PUT', 'light') },
      ),
      tool('pay', 'Pay an invoice.', { invoice: text }, { effect: 'once', ...at('POST', 'pay') }),
      tool(
        'send',
        'Send a message.',
        { recipient: text, text },
        { effect: 'once', approval: 'always', ...at('POST', 'send') },
      ),
    ],
  };
}
