import type { IncomingHttpHeaders } from 'node:http';
import type { TritonError } from '../triton-error.js';
import { decompress, tooLarge } from './compression.js';
import type { Receiver } from './exchange.js';
import type { HttpAnswer } from './http-message.js';
import { JSON_LENGTH_HEADER } from './infer-body.js';

/** Of the widest elements: a typed array of them begins at a multiple of it. */
const ALIGNMENT = 8;

/** Gathers an answer. One that came in a single piece is not copied, a longer one once, with its tensors aligned. */
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
    if (offset === 0 && chunk.length < this.#length) this.#target = this.#allocate();
    if (this.#target) this.#target.set(chunk, offset);
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

  #allocate(): Buffer {
    const jsonLength = Number(this.#headers[JSON_LENGTH_HEADER] ?? 0);
    const padding = (ALIGNMENT - (jsonLength % ALIGNMENT)) % ALIGNMENT || 0;
    return Buffer.allocUnsafeSlow(padding + this.#length).subarray(padding);
  }
}
