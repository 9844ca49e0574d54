import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { Failure } from './failure.mjs';

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const END_LENGTH = 22;
const MAX_COMMENT = 0xffff;
const STORED = 0;
const DEFLATED = 8;

/**
 * Writes one member of a zip file (a wheel is one) to `target`, streaming. Not for archives over 4 GiB, nor encrypted
 * ones. The content is not checked against the CRC: callers compare a hash.
 *
 * @param {string} zip
 * @param {string} member
 * @param {string} target
 */
export async function extractMember(zip, member, target) {
  const handle = await open(zip);
  try {
    const { size } = await handle.stat();
    /** @param {number} position @param {number} length */
    const read = async (position, length) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
      if (bytesRead < length) throw broken(zip);
      return buffer;
    };
    const entry = await findEntry(read, size, zip, member);
    // The local header repeats the name and has extra fields of its own length; the data follow them.
    const local = await read(entry.offset, 30);
    const start = entry.offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
    if (entry.method !== STORED && entry.method !== DEFLATED) throw broken(zip);
    await pipeline(
      entry.size === 0
        ? new PassThrough().end()
        : createReadStream(zip, { start, end: start + entry.size - 1, highWaterMark: 1 << 20 }),
      entry.method === DEFLATED ? createInflateRaw({ chunkSize: 1 << 20 }) : new PassThrough(),
      createWriteStream(target),
    );
  } finally {
    await handle.close();
  }
}

/**
 * @param {(position: number, length: number) => Promise<Buffer>} read
 * @param {number} size
 * @param {string} zip
 * @param {string} member
 */
async function findEntry(read, size, zip, member) {
  const tailLength = Math.min(size, END_LENGTH + MAX_COMMENT);
  const tail = await read(size - tailLength, tailLength);
  let end = tailLength - END_LENGTH;
  while (end >= 0 && tail.readUInt32LE(end) !== END_OF_DIRECTORY) end -= 1;
  if (end < 0) throw broken(zip);
  const directory = await read(tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  for (let at = 0; at + 46 <= directory.length;) {
    if (directory.readUInt32LE(at) !== DIRECTORY_ENTRY) throw broken(zip);
    const nameLength = directory.readUInt16LE(at + 28);
    const name = directory.toString('utf8', at + 46, at + 46 + nameLength);
    if (name === member) {
      return {
        method: directory.readUInt16LE(at + 10),
        size: directory.readUInt32LE(at + 20),
        offset: directory.readUInt32LE(at + 42),
      };
    }
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  throw new Failure(`${zip} has no ${member}`);
}

/** @param {string} zip */
function broken(zip) {
  return new Failure(`${zip} is no zip file that can be read here`);
}
