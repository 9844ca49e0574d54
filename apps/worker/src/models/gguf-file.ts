import { open } from 'node:fs/promises';
import { HammerlineError } from '#libs/contracts';

const otherModel = 'name another file in MODEL, or leave MODEL out to use the default model';

/**
 * Throws `model_unavailable` for a file that is missing or does not begin as a GGUF file does. The second matters: the
 * library reads as many entries as the header promises, and a few wrong bytes there keep it busy until the memory is full.
 */
export async function requireGguf(path: string): Promise<void> {
  const header = Buffer.alloc(24);
  try {
    const file = await open(path);
    await file.read(header).finally(() => file.close());
  } catch (cause) {
    throw new HammerlineError(
      'model_unavailable',
      `cannot read the model file ${path}: ${otherModel}`,
      { retryable: false, cause },
    );
  }
  const version = header.readUInt32LE(4);
  const entries = header.readBigUInt64LE(8) + header.readBigUInt64LE(16);
  if (header.toString('latin1', 0, 4) !== 'GGUF' || version > 3 || entries > 100_000n) {
    throw unreadableModel(path);
  }
}

/** `model_unavailable` for files that are there, but are no model to this version. */
export function unreadableModel(files: string, cause?: unknown): HammerlineError {
  return new HammerlineError(
    'model_unavailable',
    `cannot load the model ${files}: damaged, or no GGUF model that this version reads; ${otherModel}`,
    { retryable: false, cause },
  );
}
