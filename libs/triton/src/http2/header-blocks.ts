import { errorCode } from './error-codes.js';
import { flag } from './frames.js';
import { HpackDecoder, HpackError } from './hpack-decoder.js';
import type { Header } from './hpack-table.js';
import { ProtocolError } from './protocol-error.js';

export interface HeaderBlock {
  readonly stream: number;
  /** The stream ends with it. */
  readonly end: boolean;
  readonly fields: readonly Header[];
}

/** Each frame of a block counts something: endless empty ones must not be taken for ever either. */
const frameOverhead = 64;

/** Puts header blocks together, of one HEADERS frame and any number of CONTINUATION frames, and decodes them. */
export class HeaderBlocks {
  readonly #decoder: HpackDecoder;
  readonly #maxBytes: number;
  #block:
    { readonly stream: number; readonly end: boolean; parts: Buffer[]; bytes: number } | undefined;

  constructor(maxBytes: number) {
    this.#decoder = new HpackDecoder(maxBytes);
    this.#maxBytes = maxBytes;
  }

  /** Whether a block goes on: only its CONTINUATION may come then. */
  get isOpen(): boolean {
    return this.#block !== undefined;
  }

  /** Takes a HEADERS frame; gives the block, if that was all. Throws ProtocolError. */
  begin(flags: number, stream: number, payload: Buffer): HeaderBlock | undefined {
    let start = 0;
    let padding = 0;
    if (flags & flag.padded) padding = payload[start++] ?? 0;
    if (flags & flag.priority) start += 5;
    if (start + padding > payload.length) throw new ProtocolError('padding exceeds its frame');
    const end = (flags & flag.endStream) !== 0;
    this.#block = { stream, end, parts: [], bytes: 0 };
    return this.goOn(flags, stream, payload.subarray(start, payload.length - padding));
  }

  /** Takes a CONTINUATION frame; gives the block, if that was its last. Throws ProtocolError. */
  goOn(flags: number, stream: number, payload: Buffer): HeaderBlock | undefined {
    const block = this.#block;
    if (block?.stream !== stream) throw new ProtocolError('CONTINUATION of nothing');
    block.parts.push(payload);
    block.bytes += payload.length;
    if (block.bytes + block.parts.length * frameOverhead > this.#maxBytes)
      throw new ProtocolError('a header block is too large', errorCode.enhanceYourCalm);
    if ((flags & flag.endHeaders) === 0) return undefined;
    this.#block = undefined;
    const [only = payload] = block.parts;
    const bytes = block.parts.length === 1 ? only : Buffer.concat(block.parts, block.bytes);
    return { stream, end: block.end, fields: this.#decode(bytes) };
  }

  #decode(bytes: Buffer): readonly Header[] {
    try {
      return this.#decoder.decode(bytes);
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
      throw new ProtocolError(`its headers are broken: ${error.message}`, errorCode.compression);
    }
  }
}
