import { promisify } from 'node:util';
import { deflate, deflateSync, gunzipSync, gzip, gzipSync, inflateSync } from 'node:zlib';
import { byteLength } from '../http2/changed-input.js';
import { tooLarge } from '../too-large.js';
import { TritonError } from '../triton-error.js';

const prefixSize = 5;
/** No buffer of Node's, and no answer, need be larger. */
const greatestMessage = 2 ** 31 - 1;

const decompressors = new Map([
  ['gzip', gunzipSync],
  ['deflate', inflateSync],
]);

export type Compression = 'gzip' | 'deflate';

/** From so many bytes on a body is worth a way to another thread: compression takes up to 30 ms a MiB. */
const largeBody = 2 ** 16;
const compressSync = { gzip: gzipSync, deflate: deflateSync };
const compress = { gzip: promisify(gzip), deflate: promisify(deflate) };

/**
 * A message as gRPC frames it: a flag for compression, its length, its bytes. Compresses in place, so that the messages of a
 * stream keep their order.
 */
export function frameMessage(
  pieces: readonly Uint8Array[],
  compression: Compression | undefined,
): readonly Uint8Array[] {
  if (compression === undefined) return framed(0, pieces);
  return framed(1, [compressSync[compression](Buffer.concat(pieces))]);
}

/** The same for a message that need not keep its place: a large one is compressed beside the event loop. */
export function frameSingle(
  pieces: readonly Uint8Array[],
  compression: Compression | undefined,
): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
  if (compression === undefined || byteLength(pieces) < largeBody)
    return frameMessage(pieces, compression);
  return compress[compression](Buffer.concat(pieces)).then((body) => framed(1, [body]));
}

function framed(flag: number, body: readonly Uint8Array[]): readonly Uint8Array[] {
  const length = byteLength(body);
  if (length > 2 ** 32 - 1) {
    throw new TritonError(
      'invalid_argument',
      `the request has ${length} bytes; gRPC carries less than 4 GiB`,
      { reason: 'too_large' },
    );
  }
  const prefix = Buffer.allocUnsafe(prefixSize);
  prefix[0] = flag;
  prefix.writeUInt32BE(length, 1);
  return [prefix, ...body];
}

/** Cuts the data of one stream into messages. A message that came in one part is a view of it. */
export class MessageReader {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  #needed = prefixSize;

  constructor(maxBytes: number) {
    this.#maxBytes = Math.min(maxBytes, greatestMessage);
  }

  /** Whether the data ends between two messages. */
  get isWhole(): boolean {
    return this.#bytes === 0;
  }

  /**
   * The messages that `part` completes. Throws TritonError `resource_exhausted`, reason `too_large`, and `internal`, reason
   * `protocol`.
   *
   * @param encoding the answer's `grpc-encoding`
   */
  push(part: Buffer, encoding: string): Buffer[] {
    let bytes = part;
    if (this.#bytes > 0) {
      this.#parts.push(part);
      this.#bytes += part.length;
      if (this.#bytes < this.#needed) return [];
      bytes = Buffer.concat(this.#parts, this.#bytes);
      this.#parts = [];
      this.#bytes = 0;
    }
    const messages: Buffer[] = [];
    let at = 0;
    for (;;) {
      this.#needed = prefixSize;
      if (bytes.length - at < prefixSize) break;
      const length = bytes.readUInt32BE(at + 1);
      if (length > this.#maxBytes) throw tooLarge(this.#maxBytes);
      this.#needed = prefixSize + length;
      if (bytes.length - at < this.#needed) break;
      const body = bytes.subarray(at + prefixSize, at + this.#needed);
      messages.push(bytes[at] === 0 ? body : this.#decompress(body, encoding));
      at += this.#needed;
    }
    if (at < bytes.length) {
      this.#parts.push(bytes.subarray(at));
      this.#bytes = bytes.length - at;
    }
    return messages;
  }

  #decompress(body: Buffer, encoding: string): Buffer {
    const decompress = decompressors.get(encoding);
    if (decompress === undefined) {
      throw new TritonError(
        'internal',
        `an answer is compressed as "${encoding}", which was not offered`,
        {
          reason: 'protocol',
        },
      );
    }
    try {
      return decompress(body, { maxOutputLength: this.#maxBytes });
    } catch (error) {
      if (isTooLarge(error)) throw tooLarge(this.#maxBytes);
      throw new TritonError('internal', `an answer cannot be decompressed (${encoding})`, {
        reason: 'protocol',
        cause: error,
      });
    }
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}
