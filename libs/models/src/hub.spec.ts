import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Http, openHttp } from './http.js';
import { openHub } from './hub.js';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const file = (path: string) => ({ type: 'file', path, size: 3, oid: 'a'.repeat(40) });

let server: Server | undefined;
let http: Http | undefined;
afterEach(async () => {
  await http?.close();
  server?.close();
});

interface Page {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

/** Looks `a/b` up at a hub that answers with these pages by path and query. */
async function lookUp(pages: Readonly<Record<string, Page>>) {
  const paths: string[] = [];
  server = createServer((request, response) => {
    paths.push(request.url ?? '');
    const { status = 200, headers, body } = pages[request.url ?? ''] ?? { status: 404 };
    response.writeHead(status, headers);
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hub/`;
  http = openHttp({ tokenOrigin: url });
  const found = openHub(url, http).model('a/b', 'refs/pr/1', new AbortController().signal);
  return { found, paths, url };
}

const INFO = '/hub/api/models/a/b/revision/refs%2Fpr%2F1';
const TREE = `/hub/api/models/a/b/tree/${COMMIT}?recursive=true`;

describe('model', () => {
  it('takes what the hub says, and nothing that steers a terminal', async () => {
    const cardData = {
      license: ['other', 'mit'],
      license_name: 'x\u001B[2J',
      license_link: 5,
      base_model: 'MadeAgents/Hammer2.1-1.5b',
    };
    const lfs = { oid: 'b'.repeat(64), size: 9, pointerSize: 3 };
    const { found } = await lookUp({
      [INFO]: { body: { sha: COMMIT, cardData } },
      [TREE]: {
        body: [
          { ...file('x.gguf'), lfs },
          { ...file('d'), type: 'directory' },
        ],
      },
    });
    await expect(found).resolves.toEqual({
      repository: 'a/b',
      commit: COMMIT,
      licence: { ids: ['x[2J', 'mit'], link: undefined },
      madeOf: ['MadeAgents/Hammer2.1-1.5b'],
      files: [{ path: 'x.gguf', bytes: 9, sha256: lfs.oid, blobSha1: 'a'.repeat(40) }],
    });
  });

  it('reads all pages of the list of files', async () => {
    const { found, paths } = await lookUp({
      [INFO]: { body: { sha: COMMIT } },
      [TREE]: { body: [file('a')], headers: { link: '</hub/next>; rel="next"' } },
      '/hub/next': { body: [file('b')], headers: { link: '</hub/first>; rel="first"' } },
    });
    expect((await found).files.map(({ path }) => path)).toEqual(['a', 'b']);
    expect(paths).toEqual([INFO, TREE, '/hub/next']);
  });

  it('waits for a hub that is busy', async () => {
    const headers = { 'retry-after': '0' };
    const { found } = await lookUp({ [INFO]: { status: 503, headers } });
    await expect(found).rejects.toThrow(/answered 503: check the network/);
  });

  it.each<[string, Record<string, Page>]>([
    ['no JSON', { [INFO]: { body: '<html>' } }],
    ['no commit', { [INFO]: { body: { sha: '../..' } } }],
    ['no list of files', { [INFO]: { body: { sha: COMMIT } }, [TREE]: { body: {} } }],
    [
      'a next page elsewhere',
      {
        [INFO]: { body: { sha: COMMIT } },
        [TREE]: { body: [], headers: { link: '<http://example.com/>; rel="next"' } },
      },
    ],
    [
      'pages without end',
      {
        [INFO]: { body: { sha: COMMIT } },
        [TREE]: { body: [], headers: { link: `<${TREE}>; rel="next"` } },
      },
    ],
  ])('refuses a hub that sends %s', async (_, pages) => {
    const { found } = await lookUp(pages);
    await expect(found).rejects.toThrow('does not answer as the hub does');
  });

  it.each<[Page, string, string]>([
    [{ status: 403, headers: { 'x-error-code': 'GatedRepo' } }, 'unauthorized', 'set HF_TOKEN'],
    [{ status: 404, headers: { 'x-error-code': 'RevisionNotFound' } }, 'not_found', 'revision'],
    [{ status: 401, headers: { 'x-error-code': 'RepoNotFound' } }, 'unauthorized', 'private'],
    [
      { status: 401, headers: { 'x-error-message': 'Invalid credentials' } },
      'unauthorized',
      'HF_TOKEN is wrong (Invalid',
    ],
    [{ status: 404 }, 'not_found', 'check the spelling'],
    [{ status: 403 }, 'unauthorized', 'may not be read'],
    [{ status: 418 }, 'unavailable', 'HTTP 418'],
  ])('says of %j what to do', async (page, code, said) => {
    const { found } = await lookUp({ [INFO]: page });
    await expect(found).rejects.toMatchObject({
      code,
      message: expect.stringContaining(said) as string,
    });
  });

  it('says where a file is, whatever its name', () => {
    const hub = openHub('https://hub.example.com', openHttp({ tokenOrigin: 'https://x' }));
    expect(hub.fileUrl('a/b', COMMIT, 'c d/e#f?.gguf').href).toBe(
      `https://hub.example.com/a/b/resolve/${COMMIT}/c%20d/e%23f%3F.gguf`,
    );
  });
});
