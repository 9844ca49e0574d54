import { mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { EntryRecord } from './entry.js';
import { CARD_PARAMETER, type ModelCard } from './model-card.js';
import { vllmSettings } from './vllm-settings.js';

/** What a Triton entry is made of; paths are those that the server will see. */
export interface TritonModel extends Pick<EntryRecord, 'card' | 'format' | 'weights' | 'loras'> {
  readonly adapter?: string | undefined;
  readonly weightsBytes: number;
  readonly loraRanks: readonly number[];
}

/**
 * Writes a Triton model repository with this model alone, as `hammer`: for vLLM where it is safetensors, for the Python
 * backend on the CPU where it is GGUF.
 */
export async function writeTritonEntry(repository: string, model: TritonModel): Promise<void> {
  const folder = join(repository, 'hammer');
  await mkdir(join(folder, '1'), { recursive: true });
  const isGguf = model.format === 'gguf';
  if (isGguf) await renewCpuModel(repository, model.card);
  else await writeFile(join(folder, 'config.pbtxt'), vllmConfig(model.card));
  await writeJson(
    join(folder, '1/model.json'),
    isGguf
      ? cpuSettings(model)
      : vllmSettings({ ...model, contextTokens: model.card.contextTokens }),
  );
  if (Object.keys(model.loras).length > 0) {
    await writeJson(join(folder, '1/multi_lora.json'), model.loras);
  }
}

/**
 * (Re)makes of a GGUF's Triton entry what is the same for all: the links to the program in this checkout, and config.pbtxt
 * around the card.
 */
export async function renewCpuModel(repository: string, card: ModelCard): Promise<void> {
  const folder = join(repository, 'hammer');
  const inVersion = (await readdir(join(cpuModel(), '1'))).filter((name) => name.endsWith('.py'));
  const program = ['requirements.txt', ...inVersion.map((name) => join('1', name))];
  const targets = new Map(program.map((file) => [join(folder, file), join(cpuModel(), file)]));
  for (const item of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!item.isSymbolicLink()) continue;
    const link = join(item.parentPath, item.name);
    if (targets.get(link) === (await readlink(link))) targets.delete(link);
    else await rm(link);
  }
  for (const [link, target] of targets) await symlink(target, link);
  const config = await readFile(join(cpuModel(), 'config.pbtxt'), 'utf8');
  await writeFile(join(folder, 'config.pbtxt'), withCard(config, card));
}

function cpuSettings({ weights, adapter, card }: TritonModel): Record<string, unknown> {
  return {
    model: weights,
    ...(adapter !== undefined && { adapter }),
    slots: 2,
    // Threads of one core hold each other up, and the rest of the system needs some.
    threads: Math.max(1, Math.floor(availableParallelism() / 2)),
    context: card.contextTokens,
    cache_mib: 512,
  };
}

/** The checkout's own CPU model: its program, and what of its config.pbtxt is the same for all. */
function cpuModel(): string {
  const manifest = findPackageJSON(import.meta.url);
  if (manifest === undefined) throw new Error('no package.json above this file');
  return join(dirname(manifest), 'triton/model_repository/cpu/hammer');
}

function withCard(config: string, card: ModelCard): string {
  const parameter = new RegExp(`(key: *"${CARD_PARAMETER}"[^']*)'(?:[^'\\\\]|\\\\.)*'`);
  if (!parameter.test(config))
    throw new Error(`the CPU model's config.pbtxt has no ${CARD_PARAMETER}`);
  return config.replace(
    parameter,
    (_, before: string) => `${before}${quoted(JSON.stringify(card))}`,
  );
}

function vllmConfig(card: ModelCard): string {
  return `# Written by \`hammerline models\`; docs/gpu.md. The backend adds inputs and outputs by itself.
name: "hammer"
backend: "vllm"
max_batch_size: 0
model_transaction_policy { decoupled: true }
# vLLM chooses the GPUs by itself.
instance_group [{ count: 1, kind: KIND_MODEL }]
parameters [
  { key: "REPORT_CUSTOM_METRICS", value: { string_value: "true" } },
  {
    # How to ask this model: libs/models/src/model-card.ts.
    key: "${CARD_PARAMETER}",
    value: {
      string_value: ${quoted(JSON.stringify(card))}
    }
  }
]
`;
}

/** As a text of a .pbtxt file. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
}
