import { createHash, randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Dispatcher } from 'undici';
import { HammerlineError } from '#libs/contracts';
import { type HubServer, startHub } from '../../../test/support/hub-server.js';
import { download, type Wanted } from './download.js';
import { type Http, openHttp } from './http.js';

// Tries come at once.
vi.mock('node:timers/promises', () => ({ setTimeout: () => Promise.resolve() }));

const PATH = 'model.safetensors';
const SMALL = 'config.json';
const content = randomBytes(4_000_000);
const sha256 = createHash('sha256').update(content).digest('hex');

let hub: HubServer;
let http: Http;
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'download-'));
  hub = await startHub({ repositories: { 'a/b': { files: { [PATH]: content, [SMALL]: '{}' } } } });
  http = openHttp({ token: 'secret', tokenOrigin: hub.url, silenceMs: 1_000 });
});
afterEach(async () => {
  await http.close();
  await hub.close();
  await rm(folder, { recursive: true });
});

function wanted(more: Partial<Wanted> = {}): Wanted {
  const url = new URL(`${hub.url}/a/b/resolve/main/${PATH}`);
  return { url, path: PATH, bytes: content.length, sha256, ...more };
}

async function fetchIt(want = wanted(), signal = new AbortController().signal, by = http) {
  let bytes = 0;
  const hash = await download(want, join(folder, want.path), {
    http: by,
    signal,
    onBytes: (count) => (bytes += count),
    refusal: (answer) => {
      answer.body.destroy();
      return Promise.resolve(new HammerlineError('unavailable', `HTTP ${answer.status}`));
    },
  });
  return { hash, bytes };
}

/** From which byte on each request wanted the file. */
const starts = () =>
  hub.asked
    .filter(({ host }) => host === 'cdn')
    .map(({ headers }) => Number(/\d+/.exec(headers.range ?? '0')?.[0]));

const sizeOf = (file: string) => statSync(join(folder, file), { throwIfNoEntry: false })?.size;

describe('download', () => {
  it('fetches a file, follows its redirect and tells each byte', async () => {
    await expect(fetchIt()).resolves.toEqual({ hash: sha256, bytes: content.length });
    expect(content.equals(await readFile(join(folder, PATH)))).toBe(true);
    expect(existsSync(join(folder, `${PATH}.part`))).toBe(false);
  });

  it('shows the token to its own host only', async () => {
    await fetchIt();
    const tokens = hub.asked.map(({ host, headers }) => [host, headers.authorization]);
    expect(tokens).toEqual([
      ['hub', 'Bearer secret'],
      ['cdn', undefined],
    ]);
  });

  it('goes on where the connection broke', async () => {
    hub.faults.set(PATH, { kind: 'cut', after: 3_000_000 });
    await expect(fetchIt()).resolves.toEqual({ hash: sha256, bytes: content.length });
    const [first, second, ...more] = starts();
    expect([first, more]).toEqual([0, []]);
    // What was on its way to the disk is lost.
    expect(second).toBeGreaterThan(0);
    expect(second).toBeLessThanOrEqual(3_000_000);
  });

  it('goes on after a silence', async () => {
    hub.faults.set(PATH, { kind: 'hold', after: 3_000_000 });
    await expect(fetchIt()).resolves.toMatchObject({ hash: sha256 });
    expect(starts()).toEqual([0, 3_000_000]);
  });

  it('waits for a server that is busy', async () => {
    hub.faults.set(PATH, { kind: 'busy' });
    await expect(fetchIt()).resolves.toMatchObject({ hash: sha256 });
  });

  async function breakOff(): Promise<void> {
    hub.faults.set(PATH, { kind: 'hold', after: 3_000_000 });
    const stop = new AbortController();
    const broken = fetchIt(wanted(), stop.signal);
    await hub.held(PATH);
    await expect.poll(() => sizeOf(`${PATH}.part`)).toBe(3_000_000);
    stop.abort(new Error('stopped'));
    await expect(broken).rejects.toThrow('stopped');
  }

  it('keeps what came when it is stopped, and goes on from there', async () => {
    await breakOff();
    await expect(fetchIt()).resolves.toEqual({ hash: sha256, bytes: content.length });
    expect(starts()).toEqual([0, 3_000_000]);
    expect(hub.asked.at(-1)?.headers['if-range']).toBe(`"${sha256}"`);
  });

  it('gives up on a server that begins anew each time and never gets further', async () => {
    let asked = 0;
    const broken: Http = {
      ...http,
      get: () => {
        asked += 1;
        const chunks = [content.subarray(0, 1_000), content.subarray(1_000, 2_000)];
        const body = Readable.from(chunks) as Dispatcher.ResponseData['body'];
        return Promise.resolve({ status: 200, headers: {}, body });
      },
    };
    await expect(fetchIt(wanted(), undefined, broken)).rejects.toThrow('ended after 2000');
    expect(asked).toBe(9);
  });

  it.each([
    ['weak ETag', 'W/"1"'],
    ['no ETag', undefined],
  ])('starts anew where nothing would tell another version: %s', async (_, etag) => {
    hub.faults.set(PATH, { kind: 'cut', after: 3_000_000, etag });
    await expect(fetchIt(wanted({ sha256: undefined }))).resolves.toMatchObject({ hash: sha256 });
    expect(starts()).toEqual([0, 0]);
  });

  it.each([{ kind: 'no-range' }, { kind: 'changed', etag: '"other"' }] as const)(
    'starts anew where the server sends it whole: $kind',
    async (fault) => {
      await breakOff();
      hub.faults.set(PATH, fault);
      await expect(fetchIt()).resolves.toEqual({ hash: sha256, bytes: content.length });
    },
  );

  it('keeps nothing of a file whose hash is wrong', async () => {
    hub.faults.set(PATH, { kind: 'damaged' });
    await expect(fetchIt()).rejects.toMatchObject({
      code: 'model_unavailable',
      message: expect.stringContaining('came damaged') as string,
    });
    expect(existsSync(join(folder, PATH)) || existsSync(join(folder, `${PATH}.part`))).toBe(false);
  });

  it('checks small files by the hash of their git blob', async () => {
    const url = new URL(`${hub.url}/a/b/resolve/main/${SMALL}`);
    const blobSha1 = createHash('sha1').update('blob 2\0{}').digest('hex');
    const small = { url, path: SMALL, bytes: 2, sha256: undefined };
    await expect(fetchIt(wanted({ ...small, blobSha1 }))).resolves.toMatchObject({ bytes: 2 });
    await rm(join(folder, SMALL));
    hub.faults.set(SMALL, { kind: 'damaged' });
    await expect(fetchIt(wanted({ ...small, blobSha1 }))).rejects.toThrow('came damaged');
  });

  it('does not take more than was promised', async () => {
    await expect(fetchIt(wanted({ bytes: 1_000 }))).rejects.toThrow('more of model.safetensors');
  });

  it('does not fetch a file that is there', async () => {
    await fetchIt();
    const { length } = hub.asked;
    await expect(fetchIt()).resolves.toEqual({ hash: sha256, bytes: content.length });
    expect(hub.asked).toHaveLength(length);
  });

  it('passes a refusal on', async () => {
    const url = new URL(`${hub.url}/a/b/resolve/main/none.gguf`);
    await expect(fetchIt(wanted({ url }))).rejects.toThrow('HTTP 404');
  });
});
