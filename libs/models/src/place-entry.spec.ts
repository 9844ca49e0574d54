import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ModelCard } from './model-card.js';
import { placeEntry, type PlaceOptions } from './place-entry.js';
import { openStore } from './store.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'place-'));
});
afterEach(() => rm(folder, { recursive: true }));

const at = (commit: string, hashes: Record<string, string>): PlaceOptions => ({
  store: openStore(folder),
  name: 'h',
  source: { kind: 'hub', repository: 'a/b', revision: 'main', commit },
  choices: {},
  adapters: { loras: {}, loraRanks: [], files: [] },
  holdsWeights: true,
  hashes,
  signal: new AbortController().signal,
  onWait: () => undefined,
});

/** What is there of the files when it goes on; then all are. */
async function goOn(options: PlaceOptions, paths: readonly string[]): Promise<string[]> {
  let there: string[] = [];
  const card = ModelCard.parse({
    name: 'h',
    flavour: 'compact',
    contextTokens: 256,
    maskTrained: false,
  });
  await placeEntry(options, async (unfinished) => {
    const files = join(unfinished, 'files');
    there = paths.filter((path) => existsSync(join(files, path)));
    await mkdir(join(files, 'sub'), { recursive: true });
    for (const path of paths) await writeFile(join(files, path), path);
    return {
      card,
      format: 'safetensors',
      weights: files,
      licence: { id: null, link: null, accepted: null },
      files: [{ path: join(files, 'same'), bytes: 4 }],
    };
  });
  return there;
}

const paths = ['same', 'same.part', 'same.part.etag', 'changed', 'sub/gone', 'nobody-knows'];

async function breakOff(options: PlaceOptions): Promise<void> {
  const broken = placeEntry(options, async (unfinished) => {
    await mkdir(join(unfinished, 'files/sub'), { recursive: true });
    for (const path of paths) await writeFile(join(unfinished, 'files', path), path);
    throw new Error('broken off');
  });
  await expect(broken).rejects.toThrow('broken off');
}

const before = { same: '1', changed: '1', 'sub/gone': '1' };

it('goes on with all that came from the same source', async () => {
  await breakOff(at('c1', before));
  expect(await goOn(at('c1', before), paths)).toEqual(paths);
});

it('keeps, when the source has changed, what is still wanted', async () => {
  await breakOff(at('c1', before));
  const now = { same: '1', changed: '2', new: '1' };
  expect(await goOn(at('c2', now), paths)).toEqual(paths.slice(0, 3));
});
