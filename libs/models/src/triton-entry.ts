import { readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
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
  if (isGguf) linkCpuModel(repository);
  const config = isGguf ? withCard(cpuConfig(), model.card) : vllmConfig(model.card);
  await writeFile(join(folder, 'config.pbtxt'), config);
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

/** (Re)makes the links of a GGUF's Triton entry to the program in this checkout. */
export function linkCpuModel(repository: string): void {
  for (const file of programFiles()) {
    const link = join(repository, 'hammer', file);
    rmSync(link, { force: true });
    symlinkSync(join(cpuModel(), file), link);
  }
}

/** All of the model in the checkout that is not said anew for each entry. */
function programFiles(): string[] {
  const inVersion = readdirSync(join(cpuModel(), '1')).filter((name) => name.endsWith('.py'));
  return ['requirements.txt', ...inVersion.map((name) => join('1', name))];
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

function cpuConfig(): string {
  return readFileSync(join(cpuModel(), 'config.pbtxt'), 'utf8');
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
