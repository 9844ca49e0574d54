import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { HammerlineError, invalidRequest } from '#libs/contracts';
import type { EntryFile } from './entry.js';
import { readLoraRank, requireGgufAdapter } from './read-traits.js';

/** LoRA adapters as a user names them. */
export interface AdapterChoices {
  /** A GGUF adapter that is always applied. */
  readonly always?: string | undefined;
  /** Adapters that a request may name. */
  readonly named: Readonly<Record<string, string>>;
}

export interface Adapters {
  readonly adapter?: string;
  readonly loras: Record<string, string>;
  /** Ranks, of those beside safetensors. */
  readonly loraRanks: number[];
  readonly files: EntryFile[];
}

/**
 * Checks adapters and finds what a server must know of them. They stay where they are.
 *
 * @throws HammerlineError that names the adapter and the mend
 */
export async function readAdapters(
  format: 'gguf' | 'safetensors',
  { always, named }: AdapterChoices,
): Promise<Adapters> {
  if (format === 'safetensors' && always !== undefined) {
    throw invalidRequest({
      pointer: '--adapter',
      detail: `vLLM applies no adapter to every request: ${always} needs a name`,
      mend: `give --adapter NAME=${always}, and let MODEL_LORA name it to the workers`,
    });
  }
  const loras = Object.fromEntries(
    Object.entries(named).map(([name, path]) => [name, resolve(path)]),
  );
  const weightsOf = (path: string) =>
    format === 'gguf' ? path : join(path, 'adapter_model.safetensors');
  const paths = [...(always === undefined ? [] : [resolve(always)]), ...Object.values(loras)];
  const loraRanks: number[] = [];
  for (const path of paths) {
    if (format === 'gguf') await requireGgufAdapter(path);
    else loraRanks.push(await readLoraRank(path));
  }
  return {
    ...(always !== undefined && { adapter: resolve(always) }),
    loras,
    loraRanks,
    files: await Promise.all(paths.map((path) => leftInPlace(weightsOf(path)))),
  };
}

/** A file that the entry only names. */
export async function leftInPlace(path: string): Promise<EntryFile> {
  try {
    return { path, bytes: (await stat(path)).size };
  } catch (cause) {
    throw new HammerlineError('model_unavailable', `${path} is missing: restore it`, {
      retryable: false,
      cause,
    });
  }
}
