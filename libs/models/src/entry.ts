import { readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { HammerlineError } from '#libs/contracts';
import { z } from 'zod';
import { ModelCard } from './model-card.js';

/** What an entry's name may be: it is a folder's name, and an argument on the command line. */
export const EntryName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/, 'up to 96 letters, digits, dots, dashes, underscores')
  .refine((name) => name !== 'default', '"default" stands for the model in the box');

const Source = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('hub'),
    /** Such as `MadeAgents/Hammer2.1-1.5b`. */
    repository: z.string(),
    /** As it was asked for: a branch, a tag or a commit. */
    revision: z.string(),
    /** What that was then. */
    commit: z.string(),
    /** The GGUF file that was taken; absent: the repository's safetensors. */
    file: z.string().optional(),
  }),
  z.strictObject({ kind: z.literal('url'), url: z.string() }),
  z.strictObject({ kind: z.literal('path'), path: z.string() }),
]);
export type Source = z.infer<typeof Source>;

const EntryLicence = z.strictObject({
  /** As the hub names it, such as `cc-by-nc-4.0`; null: nobody says. */
  id: z.string().nullable(),
  link: z.string().nullable(),
  /** When it was accepted by `--accept-licence`; null where it asks for nothing or nobody was asked. */
  accepted: z.iso.datetime().nullable(),
});

const EntryFile = z.strictObject({
  /** Relative to the entry's folder, or absolute where the file was left in its place. */
  path: z.string(),
  bytes: z.number().int().min(0),
  /** Absent for a file that was left in its place. */
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
});
export type EntryFile = z.infer<typeof EntryFile>;

/** `entry.json`: what is known of a model in the store. docs/models.md describes it. */
export const EntryRecord = z.strictObject({
  version: z.literal(1),
  card: ModelCard,
  format: z.enum(['gguf', 'safetensors']),
  /** The GGUF file, or the folder of the safetensors; relative to the entry's folder, or absolute. */
  weights: z.string().min(1),
  /** A GGUF adapter that is always applied, likewise. */
  adapter: z.string().optional(),
  /** Adapters that a request may name (`MODEL_LORA`): GGUF files, or folders beside safetensors. */
  loras: z.record(z.string(), z.string()).default({}),
  source: Source,
  licence: EntryLicence,
  files: z.array(EntryFile).min(1),
  created: z.iso.datetime(),
});
export type EntryRecord = z.infer<typeof EntryRecord>;

/** A model in the store, with absolute paths. */
export interface Entry extends EntryRecord {
  readonly name: string;
  readonly folder: string;
  /** The Triton model repository that holds this model alone, as `hammer`. */
  readonly tritonRepository: string;
}

const ENTRY_FILE = 'entry.json';

/**
 * Reads an entry from its folder.
 *
 * @throws HammerlineError `model_unavailable` that says what is wrong and how to mend it: no entry, a damaged one, or one
 * of whose files is gone or has another size than recorded
 */
export async function readEntry(folder: string): Promise<Entry> {
  const record = parseRecord(folder, await readRecord(folder));
  for (const { path, bytes } of record.files) {
    const file = resolve(folder, path);
    const size = await stat(file).then(
      (found) => found.size,
      (cause: unknown) => {
        throw unusable(folder, `its file ${file} cannot be read`, cause);
      },
    );
    if (size !== bytes) {
      throw unusable(folder, `its file ${file} has ${size} bytes instead of ${bytes}`);
    }
  }
  return {
    ...record,
    name: basename(resolve(folder)),
    folder: resolve(folder),
    weights: resolve(folder, record.weights),
    ...(record.adapter !== undefined && { adapter: resolve(folder, record.adapter) }),
    loras: Object.fromEntries(
      Object.entries(record.loras).map(([name, path]) => [name, resolve(folder, path)]),
    ),
    tritonRepository: join(resolve(folder), 'triton'),
  };
}

/** Writes an entry's `entry.json`. */
export async function writeEntry(folder: string, record: EntryRecord): Promise<void> {
  await writeFile(join(folder, ENTRY_FILE), `${JSON.stringify(record, null, 2)}\n`);
}

async function readRecord(folder: string): Promise<string> {
  try {
    return await readFile(join(folder, ENTRY_FILE), 'utf8');
  } catch (cause) {
    throw new HammerlineError(
      'model_unavailable',
      `there is no model in ${folder}, as it has no ${ENTRY_FILE}: \`hammerline models list\` shows what there is, and ` +
        '`hammerline models remove` clears what is damaged',
      { retryable: false, cause },
    );
  }
}

function parseRecord(folder: string, text: string): EntryRecord {
  try {
    return EntryRecord.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw unusable(folder, `${ENTRY_FILE} is damaged (${reason.replaceAll(/\s+/g, ' ')})`, cause);
  }
}

function unusable(folder: string, fault: string, cause?: unknown): HammerlineError {
  const name = basename(resolve(folder));
  return new HammerlineError(
    'model_unavailable',
    `the model ${name} cannot be used: ${fault}; \`hammerline models remove ${name}\`, then pull or add it again`,
    { retryable: false, cause },
  );
}
