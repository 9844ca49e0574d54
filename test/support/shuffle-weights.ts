import { readFile, writeFile } from 'node:fs/promises';

/** Bytes of a GGUF metadata value by its type number; strings (8) and lists (9) have their length in front. */
const valueBytes: Record<number, number> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};

/**
 * Writes a copy of a GGUF model in which the rows of every matrix are in another, seeded order: the same file in form,
 * size and number values, but without anything that was learned. A test that it passes does not test the model.
 */
export async function shuffleWeights(source: string, target: string, seed: number): Promise<void> {
  const file = await readFile(source);
  const random = mulberry32(seed);
  const { tensors, dataStart } = readTensors(file);
  for (const [index, { rows, offset }] of tensors.entries()) {
    // Fewer rows are vectors; from 32 rows on, the padding behind a tensor is less than a byte a row.
    if (rows < 32) continue;
    const start = dataStart + offset;
    const next = tensors[index + 1];
    const end = next === undefined ? file.length : dataStart + next.offset;
    permuteRows(file.subarray(start, end), rows, random);
  }
  await writeFile(target, file);
}

function permuteRows(data: Buffer, rows: number, random: () => number): void {
  const rowBytes = Math.floor(data.length / rows);
  const original = Buffer.from(data);
  const order = Array.from({ length: rows }, (_, row) => row);
  for (let last = rows - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
  }
  for (const [row, from] of order.entries()) {
    original.copy(data, row * rowBytes, from * rowBytes, (from + 1) * rowBytes);
  }
}

function readTensors(file: Buffer) {
  let at = 8;
  const uint32 = () => file.readUInt32LE((at += 4) - 4);
  const uint64 = () => Number(file.readBigUInt64LE((at += 8) - 8));
  const text = () => {
    const length = uint64();
    return file.toString('utf8', at, (at += length));
  };
  const skip = (type: number): void => {
    if (type === 8) text();
    else if (type === 9) {
      const element = uint32();
      for (let count = uint64(); count > 0; count -= 1) skip(element);
    } else at += valueBytes[type] ?? 0;
  };
  const tensorCount = uint64();
  for (let count = uint64(); count > 0; count -= 1) {
    text();
    skip(uint32());
  }
  const tensors: { rows: number; offset: number }[] = [];
  for (let index = 0; index < tensorCount; index += 1) {
    text();
    const sizes = Array.from({ length: uint32() }, uint64);
    uint32();
    tensors.push({ rows: sizes.slice(1).reduce((all, size) => all * size, 1), offset: uint64() });
  }
  // This project's files keep the format's usual alignment of 32 bytes.
  return { tensors, dataStart: Math.ceil(at / 32) * 32 };
}

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
