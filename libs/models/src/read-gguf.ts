import { open } from 'node:fs/promises';
import { HammerlineError } from '#libs/contracts';

/** What a GGUF file says of itself; a key that it lacks is undefined. */
export interface GgufHeader {
  readonly architecture: string | undefined;
  /** `adapter` for a LoRA adapter. */
  readonly type: string | undefined;
  readonly name: string | undefined;
  readonly licence: string | undefined;
  /** Tokens that the model was trained to hold. */
  readonly contextTokens: number | undefined;
  /** The text of the token that ends an answer. */
  readonly endToken: string | undefined;
}

/** Vocabulary and merges of a model with 256,000 tokens take about 15 MB. */
const HEADER_BYTES = 64 * 2 ** 20;
const MOST_ENTRIES = 100_000n;

/** Bytes of a value by its type's number; strings (8) and arrays (9) have a length of their own. */
const WIDTHS = [1, 1, 2, 2, 4, 4, 4, 1, undefined, undefined, 8, 8, 8];
const STRING = 8;
const ARRAY = 9;

/**
 * Reads the header of a GGUF file (version 2 or 3). A damaged one costs no more than reading its first 64 MiB.
 *
 * @throws HammerlineError `model_unavailable` that says how to mend it: no file, or no whole GGUF header in it
 */
export async function readGguf(path: string): Promise<GgufHeader> {
  const bytes = await readStart(path);
  try {
    return summary(readEntries(new Cursor(bytes)));
  } catch (cause) {
    throw new HammerlineError(
      'model_unavailable',
      `${path} is no GGUF model that this version reads (${cause instanceof Error ? cause.message : String(cause)}): ` +
        'name another file, or fetch it again',
      { retryable: false, cause },
    );
  }
}

async function readStart(path: string): Promise<Buffer> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const bytes = Buffer.allocUnsafe(Math.min(size, HEADER_BYTES));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
      return bytes.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new HammerlineError(
      'model_unavailable',
      `the model file ${path} cannot be read: name another one, or leave it out for the model in the box`,
      { retryable: false, cause },
    );
  }
}

/** The values by key; of an array only its texts are kept, as only the vocabulary is looked into. */
function readEntries(cursor: Cursor): Map<string, unknown> {
  if (cursor.latin1(4) !== 'GGUF') throw new Error('it does not begin with "GGUF"');
  const version = cursor.uint32();
  if (version !== 2 && version !== 3) throw new Error(`its version is ${version}`);
  // llama.cpp reads as many as are promised, until the memory is full.
  const [tensors, count] = [cursor.uint64(), cursor.uint64()];
  if (tensors > MOST_ENTRIES) throw new Error(`it promises ${tensors} tensors`);
  if (count > MOST_ENTRIES) throw new Error(`it promises ${count} entries`);
  const entries = new Map<string, unknown>();
  for (let at = 0n; at < count; at++) entries.set(cursor.text(), cursor.value(cursor.uint32()));
  return entries;
}

function summary(entries: ReadonlyMap<string, unknown>): GgufHeader {
  const text = (key: string) => {
    const value = entries.get(key);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const architecture = text('general.architecture');
  const context = Number(entries.get(`${architecture}.context_length`));
  const tokens = entries.get('tokenizer.ggml.tokens');
  const end = Number(entries.get('tokenizer.ggml.eos_token_id'));
  const endToken: unknown = Array.isArray(tokens) ? tokens[end] : undefined;
  return {
    architecture,
    type: text('general.type'),
    name: text('general.name'),
    licence: text('general.license'),
    contextTokens: Number.isSafeInteger(context) && context > 0 ? context : undefined,
    endToken: typeof endToken === 'string' && endToken !== '' ? endToken : undefined,
  };
}

/** Reads on through the header; whatever a length says, it never leaves the bytes that are there. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  skip(length: number | bigint): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw new Error('its header is cut off or damaged');
    this.#at += Number(length);
    return start;
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.skip(4));
  }

  uint64(): bigint {
    return this.#bytes.readBigUInt64LE(this.skip(8));
  }

  latin1(length: number): string {
    return this.#bytes.toString('latin1', this.skip(length), this.#at);
  }

  text(): string {
    return this.#bytes.toString('utf8', this.skip(this.uint64()), this.#at);
  }

  value(type: number): unknown {
    if (type === STRING) return this.text();
    if (type === ARRAY) return this.#array();
    const start = this.skip(widthOf(type));
    // Types 4 and 10 are unsigned 32 and 64 bits, in which lengths and tokens are written; no other number is looked at.
    if (type === 4) return this.#bytes.readUInt32LE(start);
    if (type === 10) return this.#bytes.readBigUInt64LE(start);
    return undefined;
  }

  #array(): unknown {
    const type = this.uint32();
    const length = this.uint64();
    if (type === ARRAY) throw new Error('it holds arrays of arrays');
    if (type !== STRING) {
      this.skip(length * BigInt(widthOf(type)));
      return undefined;
    }
    const texts: string[] = [];
    for (let at = 0n; at < length; at++) texts.push(this.text());
    return texts;
  }
}

function widthOf(type: number): number {
  const width = WIDTHS[type];
  if (width === undefined) throw new Error(`it holds a value of the unknown type ${type}`);
  return width;
}
