import { existsSync, statSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { HammerlineError } from '#libs/contracts';
import { readEntry } from './entry.js';
import type { ModelCard } from './model-card.js';
import { readCard } from './read-card.js';
import { readGguf } from './read-gguf.js';
import { readGgufTraits } from './read-traits.js';

/** A model that a program on this machine can load by itself: GGUF files with absolute paths. */
export interface LocalModel {
  readonly card: ModelCard;
  readonly weights: string;
  /** A LoRA adapter that is always applied. */
  readonly adapter?: string;
  /** LoRA adapters by name. */
  readonly loras: Readonly<Record<string, string>>;
}

/**
 * The model at a path: an entry of the store, or a GGUF file, whose card is then read from its header and its name.
 *
 * @throws HammerlineError `model_unavailable`, with the mend, where there is none that can be loaded here
 */
export async function readModelEntry(path: string): Promise<LocalModel> {
  const at = resolve(path);
  if (!existsSync(at)) {
    throw unavailable(
      `there is no model at ${at}: name a GGUF file or a folder that \`hammerline models list\` shows, ` +
        'or leave MODEL out for the model in the box',
    );
  }
  if (!statSync(at).isDirectory()) {
    const { name: ownName, ...traits } = await readGgufTraits(at);
    const name = basename(at, extname(at));
    const card = readCard({ name, aliases: [name, ownName], format: 'gguf', ...traits });
    return { card, weights: at, loras: {} };
  }
  const { card, format, weights, adapter, loras, name } = await readEntry(at);
  if (format === 'safetensors') {
    throw unavailable(
      `${name} holds safetensors, which only a Triton server with vLLM loads: serve it with RUNTIME=triton ` +
        '(docs/gpu.md), or pull a GGUF file of the model',
    );
  }
  await readGguf(weights);
  if (adapter !== undefined) await readGguf(adapter);
  return { card, weights, ...(adapter !== undefined && { adapter }), loras };
}

function unavailable(message: string): HammerlineError {
  return new HammerlineError('model_unavailable', message, { retryable: false });
}
