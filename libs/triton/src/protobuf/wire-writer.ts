import { invalidArgument } from '../triton-error.js';

/** A `bytes` value from this size on becomes a piece of its own, not copied. */
const OWN_PIECE_BYTES = 16_384;
const SLAB_BYTES = 65_536;
/** Below this, a loop is faster than a call. */
const FEW = 48;

/**
 * Writes a message from its end to its beginning: so the length of a value is known when it is to be written, before it.
 * What is written is cut from slabs that several messages share, and never written again.
 */
export class WireWriter {
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  /** What is written and in no piece yet lies from here … */
  #start = SLAB_BYTES;
  /** … to here. */
  #end = SLAB_BYTES;
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;

  /** Bytes written since `begin`. */
  get length(): number {
    return this.#pieceBytes + this.#end - this.#start;
  }

  /** Starts a message. What an earlier one left unfinished is dropped. */
  begin(): void {
    this.#end = this.#start;
    this.#pieces = [];
    this.#pieceBytes = 0;
  }

  /** The message, in pieces to be sent one after the other. */
  finish(): Uint8Array[] {
    this.#cut();
    // A slab made for one great value is not kept for small ones.
    if (this.#slab.length > SLAB_BYTES) this.#useSlab(SLAB_BYTES);
    return this.#pieces.toReversed();
  }

  /** An unsigned integer up to 2^53 - 1. */
  varint(value: number): void {
    if (value < 0x80) {
      const position = this.#room(1);
      this.#slab[position] = value;
      return;
    }
    let length = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
    let position = this.#room(length);
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
      this.#slab[position++] = (rest & 0x7f) | 0x80;
    }
    this.#slab[position] = rest;
  }

  /** Any integer of 64 bits; a negative one as two's complement. */
  bigVarint(value: bigint): void {
    const groups: number[] = [];
    let rest = BigInt.asUintN(64, value);
    for (; rest >= 0x80n; rest >>= 7n) groups.push(Number(rest & 0x7fn) | 0x80);
    groups.push(Number(rest));
    // Finding room may change the slab.
    const position = this.#room(groups.length);
    this.#slab.set(groups, position);
  }

  float(value: number): void {
    const position = this.#room(4);
    this.#slab.writeFloatLE(value, position);
  }

  double(value: number): void {
    const position = this.#room(8);
    this.#slab.writeDoubleLE(value, position);
  }

  /** A value without its length. Several parts are written as one. */
  bytes(value: Uint8Array | readonly Uint8Array[]): void {
    if (value instanceof Uint8Array) return this.#part(value);
    for (let index = value.length - 1; index >= 0; index--) {
      const part = value[index];
      if (part !== undefined) this.#part(part);
    }
  }

  #part(part: Uint8Array): void {
    const { length } = part;
    if (length >= OWN_PIECE_BYTES) {
      this.#cut();
      this.#pieces.push(part);
      this.#pieceBytes += length;
      return;
    }
    const position = this.#room(length);
    if (length > FEW) this.#slab.set(part, position);
    else
      for (let index = 0; index < length; index++) this.#slab[position + index] = part[index] ?? 0;
  }

  /** A text as UTF-8, without its length. `where` names the field in errors. */
  string(text: string, where: string): void {
    const { length } = text;
    if (length <= FEW && this.#ascii(text)) return;
    if (!text.isWellFormed()) {
      throw invalidArgument(
        where,
        'a lone surrogate, which UTF-8 cannot hold',
        'text.toWellFormed() replaces it',
      );
    }
    const position = this.#room(Buffer.byteLength(text));
    this.#slab.write(text, position);
  }

  /** Whether that worked. */
  #ascii(text: string): boolean {
    const { length } = text;
    const position = this.#room(length);
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) {
        this.#start += length;
        return false;
      }
      this.#slab[position + index] = code;
    }
    return true;
  }

  /** Where the next bytes before what is written go. */
  #room(bytes: number): number {
    if (this.#start < bytes) this.#grow(bytes);
    return (this.#start -= bytes);
  }

  #grow(bytes: number): void {
    // A small part moves, so that a small message stays in one piece.
    if (this.#end - this.#start >= OWN_PIECE_BYTES) this.#cut();
    const part = this.#slab.subarray(this.#start, this.#end);
    this.#useSlab(Math.max(SLAB_BYTES, bytes + part.length));
    this.#start -= part.length;
    this.#slab.set(part, this.#start);
  }

  #useSlab(bytes: number): void {
    this.#slab = Buffer.allocUnsafeSlow(bytes);
    this.#start = bytes;
    this.#end = bytes;
  }

  #cut(): void {
    const length = this.#end - this.#start;
    if (length === 0) return;
    const { buffer, byteOffset } = this.#slab;
    this.#pieces.push(new Uint8Array(buffer, byteOffset + this.#start, length));
    this.#pieceBytes += length;
    this.#end = this.#start;
  }
}
