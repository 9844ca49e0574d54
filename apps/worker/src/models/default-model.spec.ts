import { createHash } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adapterPath, checkFile, defaultModel, openDefaultModel } from './default-model.js';

async function folder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'hammerline-model-'));
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

describe('openDefaultModel', () => {
  it('names the missing file and the mend', async () => {
    await expect(openDefaultModel(await folder())).rejects.toMatchObject({
      code: 'model_unavailable',
      message: expect.stringMatching(/SmolLM2-135M-Instruct\.Q4_1\.gguf cannot be read.*npm start/),
    });
  });
});

describe('defaultModel', () => {
  it('has its adapter in the repository, as recorded', async () => {
    await expect(checkFile(adapterPath(), defaultModel.adapter, 'mend')).resolves.toBeUndefined();
  });
});
