import { EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** What goes wrong in one direction. Offsets count the bytes of that direction from the start of the connection. */
export interface Faults {
  /** Milliseconds that every chunk is late. */
  readonly latencyMs?: number;
  /** Nothing gets through, not even the end; what comes is held back. A reader of half of a dead route sees the same. */
  readonly blackHole?: boolean;
  /** After so many bytes both sides are reset (RST). 0: at once. */
  readonly resetAfter?: number;
  /** After so many bytes the receiver sees a proper end (FIN), and the rest is lost. 0: at once. */
  readonly endAfter?: number;
  /** So many bytes a millisecond, at most; the sender feels it when the buffers between are full. */
  readonly bytesPerMs?: number;
  /** The byte at this offset arrives with all its bits turned over. */
  readonly corruptAt?: number;
}

/** How much may wait in a lane before it stops reading. */
const HIGH_WATER_BYTES = 65_536;

/** One direction of a proxied connection: reads one socket, writes the other, in order, with the faults set now. */
export class FaultyLane {
  #forwarded = 0;
  #faults: Faults;
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #reset: () => void;
  readonly #events = new EventEmitter().setMaxListeners(0);
  #waiting = 0;
  #ended = false;
  #delivered: Promise<void> = Promise.resolve();

  constructor(source: Socket, sink: Socket, faults: Faults, reset: () => void) {
    this.#source = source;
    this.#sink = sink;
    this.#faults = faults;
    this.#reset = reset;
    source.on('data', (chunk: Buffer) => this.#take(chunk));
    source.once('end', () => this.#take(undefined));
    this.#cut();
  }

  /** Bytes that were handed on. */
  get forwarded(): number {
    return this.#forwarded;
  }

  /** Resolves when so many bytes in all were handed on. */
  async bytesForwarded(bytes: number): Promise<void> {
    while (this.#forwarded < bytes) await once(this.#events, 'forwarded');
  }

  /** Replaces all faults of this direction; `{}` mends it. */
  setFaults(faults: Faults): void {
    this.#faults = faults;
    this.#events.emit('faults');
    this.#cut();
  }

  #take(chunk: Buffer | undefined): void {
    const due = performance.now() + (this.#faults.latencyMs ?? 0);
    this.#waiting += chunk?.length ?? 0;
    if (this.#waiting > HIGH_WATER_BYTES) this.#source.pause();
    this.#delivered = this.#deliverAfter(this.#delivered, chunk, due);
  }

  async #deliverAfter(before: Promise<void>, chunk: Buffer | undefined, due: number) {
    await before;
    await this.#deliver(chunk, due);
    this.#waiting -= chunk?.length ?? 0;
    if (this.#waiting <= HIGH_WATER_BYTES) this.#source.resume();
  }

  async #deliver(chunk: Buffer | undefined, due: number): Promise<void> {
    const early = due - performance.now();
    if (early > 0) await delay(early);
    for (let rest = chunk; rest !== undefined && rest.length > 0;) {
      await this.#passable();
      if (this.#ended) return;
      const { bytesPerMs = Infinity } = this.#faults;
      const piece = rest.subarray(0, Math.min(bytesPerMs, this.#limit() - this.#forwarded));
      await this.#write(piece);
      rest = rest.subarray(piece.length);
      if (bytesPerMs < Infinity) await delay(1);
    }
    await this.#passable();
    if (chunk === undefined) this.#end();
  }

  async #passable(): Promise<void> {
    while (this.#faults.blackHole === true) await once(this.#events, 'faults');
  }

  /** Waits until the kernel has it, which is all the backpressure that is needed. */
  async #write(piece: Buffer): Promise<void> {
    const at = (this.#faults.corruptAt ?? -1) - this.#forwarded;
    const byte = piece[at];
    if (byte !== undefined) piece[at] = byte ^ 0xff;
    await new Promise<void>((resolve) => this.#sink.write(piece, () => resolve()));
    if (this.#sink.destroyed) this.#ended = true;
    else this.#forwarded += piece.length;
    this.#events.emit('forwarded');
    this.#cut();
  }

  #limit(): number {
    const { resetAfter = Infinity, endAfter = Infinity } = this.#faults;
    return Math.min(resetAfter, endAfter);
  }

  #cut(): void {
    if (this.#forwarded < this.#limit()) return;
    if (this.#limit() === this.#faults.resetAfter) this.#reset();
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#sink.end();
  }
}
