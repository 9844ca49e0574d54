import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processStatus } from '../../scripts/proc.mjs';
import { ROOT } from '../../scripts/root.mjs';
import { setupTriton, startTriton } from '../../scripts/triton.mjs';
import { startTestTriton, type TestTriton } from '../support/triton.js';

/** What servers started by this process share with their stubs. */
const sharedMemory = (launcher = process.pid): string[] =>
  readdirSync('/dev/shm').filter((name) => name.startsWith(`hammerline_triton_${launcher}_`));

const isReady = async ({ http }: { http: string }): Promise<boolean> =>
  (await fetch(`${http}/v2/health/ready`)).status === 200;

function isRunning(pid: number): boolean {
  try {
    return processStatus(pid).state !== 'Z';
  } catch {
    return false; // gone
  }
}

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'hammerline-triton-'));
  await setupTriton();
});
afterAll(() => rm(folder, { recursive: true }));

it('is set up once: the second time needs no network and no Python', async () => {
  const { PATH } = process.env;
  process.env['PATH'] = '/nowhere';
  try {
    expect(existsSync((await setupTriton()).binary)).toBe(true);
  } finally {
    process.env['PATH'] = PATH;
  }
});

describe('a server', () => {
  let triton: TestTriton;

  beforeAll(async () => {
    triton = await startTestTriton({
      models: ['identity', 'slow'],
      args: ['--http-header-forward-pattern=traceparent'],
    });
  });
  afterAll(() => triton.stop());

  const infer = (model: string, body: object, headers = {}): Promise<Response> =>
    fetch(`${triton.http}/v2/models/${model}/infer`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });

  it('is ready, and answers', async () => {
    expect(await isReady(triton)).toBe(true);
    expect(await (await fetch(triton.metrics)).text()).toContain('nv_inference_request_success');
    const inputs = [{ name: 'INPUT0', shape: [2], datatype: 'FP32', data: [1, 2.5] }];
    expect(await (await infer('identity', { inputs })).json()).toMatchObject({
      outputs: [{ name: 'OUTPUT0', shape: [2], data: [1, 2.5] }],
    });
  });

  it('tells what a model saw', async () => {
    const inputs = [{ name: 'MS', shape: [1, 1], datatype: 'INT32', data: [1] }];
    await infer('slow', { id: 'seen', inputs }, { traceparent: '00-a-b-01' });
    expect(await triton.observed(({ event, id }) => event === 'finished' && id === 'seen')).toEqual(
      {
        model: 'slow',
        event: 'finished',
        id: 'seen',
        parameters: { traceparent: '00-a-b-01' },
      },
    );
  });

  it('leaves nothing behind when it is killed, and starts again at the same address', async () => {
    const stubs = triton.stubPids('identity');
    expect(stubs).toHaveLength(1);
    const before = triton.pid;
    // A stub ends by itself when its server is gone, unless it hangs.
    for (const pid of stubs) process.kill(pid, 'SIGSTOP');
    await triton.kill();
    expect(stubs.filter(isRunning)).toEqual([]);
    expect(sharedMemory()).toEqual([]);
    await triton.restart();
    expect(triton.pid).not.toBe(before);
    expect(await isReady(triton)).toBe(true);
  });

  it('leaves nothing behind when it is stopped', async () => {
    const pids = [triton.pid, ...triton.stubPids('identity'), ...triton.stubPids('slow')];
    expect(pids.filter(isRunning)).toHaveLength(3);
    expect(sharedMemory()).toHaveLength(2);
    await triton.stop();
    expect(pids.filter(isRunning)).toEqual([]);
    expect(sharedMemory()).toEqual([]);
    expect(existsSync(triton.repository)).toBe(false);
  });
});

it('says in its own words which model it cannot load', async () => {
  const version = path.join(folder, 'faulty/1');
  await mkdir(version, { recursive: true });
  await writeFile(path.join(version, 'model.py'), 'raise ValueError("no weights: é")\n');
  await writeFile(path.join(folder, 'faulty/config.pbtxt'), 'backend: "python"\n');
  await expect(startTriton({ modelRepository: folder })).rejects.toThrow(
    /^Triton: failed to load 'faulty' version 1: Internal: ValueError: no weights: é$/,
  );
  expect(sharedMemory()).toEqual([]);
});

it('says that a port is taken, and that a folder is not there', async () => {
  const other = await startTestTriton({ models: ['identity'] });
  const httpPort = Number(new URL(other.http).port);
  const { repository } = other;
  await expect(startTriton({ modelRepository: repository, httpPort })).rejects.toThrow(
    `port ${httpPort} is in use: stop what uses it, or take another with --http-port N`,
  );
  await other.stop();
  await expect(startTriton({ modelRepository: repository })).rejects.toThrow(
    `Triton: there is no model repository ${repository}`,
  );
});

it('loads by request only where it is told so', async () => {
  const triton = await startTestTriton({ models: ['identity', 'late'], explicit: ['identity'] });
  const repository = async (): Promise<unknown> =>
    (await fetch(`${triton.http}/v2/repository/index`, { method: 'POST' })).json();
  expect(await repository()).toEqual([
    { name: 'identity', version: '1', state: 'READY' },
    { name: 'late' },
  ]);
  await triton.stop();
});

it('ends when its launcher is killed, and the next start clears up', async () => {
  const models = path.join(ROOT, 'test/triton/model_repository');
  const flags = ['--model-control-mode=explicit', '--load-model=identity'];
  const args = ['--model-repository', models, '--verbose', '--', ...flags];
  const launcher = spawn(process.execPath, [path.join(ROOT, 'scripts/triton.mjs'), ...args]);
  const { pid = 0 } = launcher;
  let said = '';
  for await (const chunk of launcher.stdout) {
    said += String(chunk);
    if (said.includes('Ctrl-C stops it')) break;
  }
  const server = Number(/^I\d+ \S+ (\d+) /m.exec(said)?.[1]);
  expect(isRunning(server)).toBe(true);
  expect(sharedMemory(pid)).toHaveLength(1);
  launcher.kill('SIGKILL');
  await once(launcher, 'exit');
  const next = await startTestTriton({ models: ['identity'] });
  expect(isRunning(server)).toBe(false);
  expect(sharedMemory(pid)).toEqual([]);
  await next.stop();
});

it('ends when npm, which started it, gets a SIGTERM', async () => {
  const models = path.join(ROOT, 'test/triton/model_repository');
  const flags = ['--model-control-mode=explicit', '--load-model=identity'];
  const args = ['run', '-s', 'triton', '--', '--model-repository', models, '--', ...flags];
  const npm = spawn('npm', args, { cwd: ROOT });
  let said = '';
  // Its end comes when the last who writes to it, which is the launcher, is gone.
  for await (const chunk of npm.stdout) {
    said += String(chunk);
    if (!npm.killed && said.includes('Ctrl-C stops it')) npm.kill('SIGTERM');
  }
  const [, http = ''] = /^HTTP +(\S+)$/m.exec(said) ?? [];
  expect(said).not.toMatch(/^[IWE]\d+ /m);
  await expect(fetch(http)).rejects.toThrow('fetch failed');
});
