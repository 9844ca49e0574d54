import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadToolsets } from './load-toolsets.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'hammerline-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(file: string, content: unknown): Promise<string> {
  const place = path.join(folder, file);
  await mkdir(path.dirname(place), { recursive: true });
  await writeFile(place, typeof content === 'string' ? content : JSON.stringify(content));
  return place;
}

const toolset = (name: string): unknown => ({ name, version: '1', tools: [{ name: 'f' }] });

async function names(...paths: string[]): Promise<string[]> {
  return [...(await loadToolsets(paths)).keys()];
}

describe('loadToolsets', () => {
  it('reads files, folders and the folders in them', async () => {
    const office = await put('examples/office/toolset.json', toolset('office'));
    await put('examples/office/requests.json', []);
    await put('examples/office/deeper/toolset.json', toolset('deeper'));
    await put('examples/crm.json', toolset('crm'));
    await put('examples/notes.txt', 'no toolset');
    expect(await names(path.join(folder, 'examples'))).toEqual(['crm', 'office']);
    expect(await names(path.join(folder, 'examples/office'))).toEqual(['office']);
    expect(await names(office)).toEqual(['office']);
    expect(await names(path.join(folder, 'examples'), office)).toEqual(['crm', 'office']);
    expect(await names()).toEqual([]);
  });

  it('gives the toolsets', async () => {
    const file = await put('a.json', toolset('a'));
    expect((await loadToolsets([file])).get('a')).toMatchObject({
      name: 'a',
      tools: [{ name: 'f' }],
    });
  });

  it('names the file and the mend in one line', async () => {
    const first = await put('a.json', toolset('same'));
    const second = await put('b.json', toolset('same'));
    const broken = await put('broken.json', '{\n"name": oops\n}');
    const wrong = await put('wrong.json', {
      ...(toolset('w') as object),
      tools: [{ name: 'f', effect: 'x' }],
    });
    await mkdir(path.join(folder, 'empty'));
    const missing = path.join(folder, 'missing.json');
    const empty = path.join(folder, 'empty');
    const message = (...paths: string[]): Promise<unknown> =>
      loadToolsets(paths).catch((error: unknown) => error);
    const wanted: [unknown, string][] = [
      [
        await message(first, second),
        `${second}: /name same is also the name of ${first}; rename one`,
      ],
      [await message(missing), `${missing}: there is no such file or folder; mend the path`],
      [await message(empty), `${empty}: the folder holds no toolset; put a toolset.json there`],
      [await message(broken), `${broken}: the file is not JSON: `],
      [
        await message(wrong),
        `${wrong}: /tools/0/effect Invalid option: expected one of "read"|"idempotent"|"once"`,
      ],
    ];
    for (const [error, text] of wanted) {
      expect(error).toMatchObject({ code: 'config_invalid' });
      expect(String(error)).toContain(text);
      expect(String(error)).not.toContain('\n');
    }
  });
});
