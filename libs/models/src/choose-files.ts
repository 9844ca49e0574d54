import { HammerlineError } from '#libs/contracts';
import { z } from 'zod';
import { requireSafePath } from './safe-path.js';

export interface ListedFile {
  readonly path: string;
  readonly bytes: number;
}

/** The files of a repository on the hub, or of a folder here. */
export interface Inventory<File extends ListedFile = ListedFile> {
  /** For messages. */
  readonly repository: string;
  readonly files: readonly File[];
}

/** What a server needs beside the weights, where the repository has it. */
const BESIDE = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'chat_template.json',
  'LICENSE',
  'LICENSE.txt',
  'LICENSE.md',
];
export const WEIGHTS_INDEX = 'model.safetensors.index.json';
const ONE_FILE = 'model.safetensors';
/** The size that keeps nearly all of a small model's answers, and what other programs take where none is named. */
const USUAL_QUANTISATION = 'Q4_K_M';

/** Whether the safetensors of a repository are taken, or one of its GGUF files. */
export function formatOf(model: Inventory, file: string | undefined): 'gguf' | 'safetensors' {
  if (file !== undefined) return 'gguf';
  const has = (name: string) => model.files.some(({ path }) => path === name);
  if (has(ONE_FILE) || has(WEIGHTS_INDEX)) return 'safetensors';
  if (ggufFiles(model).length > 0) return 'gguf';
  if (has('adapter_config.json')) {
    const mend = 'pull the model that it belongs to, and give it with --adapter NAME=FOLDER';
    throw unfit(model, `holds a LoRA adapter, no model: ${mend}`);
  }
  const pickle = model.files.some(({ path }) => /\.(bin|pt|pth)$/.test(path));
  const found = pickle
    ? 'only weights as Python pickles, which run code when they are loaded'
    : 'none';
  throw unfit(
    model,
    `has neither safetensors nor GGUF files at its root (${found}): choose another`,
  );
}

/**
 * The GGUF file that was asked for: by path, by a quantisation's tag (`Q8_0`), or the usual one where there is no choice
 * or none was made.
 */
export function chooseGguf<File extends ListedFile>(
  model: Inventory<File>,
  wanted: string | undefined,
): File {
  const files = ggufFiles(model);
  const choices = `it has ${files.map(({ path, bytes }) => `${path} (${(bytes / 1e9).toFixed(1)} GB)`).join(', ')}`;
  const exact = model.files.find(({ path }) => path === wanted);
  const tag = (wanted ?? USUAL_QUANTISATION).toLowerCase();
  const tagged = files.filter(({ path }) => quantisationOf(path) === tag);
  const [one] =
    exact !== undefined ? [exact] : wanted === undefined && files.length === 1 ? files : tagged;
  if (one === undefined || (exact === undefined && tagged.length > 1)) {
    const fault =
      wanted === undefined ? 'has several GGUF files' : `has no one GGUF file for ${wanted}`;
    throw unfit(
      model,
      `${fault}: name one as ${model.repository}:FILE; ${choices || 'it has none'}`,
    );
  }
  if (!one.path.endsWith('.gguf')) {
    throw unfit(
      model,
      `'s ${one.path} is no GGUF file; leave it out for its safetensors; ${choices}`,
    );
  }
  if (/-\d{5}-of-\d{5}\.gguf$/.test(one.path)) {
    throw unfit(
      model,
      `has ${one.path} in parts: merge them with llama-gguf-split, then \`add\` it`,
    );
  }
  return one;
}

/**
 * The files that a server of the safetensors reads. Where there is an index only the files that it names are weights: a
 * repository may hold others, of another model.
 *
 * @param shards what the index names; undefined where there is none
 */
export function chooseSafetensors<File extends ListedFile>(
  model: Inventory<File>,
  shards: readonly string[] | undefined,
): File[] {
  const byPath = new Map(model.files.map((file) => [file.path, file]));
  const weights = shards === undefined ? [ONE_FILE] : [WEIGHTS_INDEX, ...shards];
  const missing = ['config.json', ...weights].filter((path) => !byPath.has(path));
  if (
    !byPath.has('tokenizer.json') &&
    !byPath.has('tokenizer.model') &&
    !byPath.has('vocab.json')
  ) {
    missing.push('tokenizer.json');
  }
  if (missing.length > 0) throw unfit(model, `lacks ${missing.join(', ')}: choose another`);
  return [...BESIDE, ...weights].flatMap((path) => byPath.get(path) ?? []);
}

const Index = z.object({ weight_map: z.record(z.string(), z.string()) });

/**
 * The weights that an index names.
 *
 * @throws HammerlineError `invalid_request` for what is no index, or names a file outside its folder
 */
export function readWeightsIndex(repository: string, text: string): string[] {
  let shards: string[];
  try {
    shards = [...new Set(Object.values(Index.parse(JSON.parse(text)).weight_map))];
  } catch {
    throw unfit({ repository, files: [] }, `has a damaged ${WEIGHTS_INDEX}: choose another`);
  }
  for (const shard of shards) requireSafePath(shard, `${repository}'s ${WEIGHTS_INDEX}`);
  return shards;
}

function ggufFiles<File extends ListedFile>({ files }: Inventory<File>): File[] {
  // A projector belongs to a model that sees; it is none by itself.
  return files.filter(({ path }) => path.endsWith('.gguf') && !/mmproj/i.test(path));
}

/** `q4_k_m` of `Hammer2.1-1.5b.Q4_K_M.gguf` or `hammer2.1-1.5b-q4_k_m.gguf`. */
function quantisationOf(path: string): string | undefined {
  return /[-._]((?:i?q\d\w*|bf16|f16|f32))\.gguf$/i.exec(path)?.[1]?.toLowerCase();
}

function unfit({ repository }: Inventory, fault: string): HammerlineError {
  return new HammerlineError('invalid_request', `${repository} ${fault}`.replace(" 's", "'s"));
}
