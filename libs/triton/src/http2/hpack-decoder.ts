import { defaultTableSize, HeaderTable, type Header, sizeOf } from './hpack-table.js';
import { decodeHuffman } from './huffman.js';

/** A header block that breaks RFC 7541: after it the connection's tables no longer agree. */
export class HpackError extends Error {}

/** Decodes the header blocks of one connection, in their order. */
export class HpackDecoder {
  readonly #table = new HeaderTable(defaultTableSize);
  readonly #maxListSize: number;

  /** `maxListSize`: bytes of the largest list that is taken, counted as RFC 9113's SETTINGS_MAX_HEADER_LIST_SIZE. */
  constructor(maxListSize: number) {
    this.#maxListSize = maxListSize;
  }

  /** Throws HpackError. */
  decode(block: Uint8Array): Header[] {
    const fields: Header[] = [];
    const reader = new BlockReader(block);
    let size = 0;
    while (!reader.done) {
      const first = reader.peek();
      if (first >= 0x80) {
        fields.push(this.#field(reader.integer(7)));
      } else if (first >= 0x40) {
        const field = this.#literal(reader, 6);
        this.#table.add(field);
        fields.push(field);
      } else if (first >= 0x20) {
        const limit = reader.integer(5);
        if (fields.length > 0 || limit > defaultTableSize) throw new HpackError('bad table size');
        this.#table.resize(limit);
        continue;
      } else {
        fields.push(this.#literal(reader, 4));
      }
      size += sizeOf(fields.at(-1) ?? ['', '']);
      if (size > this.#maxListSize) throw new HpackError('header list is too large');
    }
    return fields;
  }

  #literal(reader: BlockReader, prefix: number): Header {
    const index = reader.integer(prefix);
    const name = index === 0 ? reader.text() : this.#field(index)[0];
    return [name, reader.text()];
  }

  #field(index: number): Header {
    const field = index === 0 ? undefined : this.#table.at(index);
    if (field === undefined) throw new HpackError(`there is no header ${index}`);
    return field;
  }
}

class BlockReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  peek(): number {
    return this.#bytes[this.#at] ?? 0;
  }

  /** RFC 7541, 5.1; no number that we take has more than 28 bits after its prefix. */
  integer(prefix: number): number {
    const most = 2 ** prefix - 1;
    let value = this.#byte() & most;
    if (value < most) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new HpackError('a number is too large');
  }

  text(): string {
    const coded = this.peek() >= 0x80;
    const length = this.integer(7);
    if (length > this.#bytes.length - this.#at) throw new HpackError('a text is cut off');
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    const text = coded
      ? decodeHuffman(bytes)
      : Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
    if (text === undefined) throw new HpackError('a Huffman code is broken');
    return text;
  }

  #byte(): number {
    if (this.done) throw new HpackError('a header is cut off');
    return this.#bytes[this.#at++] ?? 0;
  }
}
