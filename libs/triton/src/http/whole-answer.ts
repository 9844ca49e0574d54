import type { IncomingHttpHeaders } from 'node:http';
import { tooLarge } from '../too-large.js';
import type { TritonError } from '../triton-error.js';
import { decompress } from './compression.js';
import type { Receiver } from './exchange.js';
import type { HttpAnswer } from './http-message.js';
import { JSON_LENGTH_HEADER } from './infer-body.js';

/** Of the widest elements: a typed array of them begins at a multiple of it. */
const ALIGNMENT = 8;

/** Bytes that are taken on the word of a server, which may send less. What has come is the surety for more. */
const TRUSTED_BYTES = 16 * 2 ** 20;
const GROWTH = 4;

/**
 * Gathers an answer. One that came in a single piece is not copied, a longer one once, with its tensors aligned; one beyond
 * TRUSTED_BYTES once more each time that its room grows.
 */
export class WholeAnswer implements Receiver {
  readonly answered = false;
  readonly promise: Promise<HttpAnswer>;
  readonly #maxBytes: number;
  readonly #settle: PromiseWithResolvers<HttpAnswer>;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #length = NaN;
  #chunks: Buffer[] = [];
  /** Where the chunks go, if more than one is to come and the length is known. */
  #target: Buffer | undefined;
  #received = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#settle = Promise.withResolvers();
    this.promise = this.#settle.promise;
  }

  started(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
    this.#length = Number(headers['content-length'] ?? NaN);
    if (this.#length > this.#maxBytes) throw tooLarge(this.#maxBytes);
  }

  received(chunk: Buffer): void {
    const offset = this.#received;
    this.#received += chunk.length;
    if (this.#received > this.#maxBytes) throw tooLarge(this.#maxBytes);
    if (offset === 0 && chunk.length < this.#length) {
      this.#target = this.#allocate(TRUSTED_BYTES);
    }
    if (this.#target) this.#put(this.#target, chunk, offset);
    else this.#chunks.push(chunk);
  }

  ended(): void {
    const [first] = this.#chunks;
    const single = this.#chunks.length === 1 ? first : undefined;
    const body = this.#target ?? single ?? Buffer.concat(this.#chunks);
    const { resolve, reject } = this.#settle;
    const encoding = (this.#headers['content-encoding'] ?? 'identity').toLowerCase();
    const answer = { status: this.#status, headers: this.#headers, body };
    if (encoding === 'identity' || body.length === 0) resolve(answer);
    else {
      decompress(body, encoding, this.#maxBytes).then(
        (decompressed) => resolve({ ...answer, body: decompressed }),
        reject,
      );
    }
  }

  failed(error: TritonError): void {
    this.#settle.reject(error);
  }

  #put(target: Buffer, chunk: Buffer, offset: number): void {
    let room = target;
    if (this.#received > target.length) {
      room = this.#allocate(Math.max(target.length * GROWTH, this.#received));
      room.set(target);
      this.#target = room;
    }
    room.set(chunk, offset);
  }

  /** Room for the answer's beginning, or for all of it, where that is less. */
  #allocate(bytes: number): Buffer {
    const jsonLength = Number(this.#headers[JSON_LENGTH_HEADER] ?? 0);
    const padding = (ALIGNMENT - (jsonLength % ALIGNMENT)) % ALIGNMENT || 0;
    return Buffer.allocUnsafeSlow(padding + Math.min(bytes, this.#length)).subarray(padding);
  }
}
