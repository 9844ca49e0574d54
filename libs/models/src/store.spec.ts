import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hammerGguf } from '../../../test/support/gguf.js';
import { addModel } from './add-model.js';
import { modelsFolder, openStore, type Store } from './store.js';

let folder = '';
let store: Store;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'store-'));
  store = openStore(join(folder, 'models'));
  await writeFile(join(folder, 'Hammer2.1-0.5b.gguf'), hammerGguf('h'));
});
afterEach(() => rm(folder, { recursive: true }));

function add(name = 'hammer') {
  return addModel(join(folder, 'Hammer2.1-0.5b.gguf'), {
    store,
    name,
    copy: false,
    choices: {},
    adapters: { named: {} },
    signal: new AbortController().signal,
    onWait: () => undefined,
  });
}

const alone = {
  force: false,
  signal: new AbortController().signal,
  onWait: () => expect.unreachable(),
};

it.each([
  [{ HAMMERLINE_MODELS: '/m', HAMMERLINE_CACHE: '/c' }, '/m'],
  [{ HAMMERLINE_CACHE: '/c', XDG_CACHE_HOME: '/x' }, '/c/models'],
  [{ XDG_CACHE_HOME: '/x' }, '/x/hammerline/models'],
])('models are kept, by %j, in %s', (env, path) => {
  expect(modelsFolder(env)).toBe(path);
});

describe('a store', () => {
  it('is empty at first', async () => {
    await expect(store.list()).resolves.toEqual([]);
    await expect(store.used()).resolves.toBeUndefined();
    await expect(store.unfinished()).resolves.toEqual([]);
    await expect(store.remove('hammer', alone)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('remembers the used model', async () => {
    const { entry } = await add();
    await store.use('hammer');
    await expect(store.used()).resolves.toEqual(entry);
    await expect(readFile(join(store.folder, 'default'), 'utf8')).resolves.toBe('hammer\n');
    await store.use(undefined);
    await expect(store.used()).resolves.toBeUndefined();
  });

  it('says when the used model is gone', async () => {
    await add();
    await store.use('hammer');
    await rm(store.path('hammer'), { recursive: true });
    await expect(store.used()).rejects.toThrow('models use default');
  });

  it.each(['../store', '.unfinished', 'none'])('does not use %s', async (name) => {
    await add();
    await expect(store.use(name)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('it has hammer') as string,
    });
  });

  it('removes a model, but not the used one, and no file that it only names', async () => {
    await add();
    await store.use('hammer');
    await expect(store.remove('hammer', alone)).rejects.toThrow('--force');
    await store.remove('hammer', { ...alone, force: true });
    await expect(store.list()).resolves.toEqual([]);
    await expect(store.used()).resolves.toBeUndefined();
    await expect(readdir(folder)).resolves.toContain('Hammer2.1-0.5b.gguf');
    await expect(readdir(store.folder)).resolves.toEqual(['.unfinished']);
  });

  it('lists and removes a damaged entry', async () => {
    await add();
    await writeFile(join(store.path('hammer'), 'entry.json'), '{');
    await expect(store.list()).resolves.toEqual([
      { name: 'hammer', fault: expect.stringContaining('models remove hammer') as string },
    ]);
    await store.remove('hammer', alone);
    await expect(store.list()).resolves.toEqual([]);
  });

  it('lists and removes what a broken pull left', async () => {
    await mkdir(store.unfinishedPath('hammer'), { recursive: true });
    await expect(store.unfinished()).resolves.toEqual(['hammer']);
    await store.remove('hammer', alone);
    await expect(store.unfinished()).resolves.toEqual([]);
  });

  it('removes nothing under the hands of somebody who works on it', async () => {
    await add();
    const stop = new AbortController();
    await store.locked('hammer', alone, async () => {
      const onWait = () => stop.abort();
      const removed = store.remove('hammer', { force: false, signal: stop.signal, onWait });
      await expect(removed).rejects.toThrow('aborted');
    });
    await expect(store.read('hammer')).resolves.toMatchObject({ name: 'hammer' });
  });
});
