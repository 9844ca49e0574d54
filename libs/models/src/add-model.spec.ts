import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ggufFile, hammerGguf } from '../../../test/support/gguf.js';
import { addModel, type AddOptions } from './add-model.js';
import { readModelEntry } from './read-model-entry.js';
import { openStore } from './store.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'add-'));
});
afterEach(() => rm(folder, { recursive: true }));

function add(path: string, options: Partial<AddOptions> = {}) {
  return addModel(join(folder, path), {
    store: openStore(join(folder, 'store')),
    copy: false,
    choices: {},
    adapters: { named: {} },
    signal: new AbortController().signal,
    onWait: () => undefined,
    ...options,
  });
}

async function write(files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

const safetensors = {
  'Hammer2.0-7b/config.json': '{"max_position_embeddings": 8192}',
  'Hammer2.0-7b/tokenizer.json': '{}',
  'Hammer2.0-7b/model.safetensors': 'weights',
};

describe('addModel', () => {
  it('makes an entry of a GGUF file, which stays where it is', async () => {
    await write({ 'Hammer2.1-0.5b-Q8_0.gguf': hammerGguf('h') });
    const { entry } = await add('Hammer2.1-0.5b-Q8_0.gguf');
    const weights = join(folder, 'Hammer2.1-0.5b-Q8_0.gguf');
    expect(entry).toMatchObject({
      name: 'Hammer2.1-0.5b-Q8_0',
      format: 'gguf',
      weights,
      licence: { id: 'cc-by-nc-4.0', accepted: null },
      files: [{ path: weights, bytes: hammerGguf('h').length }],
      card: { flavour: 'bfcl-2.1', contextTokens: 8192, stop: ['<|im_end|>'], maskTrained: true },
    });
    await expect(readModelEntry(entry.folder)).resolves.toEqual({
      card: entry.card,
      weights,
      loras: {},
    });
  });

  it('makes an entry of a folder of safetensors', async () => {
    await write(safetensors);
    const { entry } = await add('Hammer2.0-7b');
    expect(entry).toMatchObject({
      format: 'safetensors',
      weights: join(folder, 'Hammer2.0-7b'),
      card: { flavour: 'bfcl-2.0', contextTokens: 8192 },
    });
    await expect(readModelEntry(entry.folder)).rejects.toThrow('RUNTIME=triton');
  });

  it('copies when it is told to', async () => {
    await write({ 'h.gguf': hammerGguf('h') });
    const { entry } = await add('h.gguf', { copy: true });
    await rm(join(folder, 'h.gguf'));
    expect(entry.files).toEqual([
      expect.objectContaining({ path: 'files/h.gguf', sha256: expect.any(String) as string }),
    ]);
    await expect(readModelEntry(entry.folder)).resolves.toMatchObject({
      weights: join(entry.folder, 'files/h.gguf'),
    });
  });

  it('names adapters', async () => {
    await write({
      'h.gguf': hammerGguf('h'),
      'a.gguf': ggufFile({ 'general.type': 'adapter' }),
      'b.gguf': ggufFile({ 'general.type': 'adapter' }),
    });
    const adapters = { always: join(folder, 'a.gguf'), named: { office: join(folder, 'b.gguf') } };
    const { entry } = await add('h.gguf', { adapters });
    await expect(readModelEntry(entry.folder)).resolves.toMatchObject({
      adapter: join(folder, 'a.gguf'),
      loras: { office: join(folder, 'b.gguf') },
    });
  });

  it('finds the ranks of adapters beside safetensors', async () => {
    await write({
      ...safetensors,
      'a/adapter_config.json': '{"r": 24}',
      'a/adapter_model.safetensors': 'lora',
    });
    const adapters = { named: { office: join(folder, 'a') } };
    const { entry } = await add('Hammer2.0-7b', { adapters });
    expect(entry.loras).toEqual({ office: join(folder, 'a') });
    await rm(join(folder, 'a/adapter_model.safetensors'));
    await expect(add('Hammer2.0-7b', { adapters, name: 'again' })).rejects.toThrow('is missing');
  });

  const always = (path: string) => ({ adapters: { always: join(folder, path), named: {} } });
  it.each<[string, string, () => Partial<AddOptions>, string]>([
    ['nothing', 'none', () => ({}), 'there is no'],
    ['another file', 'text.gguf', () => ({}), 'is no GGUF model'],
    ['an adapter', 'adapter.gguf', () => ({}), 'with --adapter'],
    ['a model for an adapter', 'h.gguf', () => always('h.gguf'), 'is a GGUF model'],
    ['a folder without weights', 'empty', () => ({}), 'neither safetensors nor GGUF'],
    ['an index that leads out', 'evil', () => ({}), 'could leave its folder'],
    ['an adapter for all on vLLM', 'Hammer2.0-7b', () => always('x'), 'needs a name'],
    ['a name that is no name', 'h.gguf', () => ({ name: 'a/b' }), 'cannot name a model'],
  ])('refuses %s', async (_, path, options, said) => {
    await write({
      ...safetensors,
      'text.gguf': 'no model',
      'h.gguf': hammerGguf('h'),
      'adapter.gguf': ggufFile({ 'general.type': 'adapter' }),
      'empty/readme.md': '',
      'evil/config.json': '{}',
      'evil/model.safetensors.index.json': '{"weight_map": {"a": "../h.gguf"}}',
    });
    await expect(add(path, options())).rejects.toThrow(said);
  });

  it.each<[string, string, string, string]>([
    ['its file', 'Hammer2.1-0.5b.gguf', 'h', 'bfcl-2.1'],
    ['its header', 'model.gguf', 'Hammer2.0 7b', 'bfcl-2.0'],
    ['the name that is given, where nothing else says', 'model.gguf', 'h', 'compact'],
  ])('knows a Hammer model by %s', async (_, file, header, flavour) => {
    await write({ [file]: hammerGguf(header) });
    const { entry } = await add(file, { name: 'prod' });
    expect(entry.card).toMatchObject({
      name: 'prod',
      flavour,
      maskTrained: flavour !== 'compact',
    });
  });

  it('refuses other adapters, and a copy, where the entry has none', async () => {
    const adapter = ggufFile({ 'general.type': 'adapter' });
    await write({ 'h.gguf': hammerGguf('h'), 'a.gguf': adapter, 'b.gguf': adapter });
    const named = (path: string) => ({ named: { office: join(folder, path) } });
    await add('h.gguf', { adapters: named('a.gguf') });
    await expect(add('h.gguf')).resolves.toMatchObject({ isNew: false });
    await expect(add('h.gguf', { adapters: named('a.gguf') })).resolves.toMatchObject({
      isNew: false,
    });
    const others: Partial<AddOptions>[] = [
      { adapters: named('b.gguf') },
      { adapters: { always: join(folder, 'a.gguf'), named: {} } },
      { copy: true },
    ];
    for (const other of others) {
      await expect(add('h.gguf', other)).rejects.toThrow('with other settings');
    }
  });

  it('says what to do with a folder of that name that is no entry', async () => {
    await write({ 'h.gguf': hammerGguf('h'), 'store/h/other.txt': '' });
    await expect(add('h.gguf')).rejects.toThrow(/no entry\.json.*models remove/);
  });

  it('refuses a name that is taken, and finds the same model there', async () => {
    await write({ 'h.gguf': hammerGguf('h'), 'other.gguf': hammerGguf('other') });
    await expect(add('h.gguf')).resolves.toMatchObject({ isNew: true });
    await expect(add('h.gguf')).resolves.toMatchObject({ isNew: false });
    const other = { choices: { maxCalls: 1 } };
    await expect(add('h.gguf', other)).rejects.toThrow('with other settings');
    await expect(add('other.gguf', { name: 'h' })).rejects.toThrow('of another source');
  });
});

describe('readModelEntry', () => {
  it('reads the card of a plain GGUF file from its header and its name', async () => {
    await write({ 'Hammer2.0-3b.gguf': hammerGguf('h') });
    const model = await readModelEntry(join(folder, 'Hammer2.0-3b.gguf'));
    expect(model.card).toMatchObject({ name: 'Hammer2.0-3b', flavour: 'bfcl-2.0' });
  });

  it('says what to do where there is nothing', async () => {
    await expect(readModelEntry(join(folder, 'none'))).rejects.toMatchObject({
      code: 'model_unavailable',
      message: expect.stringContaining('models list') as string,
    });
  });
});
