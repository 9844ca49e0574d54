import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fillOnce } from './fill-once.mjs';

describe('fillOnce', () => {
  let cache: string;
  let folder: string;
  beforeEach(async () => {
    cache = await mkdtemp(path.join(tmpdir(), 'fill-once-'));
    folder = path.join(cache, 'new', 'thing');
  });
  afterEach(() => rm(cache, { recursive: true }));

  const put = (text: string) => (work: string) => writeFile(path.join(work, 'file'), text);
  const found = (): Promise<string> => readFile(path.join(folder, 'file'), 'utf8');

  it('keeps what the first has made, which may be in use, and leaves nothing beside it', async () => {
    const first = Promise.withResolvers<void>();
    const second = fillOnce(folder, async (work) => {
      await put('second')(work);
      await first.promise;
    });
    await fillOnce(folder, put('first'));
    const { ino } = await stat(folder);
    first.resolve();
    await second;
    expect(await found()).toBe('first');
    expect((await stat(folder)).ino).toBe(ino);
    expect(await readdir(path.dirname(folder))).toEqual(['thing']);
  });

  it('leaves nothing of what could not be made', async () => {
    const broken = fillOnce(folder, async (work) => {
      await put('half')(work);
      throw new Error('no network');
    });
    await expect(broken).rejects.toThrow('no network');
    expect(await readdir(path.dirname(folder))).toEqual([]);
  });
});
