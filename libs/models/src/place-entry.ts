import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { invalidRequest } from '#libs/contracts';
import { type Entry, EntryName, type EntryRecord, type Source, writeEntry } from './entry.js';
import { withLock } from './lock.js';
import type { CardChoices } from './read-card.js';
import type { Store } from './store.js';
import { writeTritonEntry } from './triton-entry.js';

/** An entry that is to be, and what only its Triton entry must know. */
export interface Draft {
  readonly record: Omit<EntryRecord, 'version' | 'created' | 'source'>;
  readonly loraRanks: readonly number[];
}

export interface PlaceOptions {
  readonly store: Store;
  readonly name: string;
  readonly source: Source;
  /** For the check that an entry that is there already is the one that is wanted. */
  readonly choices: CardChoices;
  readonly signal: AbortSignal;
  /** Told that another process works on an entry of that name. */
  readonly onWait: (owner: string) => void;
}

const SOURCE_FILE = 'source.json';

/**
 * Puts an entry together in a folder of its own, which becomes the entry when it is whole. What an earlier try of the
 * same source left there is there still. Who comes second waits, and finds the entry.
 *
 * @param fill fetches what the folder lacks; paths in its draft may lead into the folder
 * @throws HammerlineError `invalid_request` where the name is taken by something else
 */
export async function placeEntry(
  options: PlaceOptions,
  fill: (folder: string) => Promise<Draft>,
): Promise<{ entry: Entry; isNew: boolean }> {
  const { store, source, signal, onWait } = options;
  const name = checkedName(options.name);
  const folder = store.unfinishedPath(name);
  return withLock(`${folder}.lock`, { signal, onWait }, async () => {
    if (store.has(name)) {
      const entry = await store.read(name);
      requireSame(entry, options);
      return { entry, isNew: false };
    }
    await prepare(folder, source);
    const { record, loraRanks } = await fill(folder);
    const final = store.path(name);
    const files = record.files.map((file) => ({ ...file, path: inside(folder, file.path) }));
    const weights = inside(folder, record.weights);
    await writeEntry(folder, {
      version: 1,
      ...record,
      weights,
      files,
      source,
      created: new Date().toISOString(),
    });
    await writeTritonEntry(join(folder, 'triton'), {
      ...record,
      weights: resolve(final, weights),
      weightsBytes: bytesOfWeights(record),
      loraRanks,
    });
    signal.throwIfAborted();
    await rm(join(folder, SOURCE_FILE));
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

async function prepare(folder: string, source: Source): Promise<void> {
  const file = join(folder, SOURCE_FILE);
  const identity = identityOf(source);
  const earlier = await readFile(file, 'utf8').catch(() => undefined);
  if (earlier === identity) return;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(file, identity);
}

/** Under what name a commit was asked for does not matter. */
function identityOf(source: Source): string {
  return JSON.stringify(source, (key, value: unknown) => (key === 'revision' ? undefined : value));
}

function requireSame(entry: Entry, { name, source, choices }: PlaceOptions): void {
  const { card } = entry;
  const isSameSource = identityOf(entry.source) === identityOf(source);
  const isSameCard = Object.entries(choices).every(
    ([key, value]) =>
      value === undefined ||
      JSON.stringify(value) === JSON.stringify(card[key as keyof CardChoices]),
  );
  if (isSameSource && isSameCard) return;
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

function bytesOfWeights({ files }: Draft['record']): number {
  const weights = files.filter(({ path }) => /\.(safetensors|gguf)$/.test(path));
  return weights.reduce((sum, { bytes }) => sum + bytes, 0);
}
