import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { HammerlineError } from '#libs/contracts';
import {
  chooseGguf,
  chooseSafetensors,
  formatOf,
  type Inventory,
  readWeightsIndex,
  WEIGHTS_INDEX,
} from './choose-files.js';
import type { Entry, EntryFile } from './entry.js';
import { requireSpace } from './free-space.js';
import { sha256OfFile } from './hash-file.js';
import { licenceOf } from './licence.js';
import { placeEntry } from './place-entry.js';
import { type AdapterChoices, leftInPlace, readAdapters } from './read-adapters.js';
import { type CardChoices, readCard } from './read-card.js';
import { readGgufTraits, readSafetensorsTraits } from './read-traits.js';
import type { Store } from './store.js';

export interface AddOptions {
  readonly store: Store;
  /** The entry's name, and the model's; default: that of the file or the folder. */
  readonly name?: string | undefined;
  /** Copies the files into the store, instead of naming them where they are. */
  readonly copy: boolean;
  readonly choices: CardChoices;
  readonly adapters: AdapterChoices;
  readonly signal: AbortSignal;
  readonly onWait: (owner: string) => void;
}

/**
 * Makes an entry of a GGUF file, or of a folder of safetensors. A licence that the files name is recorded; who has them
 * has accepted it already.
 *
 * @throws HammerlineError that names the mend
 */
export async function addModel(
  path: string,
  options: AddOptions,
): Promise<{ entry: Entry; isNew: boolean }> {
  const { store, copy, choices, signal, onWait } = options;
  const local = await readLocal(resolve(path));
  const { format, folder, files } = local;
  const adapters = await readAdapters(format, options.adapters);
  const weightsOf = (base: string) => (format === 'gguf' ? join(base, files[0] ?? '') : base);
  const gguf = format === 'gguf' ? await readGgufTraits(weightsOf(folder)) : undefined;
  const traits = gguf ?? (await readSafetensorsTraits(folder));
  const name = options.name ?? local.name;
  const aliases = [local.name, gguf?.name];
  const card = readCard({ ...traits, name, aliases, format }, choices);
  const names = [...aliases, name].flatMap((alias) => alias ?? []);
  const { id, link } = licenceOf(names, { ids: gguf?.licence === undefined ? [] : [gguf.licence] });
  const source = { kind: 'path' as const, path: resolve(path) };
  const place = { store, name, source, choices, adapters, holdsWeights: copy, hashes: {}, signal };
  return placeEntry({ ...place, onWait }, async (unfinished, untilLost) => {
    const target = join(unfinished, 'files');
    const kept = copy
      ? await copyAll(folder, files, target, untilLost)
      : await Promise.all(files.map((file) => leftInPlace(join(folder, file))));
    return {
      card,
      format,
      weights: weightsOf(copy ? target : folder),
      licence: { id, link, accepted: null },
      files: kept,
    };
  });
}

interface Local {
  readonly format: 'gguf' | 'safetensors';
  readonly name: string;
  readonly folder: string;
  /** Relative to the folder. */
  readonly files: readonly string[];
}

async function readLocal(path: string): Promise<Local> {
  const found = await stat(path).catch((cause: unknown) => {
    const mend = 'give a GGUF file or a folder of safetensors; `pull` takes models from the hub';
    throw new HammerlineError('invalid_request', `there is no ${path}: ${mend}`, { cause });
  });
  if (!found.isDirectory()) {
    const name = basename(path, extname(path));
    return { format: 'gguf', name, folder: dirname(path), files: [basename(path)] };
  }
  const inventory = await listFolder(path);
  const format = formatOf(inventory, undefined);
  if (format === 'gguf') {
    const { path: file } = chooseGguf(inventory, undefined);
    return { format, name: basename(file, '.gguf'), folder: path, files: [file] };
  }
  const hasIndex = inventory.files.some((file) => file.path === WEIGHTS_INDEX);
  const index = hasIndex ? await readFile(join(path, WEIGHTS_INDEX), 'utf8') : undefined;
  const shards = index === undefined ? undefined : readWeightsIndex(path, index);
  const files = chooseSafetensors(inventory, shards).map((file) => file.path);
  return { format, name: basename(path), folder: path, files };
}

async function listFolder(folder: string): Promise<Inventory> {
  const names = await readdir(folder);
  const found = await Promise.all(
    names.map(async (path) => ({ path, stats: await stat(join(folder, path)).catch(() => null) })),
  );
  const files = found.flatMap(({ path, stats }) =>
    stats?.isFile() ? [{ path, bytes: stats.size }] : [],
  );
  return { repository: folder, files };
}

async function copyAll(
  folder: string,
  files: readonly string[],
  target: string,
  signal: AbortSignal,
): Promise<EntryFile[]> {
  const sizes = await Promise.all(files.map((file) => stat(join(folder, file))));
  const bytes = sizes.reduce((sum, { size }) => sum + size, 0);
  await mkdir(target, { recursive: true });
  await requireSpace(target, bytes);
  const copied: EntryFile[] = [];
  for (const [at, file] of files.entries()) {
    signal.throwIfAborted();
    const path = join(target, file);
    // A disk that can share blocks between files takes no room for it.
    await copyFile(join(folder, file), path, constants.COPYFILE_FICLONE);
    copied.push({ path, bytes: sizes[at]?.size ?? 0, sha256: await sha256OfFile(path, signal) });
  }
  return copied;
}
