/** What a GGUF header may hold: texts, unsigned 32-bit numbers and lists of texts. */
export type GgufValue = string | number | readonly string[];

/** A small GGUF file (version 3) without tensors; `weights` bytes of nothing follow its header. */
export function ggufFile(entries: Readonly<Record<string, GgufValue>>, weights = 0): Buffer {
  const parts = Object.entries(entries).flatMap(([key, value]) => [text(key), valueOf(value)]);
  const count = uint64(Object.keys(entries).length);
  const header = [Buffer.from('GGUF'), uint32(3), uint64(0), count, ...parts];
  return Buffer.concat([...header, Buffer.alloc(weights, 7)]);
}

/** As a converter writes it for a Hammer model. */
export function hammerGguf(name: string, weights = 0): Buffer {
  return ggufFile(
    {
      'general.architecture': 'qwen2',
      'general.type': 'model',
      'general.name': name,
      'general.license': 'cc-by-nc-4.0',
      'qwen2.context_length': 32_768,
      'tokenizer.ggml.tokens': ['a', '<|endoftext|>', '<|im_end|>'],
      'tokenizer.ggml.eos_token_id': 2,
    },
    weights,
  );
}

function valueOf(value: GgufValue): Buffer {
  if (typeof value === 'string') return Buffer.concat([uint32(8), text(value)]);
  if (typeof value === 'number') return Buffer.concat([uint32(4), uint32(value)]);
  return Buffer.concat([uint32(9), uint32(8), uint64(value.length), ...value.map(text)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
