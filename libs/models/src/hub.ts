import { HammerlineError } from '#libs/contracts';
import { z } from 'zod';
import { type Answer, header, type Http, persist } from './http.js';
import type { Inventory } from './choose-files.js';
import type { LicenceWords } from './licence.js';
import { requireSafePath } from './safe-path.js';

/** One file of a repository on the hub. */
export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  /** Of large files (LFS); of small ones the hub knows the hash of their git blob. */
  readonly sha256: string | undefined;
  readonly blobSha1: string;
}

/** A repository at one commit. */
export interface HubModel extends Inventory<HubFile> {
  readonly commit: string;
  readonly licence: LicenceWords;
  /** The repositories of the models that it was made of, such as the one that was quantised. */
  readonly madeOf: readonly string[];
}

export interface Hub {
  /**
   * Looks a repository up.
   *
   * @throws HammerlineError that says what to do: `not_found`, `unauthorized` (gated or private), `unavailable`
   */
  model(repository: string, revision: string, signal: AbortSignal): Promise<HubModel>;
  /** Where a file's bytes are. */
  fileUrl(repository: string, commit: string, path: string): URL;
  /** The error for an answer that brings no file. */
  refusal(repository: string, answer: Answer): Promise<HammerlineError>;
}

/** What strangers write, without what could steer a terminal. */
const text = z
  .string()
  .transform((words) => words.replaceAll(/\p{C}/gu, '').slice(0, 300))
  .optional()
  .catch(undefined);

/** One, or a list of several. */
const texts = z.preprocess(
  (value) => (Array.isArray(value) ? value : [value]),
  z.array(text).transform((all) => all.flatMap((one) => one ?? [])),
);

const Info = z.object({
  sha: z.string().regex(/^[0-9a-f]{6,64}$/),
  cardData: z
    .object({
      license: texts,
      license_name: text,
      license_link: text,
      base_model: texts,
    })
    .nullish(),
});

const Tree = z.array(
  z.object({
    type: z.string(),
    path: z.string(),
    size: z.number().int().min(0).default(0),
    oid: z.string(),
    lfs: z
      .object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.number().int().min(0) })
      .nullish(),
  }),
);

const TRIES = 4;
const MOST_PAGES = 200;
const MOST_FILES = 100_000;

/** The hub's HTTP API. @param endpoint such as `https://hub.example.com`, also with a path */
export function openHub(endpoint: string, http: Http): Hub {
  const base = endpoint.replace(/\/+$/, '');
  const urlOf = (path: string) => new URL(`${base}${path}`);

  const askOnce = async (repository: string, url: URL, signal: AbortSignal) => {
    const answer = await http.get(url, { signal, headers: { accept: 'application/json' } });
    if (answer.status !== 200) throw await refusal(repository, answer);
    const body = await answer.body.json().catch((cause: unknown) => {
      signal.throwIfAborted();
      throw notAHub(url, cause);
    });
    return { body, link: header(answer, 'link') };
  };

  const ask = async <T>(repository: string, url: URL, shape: z.ZodType<T>, signal: AbortSignal) => {
    const { body, link } = await persist(TRIES, signal, () => askOnce(repository, url, signal));
    const read = shape.safeParse(body);
    if (!read.success) throw notAHub(url, read.error);
    return { value: read.data, next: nextPage(link, url) };
  };

  const refusal = async (repository: string, answer: Answer) => {
    const page = `${base}/${repository}`;
    const code = header(answer, 'x-error-code');
    const said = header(answer, 'x-error-message') ?? `HTTP ${answer.status}`;
    answer.body.destroy();
    if (code === 'GatedRepo') {
      return new HammerlineError(
        'unauthorized',
        `${repository} is gated: accept its terms on ${page} with your account, then set HF_TOKEN to a token of that account`,
      );
    }
    if (code === 'RevisionNotFound' || code === 'EntryNotFound') {
      const what = code === 'RevisionNotFound' ? 'such revision' : 'such file';
      return new HammerlineError(
        'not_found',
        `${repository} has no ${what} (${said}): see ${page}`,
      );
    }
    // A repository that is not there answers 401 to strangers, so that nobody learns which private ones there are.
    if (code === 'RepoNotFound' || answer.status === 404 || answer.status === 401) {
      return new HammerlineError(
        answer.status === 404 ? 'not_found' : 'unauthorized',
        `there is no ${repository} at ${base}, or it is private, or HF_TOKEN is wrong (${said}): ` +
          'check the spelling; a private one needs HF_TOKEN, a token that may read it',
      );
    }
    if (answer.status === 403) {
      const mend = `see ${page}; HF_TOKEN must be a token that may read it`;
      return new HammerlineError(
        'unauthorized',
        `${repository} may not be read (${said}): ${mend}`,
      );
    }
    return new HammerlineError('unavailable', `${base} does not give ${repository}: ${said}`);
  };

  return {
    refusal,
    async model(repository, revision, signal) {
      const info = urlOf(`/api/models/${repository}/revision/${encodeURIComponent(revision)}`);
      const { value } = await ask(repository, info, Info, signal);
      const files: HubFile[] = [];
      let page: URL | undefined = urlOf(
        `/api/models/${repository}/tree/${value.sha}?recursive=true`,
      );
      for (let pages = 0; page !== undefined; pages++) {
        if (pages >= MOST_PAGES || files.length > MOST_FILES) throw notAHub(page);
        const found: { value: z.infer<typeof Tree>; next: URL | undefined } = await ask(
          repository,
          page,
          Tree,
          signal,
        );
        for (const { type, path, size, oid, lfs } of found.value) {
          if (type !== 'file') continue;
          requireSafePath(path, `${repository}'s list of files`);
          files.push({ path, bytes: lfs?.size ?? size, sha256: lfs?.oid, blobSha1: oid });
        }
        page = found.next;
      }
      const { license = [], license_name, license_link, base_model = [] } = value.cardData ?? {};
      const ids = license.map((id) => (id === 'other' ? (license_name ?? id) : id));
      const licence = { ids, link: license_link };
      return { repository, commit: value.sha, licence, madeOf: base_model, files };
    },
    fileUrl(repository, commit, path) {
      const encoded = path.split('/').map(encodeURIComponent).join('/');
      return urlOf(`/${repository}/resolve/${commit}/${encoded}`);
    },
  };
}

/** The `next` of a Link header, if it leads on at the same host. */
function nextPage(link: string | undefined, from: URL): URL | undefined {
  const target = /<([^>]+)>\s*;[^,]*\brel="?next"?/.exec(link ?? '')?.[1];
  if (target === undefined) return undefined;
  const next = URL.canParse(target, from) ? new URL(target, from) : undefined;
  if (next?.origin !== from.origin) throw notAHub(from);
  return next;
}

function notAHub(url: URL, cause?: unknown): HammerlineError {
  return new HammerlineError(
    'unavailable',
    `${url.origin}${url.pathname} does not answer as the hub does: is HF_ENDPOINT right?`,
    { cause },
  );
}
