import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HammerlineError } from '#libs/contracts';
import { z } from 'zod';
import type { Traits } from './read-card.js';
import { type GgufHeader, readGguf } from './read-gguf.js';

const Config = z.object({
  architectures: z.array(z.string()).optional(),
  max_position_embeddings: z.number().int().positive().optional().catch(undefined),
});

const tokenId = z.number().int();
const Generation = z.object({
  eos_token_id: z.union([tokenId.transform((id) => [id]), z.array(tokenId)]).default([]),
});

const token = z.union([z.string(), z.object({ content: z.string() }).transform((t) => t.content)]);
const Tokenizer = z.object({
  eos_token: token.nullish().catch(undefined),
  added_tokens_decoder: z.record(z.string(), token).default({}).catch({}),
});

/**
 * Reads what a folder of safetensors says of itself: `config.json`, and where they are `generation_config.json` and
 * `tokenizer_config.json`.
 *
 * @throws HammerlineError `model_unavailable` for files that are missing or damaged
 */
export async function readSafetensorsTraits(folder: string): Promise<Traits> {
  const config = await readJson(join(folder, 'config.json'), Config);
  const tokenizer = await readOptional(join(folder, 'tokenizer_config.json'), Tokenizer);
  const generation = await readOptional(join(folder, 'generation_config.json'), Generation);
  const known = tokenizer?.added_tokens_decoder ?? {};
  const ends = (generation?.eos_token_id ?? []).flatMap((id) => known[id] ?? []);
  const end = tokenizer?.eos_token;
  return {
    contextTokens: config.max_position_embeddings,
    endTokens: [...(typeof end === 'string' && end !== '' ? [end] : []), ...ends],
  };
}

/** The rank of a LoRA adapter beside safetensors. */
export async function readLoraRank(folder: string): Promise<number> {
  const Adapter = z.object({ r: z.number().int().min(1).max(512) });
  return (await readJson(join(folder, 'adapter_config.json'), Adapter)).r;
}

/** The traits of a GGUF model, with its own name and licence. @throws HammerlineError `model_unavailable` for anything else */
export async function readGgufTraits(
  path: string,
): Promise<Traits & Pick<GgufHeader, 'name' | 'licence'>> {
  const { contextTokens, endToken, name, licence } = await readGgufAs('model', path);
  return { contextTokens, endTokens: endToken === undefined ? [] : [endToken], name, licence };
}

/** @throws HammerlineError `model_unavailable` for what is no GGUF LoRA adapter */
export async function requireGgufAdapter(path: string): Promise<void> {
  await readGgufAs('adapter', path);
}

async function readGgufAs(type: 'model' | 'adapter', path: string): Promise<GgufHeader> {
  const header = await readGguf(path);
  const found = header.type === 'adapter' ? 'adapter' : 'model';
  if (found === type) return header;
  const mend =
    type === 'adapter' ? 'name a GGUF LoRA adapter' : 'give it with --adapter, and name a model';
  throw new HammerlineError('model_unavailable', `${path} is a GGUF ${found}: ${mend}`, {
    retryable: false,
  });
}

async function readOptional<T>(file: string, shape: z.ZodType<T>): Promise<T | undefined> {
  return existsSync(file) ? readJson(file, shape) : undefined;
}

async function readJson<T>(file: string, shape: z.ZodType<T>): Promise<T> {
  try {
    return shape.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    const reason =
      cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll(/\s+/g, ' ') : String(cause);
    throw new HammerlineError('model_unavailable', `${file} cannot be used: ${reason}`, {
      retryable: false,
      cause,
    });
  }
}
