import { text as readText } from 'node:stream/consumers';
import { basename } from 'node:path';
import { flavourOf } from '#libs/hammer';
import { HammerlineError, invalidRequest } from '#libs/contracts';
import {
  chooseGguf,
  chooseSafetensors,
  formatOf,
  readWeightsIndex,
  WEIGHTS_INDEX,
} from './choose-files.js';
import type { Wanted } from './download.js';
import type { Source } from './entry.js';
import { type Answer, header, type Http, persist } from './http.js';
import type { Hub, HubFile, HubModel } from './hub.js';
import type { Reference } from './hub-reference.js';
import { type Licence, licenceOf } from './licence.js';
import { decodePart, requireSafePath } from './safe-path.js';

/** What a pull would fetch; nothing of the weights was fetched yet. */
export interface PullPlan {
  /** The entry's name, unless the user gives another. */
  readonly name: string;
  /** The model's own name, for its card. */
  readonly model: string;
  readonly format: 'gguf' | 'safetensors';
  readonly source: Source;
  readonly licence: Licence;
  readonly files: readonly Wanted[];
  readonly bytes: number;
  readonly refusal: (answer: Answer) => Promise<HammerlineError>;
}

const TRIES = 4;
const MOST_INDEX_BYTES = 32e6;

/**
 * Finds out what a reference leads to.
 *
 * @throws HammerlineError that names the mend: no such model, no files in it that a server takes, no access
 */
export async function planPull(
  reference: Reference,
  hub: Hub,
  http: Http,
  signal: AbortSignal,
): Promise<PullPlan> {
  if (reference.kind === 'url') return planUrl(reference.url, http, signal);
  const { repository, revision, file } = reference;
  const model = await hub.model(repository, revision, signal);
  const format = formatOf(model, file);
  const gguf = format === 'gguf' ? chooseGguf(model, file) : undefined;
  const chosen = gguf === undefined ? await safetensors(model, hub, http, signal) : [gguf];
  const last = repository.slice(repository.indexOf('/') + 1);
  const name = gguf === undefined ? last : nameOfFile(gguf.path);
  return {
    name,
    model: flavourOf(name) === undefined && flavourOf(last) !== undefined ? last : name,
    format,
    source: {
      kind: 'hub',
      repository,
      revision,
      commit: model.commit,
      ...(gguf !== undefined && { file: gguf.path }),
    },
    licence: licenceOf(
      [repository, ...(gguf === undefined ? [] : [gguf.path]), ...model.madeOf],
      model.licence,
    ),
    files: chosen.map((item) => wanted(item, model, hub)),
    bytes: chosen.reduce((sum, { bytes }) => sum + bytes, 0),
    refusal: (answer) => hub.refusal(repository, answer),
  };
}

function wanted({ path, bytes, sha256, blobSha1 }: HubFile, model: HubModel, hub: Hub): Wanted {
  const url = hub.fileUrl(model.repository, model.commit, path);
  return sha256 === undefined ? { url, path, bytes, blobSha1 } : { url, path, bytes, sha256 };
}

async function safetensors(
  model: HubModel,
  hub: Hub,
  http: Http,
  signal: AbortSignal,
): Promise<HubFile[]> {
  const { repository, commit, files } = model;
  const index = files.find(({ path }) => path === WEIGHTS_INDEX);
  if (index === undefined) return chooseSafetensors(model, undefined);
  if (index.bytes > MOST_INDEX_BYTES) {
    throw new HammerlineError('unavailable', `${repository}'s ${WEIGHTS_INDEX} is too large`);
  }
  const url = hub.fileUrl(repository, commit, WEIGHTS_INDEX);
  const text = await persist(TRIES, signal, async () => {
    const answer = await http.get(url, { signal });
    if (answer.status !== 200) throw await hub.refusal(repository, answer);
    return readText(answer.body);
  });
  return chooseSafetensors(model, readWeightsIndex(repository, text));
}

/** One plain file: a GGUF. Its size is asked for; of its content nobody says anything. */
async function planUrl(url: URL, http: Http, signal: AbortSignal): Promise<PullPlan> {
  const file = decodePart(basename(url.pathname));
  if (!/\.gguf$/i.test(file)) {
    throw invalidRequest({
      pointer: url.href,
      detail: 'a single file must be a GGUF',
      mend: 'for safetensors name the repository: ORG/NAME',
    });
  }
  requireSafePath(file, 'the URL');
  const bytes = await persist(TRIES, signal, () => sizeAt(url, http, signal));
  const name = nameOfFile(file);
  return {
    name,
    model: name,
    format: 'gguf',
    source: { kind: 'url', url: url.href },
    licence: licenceOf([decodePart(url.pathname)], { ids: [] }),
    files: [{ url, path: file, bytes }],
    bytes,
    refusal: (answer) => noFile(url, answer),
  };
}

/** Asks for one byte, as some servers answer no HEAD. */
async function sizeAt(url: URL, http: Http, signal: AbortSignal): Promise<number> {
  const answer = await http.get(url, { signal, headers: { range: 'bytes=0-0' } });
  if (answer.status !== 200 && answer.status !== 206) throw await noFile(url, answer);
  answer.body.destroy();
  const total = /\/(\d+)$/.exec(header(answer, 'content-range') ?? '')?.[1];
  const bytes = Number(total ?? (answer.status === 200 ? header(answer, 'content-length') : NaN));
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new HammerlineError(
    'unavailable',
    `${url.href} does not say how long it is, so nobody could tell when it is whole: fetch it by other means and \`add\` it`,
  );
}

async function noFile(url: URL, answer: Answer): Promise<HammerlineError> {
  answer.body.destroy();
  return new HammerlineError(
    answer.status === 404 ? 'not_found' : 'unavailable',
    `${url.href} answers ${answer.status}: check the address`,
  );
}

function nameOfFile(path: string): string {
  return basename(path).replace(/\.gguf$/i, '');
}
