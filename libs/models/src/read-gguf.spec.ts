import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HammerlineError } from '#libs/contracts';
import { ggufFile, hammerGguf } from '../../../test/support/gguf.js';
import { readGguf } from './read-gguf.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gguf-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(bytes: Buffer) {
  const path = join(folder, 'model.gguf');
  await writeFile(path, bytes);
  return readGguf(path);
}

describe('readGguf', () => {
  it('finds what the header says', async () => {
    await expect(read(hammerGguf('Hammer2.1 1.5b', 100))).resolves.toEqual({
      architecture: 'qwen2',
      type: 'model',
      name: 'Hammer2.1 1.5b',
      licence: 'cc-by-nc-4.0',
      contextTokens: 32_768,
      endToken: '<|im_end|>',
    });
  });

  it('passes over the values that it does not need, of every type', async () => {
    const file = hammerGguf('h');
    const scalars = [1, 1, 2, 2, 4, 4, 4, 1, undefined, undefined, 8, 8, 8];
    const parts = scalars.flatMap((width, type) => {
      if (width === undefined) return [];
      const key = ggufFile({ [`x.${type}`]: 0 }).subarray(24, -8);
      const list = ggufFile({ [`y.${type}`]: 0 }).subarray(24, -8);
      const head = Buffer.alloc(4);
      head.writeUInt32LE(type);
      const array = Buffer.alloc(16);
      array.writeUInt32LE(9);
      array.writeUInt32LE(type, 4);
      array.writeBigUInt64LE(3n, 8);
      return [key, head, Buffer.alloc(width), list, array, Buffer.alloc(3 * width)];
    });
    const whole = Buffer.concat([file.subarray(0, 24), ...parts, file.subarray(24)]);
    whole.writeBigUInt64LE(whole.readBigUInt64LE(16) + 22n, 16);
    await expect(read(whole)).resolves.toMatchObject({ name: 'h', endToken: '<|im_end|>' });
  });

  it('knows nothing of a file that says nothing', async () => {
    const header = await read(ggufFile({}));
    expect(Object.values(header).filter((value) => value !== undefined)).toEqual([]);
  });

  it('refuses a header that is cut off, wherever', async () => {
    const whole = hammerGguf('Hammer2.1-1.5b');
    for (let length = 0; length < whole.length; length++) {
      await expect(read(whole.subarray(0, length))).rejects.toMatchObject({
        code: 'model_unavailable',
      });
    }
  });

  it('refuses a text that is cut off', async () => {
    const whole = ggufFile({ 'general.name': 'Hammer' });
    await expect(read(whole.subarray(0, -1))).rejects.toThrow('cut off');
  });

  it('reads or refuses a header with any byte changed, and never runs on', async () => {
    const whole = hammerGguf('Hammer2.1-1.5b');
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged.writeUInt8(damaged.readUInt8(at) ^ 0xff, at);
      const outcome = await read(damaged).then(
        () => 'read',
        (error: unknown) => (error instanceof HammerlineError ? error.code : error),
      );
      expect(['read', 'model_unavailable']).toContain(outcome);
    }
  });

  it.each<[string, Buffer, string]>([
    ['another file', Buffer.from('a page of HTML, a page of HTML'), 'does not begin'],
    ['version 1', Buffer.concat([Buffer.from('GGUF'), Buffer.from([1, 0, 0, 0])]), 'version is 1'],
    [
      'too many entries',
      Buffer.concat([ggufFile({}).subarray(0, 16), Buffer.alloc(8, 0xff)]),
      'promises 18446744073709551615 entries',
    ],
    [
      'too many tensors',
      Buffer.concat([ggufFile({}).subarray(0, 8), Buffer.alloc(8, 0xff), Buffer.alloc(8)]),
      'promises 18446744073709551615 tensors',
    ],
  ])('refuses %s', async (_, bytes, said) => {
    await expect(read(bytes)).rejects.toThrow(said);
  });

  it('says that there is no file', async () => {
    await expect(readGguf(join(folder, 'none.gguf'))).rejects.toThrow('cannot be read');
  });
});
