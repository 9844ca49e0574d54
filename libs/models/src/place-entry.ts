import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { invalidRequest } from '#libs/contracts';
import { type Entry, EntryName, type EntryRecord, type Source, writeEntry } from './entry.js';
import type { Adapters } from './read-adapters.js';
import type { CardChoices } from './read-card.js';
import type { Store } from './store.js';
import { writeTritonEntry } from './triton-entry.js';

/** What the files of an entry that is to be say; their paths may lead into its folder. */
export type Draft = Pick<EntryRecord, 'card' | 'format' | 'weights' | 'licence' | 'files'>;

export interface PlaceOptions {
  readonly store: Store;
  readonly name: string;
  readonly source: Source;
  readonly choices: CardChoices;
  readonly adapters: Adapters;
  /** Whether the weights come into the entry's folder. */
  readonly holdsWeights: boolean;
  /** Hashes of files that will come into `files`, by path: of an earlier try those with the same hash are kept. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Told that another process works on an entry of that name. */
  readonly onWait: (owner: string) => void;
}

const UNFINISHED_FILE = 'unfinished.json';

/**
 * Puts an entry together in a folder of its own, which becomes the entry when it is whole. What an earlier try left there
 * of the same content is there still. Who comes second waits, and finds the entry.
 *
 * @param fill fetches what the folder lacks; its signal is also aborted when the folder is another's
 * @throws HammerlineError `invalid_request` where the name is taken by something else
 */
export async function placeEntry(
  options: PlaceOptions,
  fill: (folder: string, signal: AbortSignal) => Promise<Draft>,
): Promise<{ entry: Entry; isNew: boolean }> {
  const { store, source, adapters } = options;
  const name = checkedName(options.name);
  const folder = store.unfinishedPath(name);
  return store.locked(name, options, async (signal) => {
    if (existsSync(store.path(name))) {
      const entry = await store.read(name);
      requireSame(entry, options);
      return { entry, isNew: false };
    }
    await prepare(folder, options);
    const draft = await fill(folder, signal);
    const { adapter, loras, loraRanks } = adapters;
    const applied = { loras, ...(adapter !== undefined && { adapter }) };
    const weights = inside(folder, draft.weights);
    const files = draft.files.map((file) => ({ ...file, path: inside(folder, file.path) }));
    await writeEntry(folder, {
      version: 1,
      ...draft,
      weights,
      ...applied,
      files: [...files, ...adapters.files],
      source,
      created: new Date().toISOString(),
    });
    const final = store.path(name);
    await writeTritonEntry(join(folder, 'triton'), {
      ...draft,
      weights: resolve(final, weights),
      ...applied,
      weightsBytes: bytesOfWeights(draft),
      loraRanks,
    });
    signal.throwIfAborted();
    await rm(join(folder, UNFINISHED_FILE));
    await rename(folder, final);
    return { entry: await store.read(name), isNew: true };
  });
}

function checkedName(name: string): string {
  const read = EntryName.safeParse(name);
  if (read.success) return read.data;
  throw invalidRequest({
    pointer: '--name',
    detail: `${JSON.stringify(name)} cannot name a model: ${read.error.issues[0]?.message}`,
    mend: 'give another with --name',
  });
}

/** Leaves of an earlier try all, where it had the same source, else the files whose content is still wanted. */
async function prepare(folder: string, { source, hashes }: PlaceOptions): Promise<void> {
  const file = join(folder, UNFINISHED_FILE);
  const now = JSON.stringify({ source: identityOf(source), hashes });
  await rm(join(folder, 'triton'), { recursive: true, force: true });
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text === now) return;
  const before = readHashes(text);
  const same = Object.keys(hashes).filter((path) => hashes[path] === before[path]);
  const kept = new Set(same.flatMap((path) => [path, `${path}.part`, `${path}.part.etag`]));
  const files = join(folder, 'files');
  await mkdir(files, { recursive: true });
  const found = await readdir(files, { recursive: true, withFileTypes: true });
  for (const item of found) {
    const path = join(item.parentPath, item.name);
    if (!item.isDirectory() && !kept.has(relative(files, path))) await rm(path);
  }
  await writeFile(file, now);
}

/** None where it was broken off while it was written. */
function readHashes(text: string): PlaceOptions['hashes'] {
  try {
    return (JSON.parse(text) as Pick<PlaceOptions, 'hashes'>).hashes;
  } catch {
    return {};
  }
}

/** Under what name a commit was asked for does not matter. */
function identityOf(source: Source): string {
  return JSON.stringify(source, (key, value: unknown) => (key === 'revision' ? undefined : value));
}

function requireSame(entry: Entry, options: PlaceOptions): void {
  const { name, source, choices, adapters, holdsWeights } = options;
  const { card, loras } = entry;
  const isSameSource = identityOf(entry.source) === identityOf(source);
  const isSameCard = Object.entries(choices).every(
    ([key, value]) =>
      value === undefined ||
      JSON.stringify(value) === JSON.stringify(card[key as keyof CardChoices]),
  );
  const hasAdapters =
    (adapters.adapter === undefined || adapters.adapter === entry.adapter) &&
    Object.entries(adapters.loras).every(([lora, path]) => loras[lora] === path);
  const isHeld = !relative(entry.folder, entry.weights).startsWith('..');
  if (isSameSource && isSameCard && hasAdapters && (isHeld || !holdsWeights)) return;
  throw invalidRequest({
    pointer: name,
    detail: `there is a model of that name already, ${isSameSource ? 'with other settings' : 'of another source'}`,
    mend: `remove it first (\`hammerline models remove ${name}\`), or give this one another with --name`,
  });
}

/** Relative to the folder for what is in it. */
function inside(folder: string, path: string): string {
  const within = relative(folder, path);
  return within.startsWith('..') ? path : within;
}

function bytesOfWeights({ files }: Draft): number {
  const weights = files.filter(({ path }) => /\.(safetensors|gguf)$/.test(path));
  return weights.reduce((sum, { bytes }) => sum + bytes, 0);
}
