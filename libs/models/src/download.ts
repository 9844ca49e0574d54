import { mkdir, open, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HammerlineError } from '#libs/contracts';
import { blobSha1OfFile, sha256OfFile } from './hash-file.js';
import { type Answer, header, type Http, Interrupted, persist, reasonOf } from './http.js';

export interface Wanted {
  readonly url: URL;
  /** Where it belongs, relative to the folder that is filled. */
  readonly path: string;
  readonly bytes: number;
  /** What its content must be; where neither is known its size alone is checked. */
  readonly sha256?: string | undefined;
  readonly blobSha1?: string | undefined;
}

export interface DownloadOptions {
  readonly http: Http;
  readonly signal: AbortSignal;
  /** Told of bytes that are on the disk: also of those of an earlier try; negative where they were given up. */
  readonly onBytes: (bytes: number) => void;
  /** The error for an answer that brings no file. */
  readonly refusal: (answer: Answer) => Promise<HammerlineError>;
}

/** Tries in a row that may bring nothing: about half a minute without a network. */
const TRIES = 9;

/**
 * Fetches one file to `target`, which appears when it is whole and its hash is right. What came before a broken
 * connection, or before the process was killed, stays beside it as `.part` and is not fetched again, if the server still
 * has the same file: by its ETag, or by the hash of the whole.
 *
 * @returns the file's SHA-256
 * @throws HammerlineError `unavailable` for a server that does not bring it, `model_unavailable` for wrong content, which
 * is not kept
 */
export async function download(
  wanted: Wanted,
  target: string,
  options: DownloadOptions,
): Promise<string> {
  const { signal, onBytes } = options;
  if ((await sizeOf(target)) === wanted.bytes) {
    onBytes(wanted.bytes);
    return verify(wanted, target, signal);
  }
  const part = `${target}.part`;
  await mkdir(dirname(part), { recursive: true });
  let furthest = (await sizeOf(part)) ?? 0;
  onBytes(furthest);
  await persist(TRIES, signal, (progressed) => {
    const reached = (offset: number) => {
      // A server that begins anew each time, and never gets further, brings nothing.
      if (offset > furthest) progressed();
      furthest = Math.max(furthest, offset);
    };
    return fetchRest(wanted, part, reached, options);
  });
  const sha256 = await verify(wanted, part, signal);
  await rename(part, target);
  await rm(etagFile(part), { force: true });
  return sha256;
}

/** Fetches what `part` lacks. Throws Interrupted where it still lacks something. */
async function fetchRest(
  wanted: Wanted,
  part: string,
  reached: (offset: number) => void,
  { http, signal, onBytes, refusal }: DownloadOptions,
): Promise<void> {
  const found = await sizeOf(part);
  if (found === wanted.bytes) return;
  const etag = await readFile(etagFile(part), 'utf8').catch(() => undefined);
  const hasHash = wanted.sha256 !== undefined || wanted.blobSha1 !== undefined;
  let have = found ?? 0;
  // Nothing would tell that the rest is of another version.
  if (have > wanted.bytes || (have > 0 && etag === undefined && !hasHash)) {
    await startAnew(part, have, onBytes);
    have = 0;
  }
  const answer = await http.get(wanted.url, { signal, headers: rangeHeaders(have, etag) });
  const { status, body } = answer;
  if (status === 416) {
    body.destroy();
    await startAnew(part, have, onBytes);
    throw new Interrupted(`${wanted.url.host} has no such range of ${wanted.path}`);
  }
  if (status !== 200 && status !== 206) throw await refusal(answer);
  const start = status === 206 ? startOf(answer) : 0;
  if (start !== 0 && start !== have) {
    body.destroy();
    await startAnew(part, have, onBytes);
    throw new Interrupted(`${wanted.url.host} sent another range of ${wanted.path}`);
  }
  if (start === 0 && have > 0) await startAnew(part, have, onBytes);
  if (start === 0) await keepEtag(part, answer);
  await append(wanted, part, start, answer, reached, onBytes, signal);
}

async function append(
  wanted: Wanted,
  part: string,
  start: number,
  { body }: Answer,
  reached: (offset: number) => void,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  let have = start;
  const file = await open(part, 'a');
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      if (have + chunk.length > wanted.bytes) {
        throw new HammerlineError(
          'unavailable',
          `${wanted.url.host} sends more of ${wanted.path} than the ${wanted.bytes} bytes that it should have`,
        );
      }
      await file.appendFile(chunk);
      have += chunk.length;
      onBytes(chunk.length);
      reached(have);
    }
    await file.sync();
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof HammerlineError || isDiskError(cause)) throw cause;
    throw new Interrupted(`${wanted.path}: ${reasonOf(cause)}`, 0, cause);
  } finally {
    body.destroy();
    await file.close();
  }
  if (have < wanted.bytes) {
    throw new Interrupted(
      `${wanted.path}: the connection ended after ${have} of ${wanted.bytes} bytes`,
    );
  }
}

/** With the ETag of the first part, so that a changed file is sent from its beginning. */
function rangeHeaders(have: number, etag: string | undefined): Record<string, string> {
  if (have === 0) return {};
  return { range: `bytes=${have}-`, ...(etag !== undefined && { 'if-range': etag }) };
}

async function keepEtag(part: string, answer: Answer): Promise<void> {
  const etag = header(answer, 'etag');
  // A weak one may not be asked for a range.
  if (etag === undefined || etag.startsWith('W/')) await rm(etagFile(part), { force: true });
  else await writeFile(etagFile(part), etag);
}

function startOf(answer: Answer): number {
  const start = /^bytes (\d+)-/.exec(header(answer, 'content-range') ?? '')?.[1];
  return Number(start ?? NaN);
}

async function startAnew(
  part: string,
  have: number,
  onBytes: (bytes: number) => void,
): Promise<void> {
  await truncate(part);
  onBytes(-have);
}

async function verify(wanted: Wanted, file: string, signal: AbortSignal): Promise<string> {
  const sha256 = await sha256OfFile(file, signal);
  const isRight =
    wanted.sha256 === undefined
      ? wanted.blobSha1 === undefined ||
        wanted.blobSha1 === (await blobSha1OfFile(file, wanted.bytes, signal))
      : wanted.sha256 === sha256;
  if (isRight) return sha256;
  await Promise.all([rm(file), rm(etagFile(file), { force: true })]);
  throw new HammerlineError(
    'model_unavailable',
    `${wanted.path} came damaged: its hash is not the one that ${wanted.url.host} promised. It was not kept; pull again, ` +
      'and if that does not help, the server or a proxy on the way is broken',
    { retryable: false },
  );
}

function etagFile(part: string): string {
  return `${part}.etag`;
}

/** Undefined where there is no such file. */
async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

function isDiskError(cause: unknown): boolean {
  return (
    cause instanceof Error &&
    'code' in cause &&
    ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EFBIG'].includes(String(cause.code))
  );
}
