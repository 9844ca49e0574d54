import {
  defaultTableSize,
  HeaderTable,
  type Header,
  sizeOf,
  staticFields,
  staticNames,
} from './hpack-table.js';

/**
 * How a field goes into the table that both ends keep: `indexed` fields are the same in many blocks; `once` fields are not
 * worth a place in it; `secret` ones must not be in any table on the way (RFC 7541, 7.1).
 */
export type HeaderUse = 'indexed' | 'once' | 'secret';

export type HeaderFields = readonly (readonly [field: Header, use: HeaderUse])[];

/** Encodes the header blocks of one connection, in the order in which they are sent. Texts are not Huffman-coded. */
export class HpackEncoder {
  readonly #table = new HeaderTable(defaultTableSize);
  /** By field: the lasting number of its entry. */
  readonly #known = new Map<Header, number>();
  #limit = defaultTableSize;
  #smallest: number | undefined;

  /** What the peer's SETTINGS_HEADER_TABLE_SIZE allows; announced at the head of the next block. */
  setTableSize(size: number): void {
    const limit = Math.min(size, defaultTableSize);
    if (limit === this.#limit) return;
    this.#limit = limit;
    this.#smallest = Math.min(this.#smallest ?? limit, limit);
    this.#table.resize(limit);
  }

  /** An `indexed` field is recognised by its identity: pass the same object each time. */
  encode(fields: HeaderFields): Buffer {
    let room = 12;
    for (const [[name, value]] of fields) room += name.length + value.length + 12;
    const writer = new BlockWriter(Buffer.allocUnsafe(room));
    if (this.#smallest !== undefined) {
      if (this.#smallest < this.#limit) writer.integer(0x20, 5, this.#smallest);
      writer.integer(0x20, 5, this.#limit);
      this.#smallest = undefined;
    }
    for (const [field, use] of fields) this.#write(writer, field, use);
    return writer.block();
  }

  #write(writer: BlockWriter, field: Header, use: HeaderUse): void {
    if (use === 'indexed') {
      const number = this.#known.get(field);
      if (number !== undefined && number >= this.#table.dropped) {
        writer.integer(0x80, 7, this.#table.indexOf(number));
        return;
      }
      const fixed = staticFields.get(`${field[0]}\n${field[1]}`);
      if (fixed !== undefined) {
        writer.integer(0x80, 7, fixed);
        return;
      }
    }
    const named = staticNames.get(field[0]) ?? 0;
    const add = use === 'indexed' && sizeOf(field) <= this.#limit;
    writer.integer(add ? 0x40 : use === 'secret' ? 0x10 : 0, add ? 6 : 4, named);
    if (named === 0) writer.text(field[0]);
    writer.text(field[1]);
    if (!add) return;
    this.#known.set(field, this.#table.added);
    this.#table.add(field);
  }
}

class BlockWriter {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  integer(flags: number, prefix: number, value: number): void {
    const most = 2 ** prefix - 1;
    if (value < most) {
      this.#bytes[this.#at++] = flags | value;
      return;
    }
    this.#bytes[this.#at++] = flags | most;
    let rest = value - most;
    for (; rest >= 0x80; rest >>>= 7) this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#at++] = rest;
  }

  text(text: string): void {
    this.integer(0, 7, text.length);
    this.#at += this.#bytes.write(text, this.#at, 'latin1');
  }

  block(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }
}
