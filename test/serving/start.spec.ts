import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { awaitModel } from '../../scripts/await-model.mjs';
import { chooseModel } from '../../scripts/choose-model.mjs';
import { chooseRequests } from '../../scripts/requests.mjs';
import { startServices } from '../../scripts/services.mjs';
import { openState } from '../../scripts/state.mjs';
import { tellStory } from '../../scripts/story.mjs';
import { createSupervisor } from '../../scripts/supervisor.mjs';

/** What a Triton of this process shares with its models lies there under this name. */
const SHARED_MEMORY = '/dev/shm';
const PREFIX = `hammerline_triton_${process.pid}_`;

const sharedFiles = (): string[] =>
  readdirSync(SHARED_MEMORY).filter((name) => name.startsWith(PREFIX));

it('npm start -- --runtime triton: a Triton of this machine answers, and leaves nothing behind', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-start-'));
  const said = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const supervisor = createSupervisor(() => {});
  const state = openState(folder);
  onTestFinished(async () => {
    await supervisor.stop();
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true, force: true });
  });
  const sample = chooseRequests({});
  const { signal } = new AbortController();
  const { url, workers } = await startServices({
    state,
    supervisor,
    toolsets: sample.toolsets,
    port: 0,
    workers: 1,
    // Whatever is chosen on this machine.
    model: chooseModel('triton', { HAMMERLINE_MODELS: folder }),
    signal,
  });
  await awaitModel(workers, signal);
  const mean = sample.requests.filter(({ expect: tool }) => tool === 'column_statistics');
  const ended = await tellStory({ url, key: state.apiKey, signal }, mean);
  expect(ended).toMatchObject([{ expected: true, run: { state: 'succeeded' } }]);

  expect(supervisor.memory().map(({ name }) => name)).toContain('triton');
  expect(said.mock.calls.join('')).toMatch(/triton +\| ready url=grpc:\/\//);
  expect(readFileSync(path.join(state.logs, 'triton.log'), 'utf8')).toMatch(/hammer/);
  expect(sharedFiles()).not.toEqual([]);
  await supervisor.stop();
  expect(sharedFiles()).toEqual([]);
});
