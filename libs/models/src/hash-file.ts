import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** In hex. */
export function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  return digest(createHash('sha256'), path, signal);
}

/** The hash by which git knows a file's content, in hex. */
export function blobSha1OfFile(path: string, bytes: number, signal?: AbortSignal): Promise<string> {
  return digest(createHash('sha1').update(`blob ${bytes}\0`), path, signal);
}

async function digest(hash: Hash, path: string, signal: AbortSignal | undefined): Promise<string> {
  const content = createReadStream(path, { highWaterMark: 1 << 20 });
  await pipeline(content, hash, signal === undefined ? {} : { signal });
  return hash.digest('hex');
}
