import { HammerlineError } from '#libs/contracts';
import { decodePart, requireSafePath } from './safe-path.js';

/** What `pull` was asked for. */
export type Reference =
  | {
      readonly kind: 'hub';
      /** Such as `MadeAgents/Hammer2.1-1.5b`. */
      readonly repository: string;
      readonly revision: string;
      /** A GGUF file's path, or the tag of a quantisation such as `Q4_K_M`. */
      readonly file: string | undefined;
    }
  | { readonly kind: 'url'; readonly url: URL };

/** The hub that ids belong to; `HF_ENDPOINT` names a mirror of it. */
export const PUBLIC_HUB = 'https://huggingface.co';

const ID = /^(?<repository>[\w][\w.-]*\/[\w][\w.-]*)(?:@(?<revision>[^:@\s]+))?(?::(?<file>\S+))?$/;
const NAMES = /^[\w][\w.-]*$/;

/**
 * Reads `ORG/NAME`, `ORG/NAME@REVISION`, `ORG/NAME:FILE.gguf`, `ORG/NAME:Q4_K_M`, or a URL: of a repository's page, of a
 * file's page there, or of any one file.
 *
 * @param endpoint the hub; pages of the public one are taken from there too
 * @throws HammerlineError `invalid_request` that shows what is read
 */
export function parseReference(text: string, endpoint: string): Reference {
  if (/^https?:\/\//i.test(text)) return parseUrl(text, endpoint);
  const { repository, revision = 'main', file } = ID.exec(text)?.groups ?? {};
  if (repository === undefined || repository.includes('..')) {
    throw wrong(text, 'give ORG/NAME, ORG/NAME@REVISION, ORG/NAME:FILE.gguf or a URL');
  }
  return hubReference(repository, revision, file);
}

function parseUrl(text: string, endpoint: string): Reference {
  if (!URL.canParse(text)) throw wrong(text, 'it is no valid URL');
  const url = new URL(text);
  const hub = [endpoint, PUBLIC_HUB].find((base) => isBelow(url, new URL(base)));
  if (hub === undefined) return { kind: 'url', url };
  const below = url.pathname.slice(new URL(hub).pathname.replace(/\/$/, '').length);
  const parts = below.split('/').filter(Boolean).map(decodePart);
  const [organisation = '', name = '', page, revision = 'main', ...path] = parts;
  if (!NAMES.test(organisation) || !NAMES.test(name) || name.includes('..')) {
    throw wrong(text, 'give the page of a model: .../ORG/NAME');
  }
  if (page !== undefined && !['tree', 'blob', 'resolve'].includes(page)) {
    throw wrong(text, 'give the page of a model, or of one of its files');
  }
  const file = path.length === 0 || page === 'tree' ? undefined : path.join('/');
  return hubReference(`${organisation}/${name}`, revision, file);
}

function hubReference(repository: string, revision: string, file: string | undefined): Reference {
  if (file !== undefined) requireSafePath(file, 'the file that was asked for');
  return { kind: 'hub', repository, revision, file };
}

function isBelow(url: URL, base: URL): boolean {
  return url.origin === base.origin && url.pathname.startsWith(base.pathname.replace(/\/?$/, '/'));
}

function wrong(text: string, mend: string): HammerlineError {
  return new HammerlineError('invalid_request', `${text} names no model: ${mend}`);
}
