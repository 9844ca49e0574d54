import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EntryName, type EntryRecord, readEntry, writeEntry } from './entry.js';

const record: EntryRecord = {
  version: 1,
  card: {
    name: 'Hammer2.1-0.5b',
    flavour: 'bfcl-2.1',
    maxCalls: 8,
    contextTokens: 8192,
    stop: ['<|im_end|>'],
    maskTrained: true,
    chat: true,
    confidenceThreshold: 1,
  },
  format: 'gguf',
  weights: 'files/model.gguf',
  loras: { office: '/adapters/office.gguf' },
  source: { kind: 'path', path: '/model.gguf' },
  licence: { id: null, link: null, accepted: null },
  files: [{ path: 'files/model.gguf', bytes: 4 }],
  created: '2026-01-01T00:00:00.000Z',
};

let folder = '';
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'entry-')), 'hammer');
  await mkdir(join(folder, 'files'), { recursive: true });
  await writeFile(join(folder, 'files/model.gguf'), 'GGUF');
});
afterEach(() => rm(join(folder, '..'), { recursive: true }));

describe('readEntry', () => {
  it('gives back what was written, with absolute paths', async () => {
    await writeEntry(folder, record);
    await expect(readEntry(folder)).resolves.toEqual({
      ...record,
      name: 'hammer',
      folder,
      weights: join(folder, 'files/model.gguf'),
      tritonRepository: join(folder, 'triton'),
    });
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ['no entry', () => Promise.resolve(), 'models list'],
    ['no JSON', () => writeFile(join(folder, 'entry.json'), '{'), 'models remove hammer'],
    [
      'a card without a flavour',
      () => writeFile(join(folder, 'entry.json'), JSON.stringify({ ...record, card: {} })),
      'flavour',
    ],
    [
      'a file of another size',
      async () => {
        await writeEntry(folder, record);
        await writeFile(join(folder, 'files/model.gguf'), 'GGUF, but longer');
      },
      'has 16 bytes instead of 4',
    ],
    [
      'a file that is gone',
      async () => {
        await writeEntry(folder, record);
        await rm(join(folder, 'files/model.gguf'));
      },
      'cannot be read',
    ],
  ])('refuses %s', async (_, spoil, said) => {
    await spoil();
    await expect(readEntry(folder)).rejects.toMatchObject({
      code: 'model_unavailable',
      message: expect.stringContaining(said) as string,
    });
  });
});

it.each(['default', '', '.hidden', '../up', 'a/b', 'a b', 'x'.repeat(97)])(
  '%j names no entry',
  (name) => {
    expect(EntryName.safeParse(name).success).toBe(false);
  },
);
