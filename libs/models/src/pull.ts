import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { download, type Wanted } from './download.js';
import type { Entry } from './entry.js';
import { requireSpace } from './free-space.js';
import type { Http } from './http.js';
import { placeEntry } from './place-entry.js';
import type { PullPlan } from './plan-pull.js';
import { type AdapterChoices, readAdapters } from './read-adapters.js';
import { type CardChoices, readCard } from './read-card.js';
import { readGgufTraits, readSafetensorsTraits } from './read-traits.js';
import type { Store } from './store.js';

export interface PullOptions {
  readonly store: Store;
  readonly http: Http;
  /** The entry's name; default: the plan's. */
  readonly name?: string | undefined;
  readonly choices: CardChoices;
  readonly adapters: AdapterChoices;
  readonly signal: AbortSignal;
  /** Told of bytes that are on the disk; negative where they were given up. */
  readonly onBytes: (bytes: number) => void;
  readonly onWait: (owner: string) => void;
}

const AT_ONCE = 4;
/** Says what safetensors were trained for. */
const CONFIG = 'config.json';

/**
 * Fetches a model into the store. When it is broken off, what came stays, and the same pull goes on from there.
 *
 * The licence must have been accepted where it has to be (`requireAccepted`); that is recorded.
 *
 * @throws HammerlineError that names the mend, or an AbortError or the signal's reason when it is aborted
 */
export async function pull(
  plan: PullPlan,
  options: PullOptions,
): Promise<{ entry: Entry; isNew: boolean }> {
  const { store, choices, signal, onWait, name = plan.name } = options;
  const { format, licence, model, source } = plan;
  const adapters = await readAdapters(format, options.adapters);
  const hashes = Object.fromEntries(
    plan.files.flatMap(({ path, sha256, blobSha1 }) => {
      const hash = sha256 ?? blobSha1;
      return hash === undefined ? [] : [[path, hash]];
    }),
  );
  const place = { store, name, source, choices, adapters, holdsWeights: true, hashes, signal };
  return placeEntry({ ...place, onWait }, async (folder, untilLost) => {
    const target = join(folder, 'files');
    const readCardOf = async (weights: string) => {
      if (format === 'safetensors') {
        const traits = await readSafetensorsTraits(target);
        return readCard({ name: model, aliases: [model, name], format, ...traits }, choices);
      }
      const { name: ownName, ...traits } = await readGgufTraits(weights);
      return readCard({ name: model, aliases: [model, ownName, name], format, ...traits }, choices);
    };
    await requireSpace(folder, plan.bytes - (await bytesThere(plan.files, target)));
    const going = { ...options, signal: untilLost };
    const weights = format === 'gguf' ? join(target, plan.files[0]?.path ?? '') : target;
    const config = plan.files.find(({ path }) => path === CONFIG);
    if (config !== undefined) {
      // What it cannot be set to is better known before the weights are fetched.
      await downloadAll({ ...plan, files: [config] }, target, {
        ...going,
        onBytes: () => undefined,
      });
      await readCardOf(weights);
    }
    const came = await downloadAll(plan, target, going);
    return {
      card: await readCardOf(weights),
      format,
      weights,
      licence: {
        id: licence.id,
        link: licence.link,
        accepted: licence.mustAccept ? new Date().toISOString() : null,
      },
      files: plan.files.map(({ path, bytes }, at) => ({
        path: join(target, path),
        bytes,
        sha256: came[at] ?? '',
      })),
    };
  });
}

/** A few at once; when one fails the others are stopped. Returns their SHA-256. */
async function downloadAll(
  { files, refusal }: Pick<PullPlan, 'files' | 'refusal'>,
  target: string,
  { http, signal, onBytes }: Pick<PullOptions, 'http' | 'signal' | 'onBytes'>,
): Promise<string[]> {
  const failed = new AbortController();
  const options = { http, refusal, onBytes, signal: AbortSignal.any([signal, failed.signal]) };
  const hashes: string[] = [];
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < files.length; at = next++) {
      const file = files[at];
      if (file !== undefined) hashes[at] = await download(file, join(target, file.path), options);
    }
  };
  const workers = Array.from({ length: AT_ONCE }, worker);
  try {
    await Promise.all(workers);
    return hashes;
  } catch (error) {
    failed.abort();
    await Promise.allSettled(workers);
    signal.throwIfAborted();
    throw error;
  }
}

async function bytesThere(files: readonly Wanted[], target: string): Promise<number> {
  const paths = files.flatMap(({ path }) => [join(target, path), join(target, `${path}.part`)]);
  const sizes = paths.map((path) =>
    stat(path).then(
      ({ size }) => size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
