import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A model repository. Files whose names say that they are large are kept as the hub keeps them: LFS, on another host. */
export interface Repository {
  readonly files: Readonly<Record<string, string | Buffer>>;
  readonly card?: Readonly<Record<string, unknown>>;
  /** Only for those who accepted its terms: all who send the token. */
  readonly gated?: boolean;
}

/** What goes wrong with a file's bytes. `cut`, `hold` and `busy` happen once. */
export type Fault =
  /** The connection breaks after so many bytes. Where an ETag is named, also as undefined, it is sent then. */
  | { readonly kind: 'cut'; readonly after: number; readonly etag?: string | undefined }
  /** Nothing comes any more after so many bytes. */
  | { readonly kind: 'hold'; readonly after: number }
  /** HTTP 503. */
  | { readonly kind: 'busy' }
  /** The last byte is another. */
  | { readonly kind: 'damaged' }
  /** Always the whole file. */
  | { readonly kind: 'no-range' }
  /** It became another file since the first part was sent. */
  | { readonly kind: 'changed'; readonly etag: string };

export interface HubOptions {
  readonly repositories: Readonly<Record<string, Repository>>;
  /** A bearer token that opens gated repositories. */
  readonly token?: string;
  /** Files on a page of a tree. */
  readonly pageSize?: number;
}

export interface Asked {
  readonly host: 'hub' | 'cdn';
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

export interface HubServer {
  readonly url: string;
  /** Each request, in order. */
  readonly asked: Asked[];
  /** By a file's path. */
  readonly faults: Map<string, Fault>;
  /** Resolves when the file's bytes are held. */
  held(path: string): Promise<void>;
  commitOf(repository: string): string;
  close(): Promise<void>;
}

const LARGE = /\.(safetensors|gguf)$|^tokenizer\.json$/;

/** A server with the hub's API and layout, and a second one in the place of its CDN. */
export async function startHub({
  repositories,
  token,
  pageSize = 1_000,
}: HubOptions): Promise<HubServer> {
  const asked: Asked[] = [];
  const faults = new Map<string, Fault>();
  const held = new Map<string, PromiseWithResolvers<void>>();
  const heldAt = (path: string) => {
    const known = held.get(path) ?? Promise.withResolvers<void>();
    held.set(path, known);
    return known;
  };

  const cdn = await listen((request, response) => {
    const url = new URL(request.url ?? '/', 'http://cdn');
    const [repository = '', path = ''] = url.searchParams.getAll('file');
    asked.push({ host: 'cdn', path, headers: request.headers });
    sendFile(request, response, path, bytesOf(repositories[repository], path), {
      fault: faults.get(path),
      spent: () => faults.delete(path),
      held: () => heldAt(path).resolve(),
    });
  });

  const hub = await listen((request, response) => {
    const url = new URL(request.url ?? '/', 'http://hub');
    asked.push({ host: 'hub', path: url.pathname, headers: request.headers });
    const parts = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
    const isApi = parts[0] === 'api';
    const [organisation, name, what, revision = '', ...rest] = isApi ? parts.slice(2) : parts;
    const id = `${organisation}/${name}`;
    const repository = repositories[id];
    // The hub does not tell strangers which private repositories there are.
    if (repository === undefined)
      return refuse(response, 401, 'RepoNotFound', 'Repository not found');
    if (repository.gated && request.headers.authorization !== `Bearer ${token}`) {
      return refuse(response, 401, 'GatedRepo', `Access to model ${id} is restricted`);
    }
    const commit = commitOf(id);
    if (!['main', 'v1', commit].includes(revision)) {
      return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    }
    if (isApi && what === 'revision') {
      const { card, gated = false } = repository;
      return sendJson(response, { id, sha: commit, gated, ...(card && { cardData: card }) });
    }
    if (isApi && what === 'tree') {
      const files = Object.keys(repository.files).map((path) => treeItem(repository, path));
      const from = Number(url.searchParams.get('cursor') ?? 0);
      if (from + pageSize < files.length) {
        url.searchParams.set('cursor', String(from + pageSize));
        const next = `http://${request.headers.host}${url.pathname}${url.search}`;
        response.setHeader('link', `<${next}>; rel="next"`);
      }
      return sendJson(response, files.slice(from, from + pageSize));
    }
    const path = rest.join('/');
    if (what !== 'resolve' || !(path in repository.files)) {
      return refuse(response, 404, 'EntryNotFound', 'Entry not found');
    }
    const bytes = bytesOf(repository, path);
    if (!LARGE.test(path)) {
      return sendFile(request, response, path, bytes, { fault: faults.get(path) });
    }
    const query = new URLSearchParams([
      ['file', id],
      ['file', path],
    ]);
    response.writeHead(302, {
      location: `${addressOf(cdn)}/blob?${query.toString()}`,
      'x-repo-commit': commit,
      'x-linked-etag': `"${sha256(bytes)}"`,
      'x-linked-size': String(bytes.length),
    });
    response.end();
  });

  return {
    url: addressOf(hub),
    asked,
    faults,
    held: (path) => heldAt(path).promise,
    commitOf,
    async close() {
      await Promise.all([hub, cdn].map(stop));
    },
  };
}

/** A commit that depends on the name alone. */
function commitOf(repository: string): string {
  return createHash('sha1').update(repository).digest('hex');
}

function bytesOf(repository: Repository | undefined, path: string): Buffer {
  return Buffer.from(repository?.files[path] ?? '');
}

function treeItem(repository: Repository, path: string): Record<string, unknown> {
  const bytes = bytesOf(repository, path);
  const blob = (content: Buffer) =>
    createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
  const item = { type: 'file', path, size: bytes.length };
  if (!LARGE.test(path)) return { ...item, oid: blob(bytes) };
  const oid = sha256(bytes);
  const pointer = Buffer.from(`oid sha256:${oid}`);
  const lfs = { oid, size: bytes.length, pointerSize: pointer.length };
  return { ...item, oid: blob(pointer), lfs };
}

interface Sending {
  readonly fault: Fault | undefined;
  readonly spent?: () => void;
  readonly held?: () => void;
}

function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  whole: Buffer,
  { fault, spent = () => undefined, held = () => undefined }: Sending,
): void {
  if (fault?.kind === 'busy') {
    spent();
    response.writeHead(503).end();
    return;
  }
  const bytes = Buffer.from(whole);
  if (fault?.kind === 'damaged')
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  const etag = fault !== undefined && 'etag' in fault ? fault.etag : `"${sha256(whole)}"`;
  const { range, 'if-range': ifRange } = request.headers;
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
  const isPart =
    first !== undefined &&
    fault?.kind !== 'no-range' &&
    (ifRange === undefined || ifRange === etag);
  const start = isPart ? Number(first) : 0;
  const end = isPart && last ? Number(last) + 1 : bytes.length;
  if (start >= bytes.length && start > 0) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  response.writeHead(isPart ? 206 : 200, {
    ...(etag !== undefined && { etag }),
    'content-length': end - start,
    ...(isPart && { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }),
  });
  const part = bytes.subarray(start, end);
  if (fault?.kind !== 'cut' && fault?.kind !== 'hold') {
    response.end(part);
    return;
  }
  spent();
  response.write(part.subarray(0, fault.after), () => {
    if (fault.kind === 'cut') response.socket?.destroy();
    else held();
  });
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'x-error-code': code, 'x-error-message': message });
  response.end(JSON.stringify({ error: message }));
}

function listen(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  return new Promise<Server>((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
