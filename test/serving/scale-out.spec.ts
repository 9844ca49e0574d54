import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../scripts/platform.mjs';
import { startStack, type Stack } from '../support/stack.js';
import { startLoad, type Load } from './support/load.js';
import { startScriptedHammer, type ScriptedHammer } from './support/scripted-hammer.js';

const TOOLSETS = 8;
const CLIENTS = 12;
/** Runs between two changes. */
const SOME = 20;
const SCRIPT = { slots: 4, serviceMs: 40, observe: true };

let folder: string;
let ports: number[];
let replicas: ScriptedHammer[];
let stack: Stack;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'hammerline-scale-out-'));
  for (let n = 0; n < TOOLSETS; n++) {
    writeFileSync(path.join(folder, `tools-${n}.json`), JSON.stringify(toolset(n)));
  }
  // Three places where a replica may be; at first there is one.
  ports = await Promise.all([freePort(), freePort(), freePort()]);
  replicas = [await startScriptedHammer({ ...SCRIPT, grpcPort: ports[0] })];
  stack = await startStack({
    toolsets: [folder],
    worker: {
      RUNTIME: 'triton',
      TRITON_URL: ports.map((port) => `grpc://127.0.0.1:${port}`).join(),
    },
  });
});

afterAll(async () => {
  await stack?.stop();
  await Promise.all(replicas.map((one) => one.stop()));
  rmSync(folder, { recursive: true, force: true });
});

describe('under load', () => {
  let load: Load;
  /** A worker took no turns, as if no replica were there. */
  let paused = false;

  beforeAll(async () => {
    void (async () => {
      await stack.logged('worker', 'the model is away: taking no turns');
      paused = true;
    })();
    load = startLoad(stack, CLIENTS, (index) => request(index % TOOLSETS));
    await load.further(SOME);
  });

  it.each([1, 2])('a replica that is added gets requests: replica %i', async (index) => {
    const added = await startScriptedHammer({ ...SCRIPT, grpcPort: ports[index] });
    replicas.push(added);
    await added.saw(({ event }) => event === 'answered');
    expect(await load.further(SOME)).toEqual([]);
  });

  it('a worker that is added takes runs', async () => {
    const worker = await stack.startApp('worker');
    await stack.logged(worker, 'turn resolved');
    expect(await load.further(SOME)).toEqual([]);
  });

  it('a replica is shut down', async () => {
    await replica(1).kill('SIGINT');
    expect(await load.further(SOME)).toEqual([]);
  });

  it('a replica is killed', async () => {
    await replica(2).kill();
    expect(await load.further(SOME)).toEqual([]);
  });

  it('a replica that comes back gets requests', async () => {
    const before = replica(1).sights().length;
    await replica(1).restart();
    await replica(1).saw(({ event }) => event === 'answered', before);
    expect(await load.further(SOME)).toEqual([]);
  });

  it('a worker is shut down', async () => {
    await stack.apps.worker.stop();
    expect(await stack.apps.worker.exited).toEqual({ code: 0, signal: null });
    expect(await load.further(SOME)).toEqual([]);
  });

  it('a worker is killed, another takes over its runs', async () => {
    const killed = await stack.startApp('worker');
    await stack.logged(killed, 'turn resolved');
    await killed.kill();
    expect(await load.further(SOME)).toEqual([]);
  });

  it('every run ends, none has failed, and no worker has paused', async () => {
    expect(await load.stop()).toEqual([]);
    expect(paused).toBe(false);
  });
});

it('equal toolsets go to the same replica', async () => {
  const before = replicas.map((each) => each.sights().length);
  for (let index = 0; index < 3 * TOOLSETS; index++) {
    // The same one three times on end, so that taking turns would show.
    const { id } = await stack.submit(request(Math.floor(index / 3)));
    expect(await stack.ended(id)).toMatchObject({ state: 'succeeded' });
  }
  const homes = new Map<string, Set<number>>();
  for (const [index, each] of replicas.entries()) {
    for (const { event, answer = '' } of each.sights().slice(before[index])) {
      if (event !== 'began' || answer === '[]') continue;
      homes.set(answer, (homes.get(answer) ?? new Set()).add(index));
    }
  }
  expect(homes.size).toBe(TOOLSETS);
  expect([...homes.values()].filter(({ size }) => size !== 1)).toEqual([]);
});

function replica(index: number): ScriptedHammer {
  const found = replicas[index];
  if (!found) throw new Error(`there is no replica ${index}`);
  return found;
}

function request(n: number): object {
  return {
    query: `Answer with [{"name": "act_${n}", "arguments": {}}]`,
    toolset: `tools-${n}`,
    mode: 'resolve',
  };
}

function toolset(n: number): object {
  return {
    name: `tools-${n}`,
    version: '1',
    description: 'Something to do.',
    tools: [
      {
        name: `act_${n}`,
        description: 'Do it.',
        parameters: { type: 'object', properties: {} },
        executor: { kind: 'http', method: 'POST', url: 'http://127.0.0.1:1/' },
      },
    ],
  };
}
