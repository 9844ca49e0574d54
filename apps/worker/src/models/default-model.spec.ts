import { createHash } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adapterPath, checkFile, defaultModel, openModel } from './default-model.js';

async function folder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'hammerline-model-'));
}

/** The first 24 bytes of a GGUF file. */
function header(tensors: bigint, entries: bigint): Buffer {
  const bytes = Buffer.from('GGUF'.padEnd(24));
  bytes.writeUInt32LE(3, 4);
  bytes.writeBigUInt64LE(tensors, 8);
  bytes.writeBigUInt64LE(entries, 16);
  return bytes;
}

const bytes = Buffer.from('weights');
const expected = {
  file: 'w.gguf',
  bytes: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
};

describe('checkFile', () => {
  it('passes the file that was recorded', async () => {
    const path = join(await folder(), expected.file);
    await writeFile(path, bytes);
    await expect(checkFile(path, expected, 'mend')).resolves.toBeUndefined();
  });

  it.each([
    ['cut', bytes.subarray(1), 'has 6 bytes instead of 7'],
    ['altered', Buffer.from('weightz'), 'is damaged'],
  ])('refuses a file that was %s, and says how to mend it', async (_, content, fault) => {
    const path = join(await folder(), expected.file);
    await writeFile(path, content);
    await expect(checkFile(path, expected, 'do this')).rejects.toMatchObject({
      code: 'model_unavailable',
      retryable: false,
      message: expect.stringMatching(new RegExp(`${expected.file} ${fault}.*do this`)),
    });
  });
});

describe('openModel', () => {
  it('names the missing file of the default model and the mend', async () => {
    await expect(openModel({ MODEL_CACHE: await folder() })).rejects.toMatchObject({
      code: 'model_unavailable',
      message: expect.stringMatching(/SmolLM2-135M-Instruct\.Q4_1\.gguf cannot be read.*npm start/),
    });
  });

  it('names the missing file in MODEL', async () => {
    const MODEL = join(await folder(), 'none.gguf');
    await expect(openModel({ MODEL, MODEL_CACHE: '/nowhere' })).rejects.toMatchObject({
      code: 'model_unavailable',
      retryable: false,
      message: expect.stringContaining(MODEL),
    });
  });

  it.each([
    ['is not a model', 'This is not a model.'],
    ['only begins like a model', 'GGUF but not really'],
    ['ends after its header', header(0n, 0n)],
    ['promises more entries than it has', header(3n, 20n)],
    ['is empty', ''],
  ])('refuses a MODEL that %s', async (_, content) => {
    const MODEL = join(await folder(), 'text.gguf');
    await writeFile(MODEL, content);
    await expect(openModel({ MODEL, MODEL_CACHE: '/nowhere' })).rejects.toMatchObject({
      code: 'model_unavailable',
      message: expect.stringMatching(/^cannot load the model .*text\.gguf: .*MODEL/),
    });
  });
});

describe('defaultModel', () => {
  it('has its adapter in the repository, as recorded', async () => {
    await expect(checkFile(adapterPath(), defaultModel.adapter, 'mend')).resolves.toBeUndefined();
  });
});
