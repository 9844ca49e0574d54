import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { extractMember } from './unzip.mjs';

let folder: string;
const at = (name: string): string => path.join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'unzip-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A zip file of members with the fields that readers use; checksums stay 0. */
function zip(members: { name: string; content: Buffer; stored?: boolean }[], comment = ''): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, stored } of members) {
    const data = stored ? content : deflateRawSync(content);
    const extra = Buffer.alloc(7);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    local.writeUInt16LE(extra.length, 28);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(stored ? 0 : 8, 10);
    entry.writeUInt32LE(data.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    directory.push(entry, Buffer.from(name));
    parts.push(local, Buffer.from(name), extra, data);
    offset += 30 + name.length + extra.length + data.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, ...directory, end, Buffer.from(comment)]);
}

const text = Buffer.from('hammer '.repeat(200_000));
const members = [
  { name: 'a/first.txt', content: Buffer.from('first') },
  { name: 'a/stored.bin', content: text.subarray(0, 999), stored: true },
  { name: 'a/empty.bin', content: Buffer.alloc(0), stored: true },
  { name: 'a/deflated.bin', content: text },
];

it.each(members)('extracts $name', async ({ name, content }) => {
  await writeFile(at('x.zip'), zip(members, 'a comment'));
  await extractMember(at('x.zip'), name, at('out'));
  expect(content.equals(await readFile(at('out')))).toBe(true);
});

it('names a member that is not there', async () => {
  await writeFile(at('x.zip'), zip(members));
  await expect(extractMember(at('x.zip'), 'a/none', at('out'))).rejects.toThrow('has no a/none');
});

it.each([
  ['empty', Buffer.alloc(0)],
  ['no zip', Buffer.from('x'.repeat(500))],
  ['cut off in front', zip(members).subarray(4000)],
])('refuses a file that is %s', async (_, content) => {
  await writeFile(at('bad.zip'), content);
  await expect(extractMember(at('bad.zip'), 'a/first.txt', at('out'))).rejects.toThrow(
    'is no zip file',
  );
});
