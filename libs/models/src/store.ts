import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { HammerlineError } from '#libs/contracts';
import { type Entry, EntryName, readEntry } from './entry.js';
import { type LockOptions, withLock } from './lock.js';

/** One line of a listing: an entry, or the folder of one that cannot be used. */
export type Listed = { name: string; entry: Entry } | { name: string; fault: string };

export interface RemoveOptions extends LockOptions {
  /** Also the used one: the model in the box is used then. */
  readonly force: boolean;
}

/** File that holds the used model's name; absent: the model in the box is used. */
const USED_FILE = 'default';
/** Pulls that go on or were broken off, by name. Entries cannot begin with a dot. */
const UNFINISHED = '.unfinished';

/** Where models are kept: `HAMMERLINE_MODELS`, else `models` in the cache folder, which is the launcher's. */
export function modelsFolder(env: NodeJS.ProcessEnv): string {
  if (env['HAMMERLINE_MODELS']) return resolve(env['HAMMERLINE_MODELS']);
  const cache =
    env['HAMMERLINE_CACHE'] ||
    join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'hammerline');
  return resolve(cache, 'models');
}

/** The store of models; its folder need not exist yet. */
export function openStore(folder: string): Store {
  return new Store(resolve(folder));
}

/** A folder with a folder for each model. An entry appears and vanishes at once, by a rename. */
export class Store {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Where an entry is put together before it appears. */
  unfinishedPath(name: string): string {
    return join(this.folder, UNFINISHED, name);
  }

  /** Does some work on an entry, or on an unfinished one, while nobody else does. */
  locked<T>(
    name: string,
    options: LockOptions,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return withLock(`${this.unfinishedPath(name)}.lock`, options, work);
  }

  async list(): Promise<Listed[]> {
    const names = (await foldersIn(this.folder)).filter(isName);
    return Promise.all(
      names.map(async (name) => {
        try {
          return { name, entry: await readEntry(this.path(name)) };
        } catch (error) {
          if (!(error instanceof HammerlineError)) throw error;
          return { name, fault: error.message };
        }
      }),
    );
  }

  /** Names of pulls that were begun and not ended. */
  async unfinished(): Promise<string[]> {
    return foldersIn(join(this.folder, UNFINISHED));
  }

  /** @throws HammerlineError `not_found` that names what there is, `model_unavailable` for a damaged entry */
  async read(name: string): Promise<Entry> {
    await this.#require(name);
    return readEntry(this.path(name));
  }

  /** The used model's name; undefined: the model in the box. */
  async usedName(): Promise<string | undefined> {
    try {
      const name = (await readFile(this.path(USED_FILE), 'utf8')).trim();
      return name === '' ? undefined : name;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** @throws HammerlineError `model_unavailable`, with the mend, where the used model is gone or damaged */
  async used(): Promise<Entry | undefined> {
    const name = await this.usedName();
    if (name === undefined) return undefined;
    if (this.#has(name)) return readEntry(this.path(name));
    throw new HammerlineError(
      'model_unavailable',
      `the used model ${name} is not in ${this.folder}: choose one with \`hammerline models use NAME\`, ` +
        'or go back to the model in the box with `hammerline models use default`',
      { retryable: false },
    );
  }

  /** Makes a model the used one; undefined: the model in the box. */
  async use(name: string | undefined): Promise<void> {
    if (name === undefined) {
      await rm(this.path(USED_FILE), { force: true });
      return;
    }
    await this.read(name);
    const next = this.path(`.${USED_FILE}-${randomUUID()}`);
    await writeFile(next, `${name}\n`);
    await rename(next, this.path(USED_FILE));
  }

  /**
   * Deletes an entry, and what an unfinished pull of that name left. Files that an entry only names stay where they are.
   *
   * @throws HammerlineError `not_found`, or `invalid_request` for the used model
   */
  async remove(name: string, { force, ...options }: RemoveOptions): Promise<void> {
    const isUnfinished = isName(name) && existsSync(this.unfinishedPath(name));
    if (!isUnfinished) await this.#require(name);
    await this.locked(name, options, () => this.#remove(name, force));
  }

  async #remove(name: string, force: boolean): Promise<void> {
    if ((await this.usedName()) === name) {
      if (!force) {
        throw new HammerlineError(
          'invalid_request',
          `${name} is the used model: choose another first (\`hammerline models use default\` is the one in the box), or give --force`,
        );
      }
      await this.use(undefined);
    }
    for (const path of [this.path(name), this.unfinishedPath(name)]) {
      if (existsSync(path)) await vanish(path, this.path(`.removed-${randomUUID()}`));
    }
  }

  /** Also a damaged entry, one without its entry.json: it must be possible to remove it. */
  #has(name: string): boolean {
    return isName(name) && existsSync(this.path(name));
  }

  async #require(name: string): Promise<void> {
    if (this.#has(name)) return;
    const names = await foldersIn(this.folder);
    const known = names.length === 0 ? 'it is empty' : `it has ${names.join(', ')}`;
    throw new HammerlineError(
      'not_found',
      `there is no model ${name} in ${this.folder} (${known}): \`hammerline models pull\` fetches one`,
    );
  }
}

function isName(name: string): boolean {
  return EntryName.safeParse(name).success;
}

/** Renamed first, so that nobody reads a half of it. */
async function vanish(path: string, aside: string): Promise<void> {
  await rename(path, aside);
  await rm(aside, { recursive: true, force: true });
}

async function foldersIn(folder: string): Promise<string[]> {
  try {
    const found = await readdir(folder, { withFileTypes: true });
    return found
      .filter((item) => item.isDirectory() && !item.name.startsWith('.'))
      .map(({ name }) => name)
      .toSorted();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
