import { gunzipSync, gzipSync, deflateSync, inflateSync } from 'node:zlib';
import { TritonError } from '../triton-error.js';

const prefixSize = 5;

const decompressors = new Map([
  ['gzip', gunzipSync],
  ['deflate', inflateSync],
]);

/** A message as gRPC frames it: a flag for compression, its length, its bytes. */
export function frameMessage(
  pieces: readonly Uint8Array[],
  compression: 'gzip' | 'deflate' | undefined,
): readonly Uint8Array[] {
  const prefix = Buffer.allocUnsafe(prefixSize);
  prefix[0] = compression === undefined ? 0 : 1;
  const body =
    compression === undefined
      ? pieces
      : [(compression === 'gzip' ? gzipSync : deflateSync)(Buffer.concat(pieces))];
  let length = 0;
  for (const piece of body) length += piece.length;
  if (length > 2 ** 32 - 1) {
    throw new TritonError(
      'invalid_argument',
      `the request has ${length} bytes; gRPC carries less than 4 GiB`,
      {
        reason: 'too_large',
      },
    );
  }
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
    this.#maxBytes = maxBytes;
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
      if (length > this.#maxBytes) throw tooLarge(`${length} bytes`, this.#maxBytes);
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
      if (error instanceof RangeError) throw tooLarge('more', this.#maxBytes);
      throw new TritonError('internal', `an answer cannot be decompressed (${encoding})`, {
        reason: 'protocol',
        cause: error,
      });
    }
  }
}

function tooLarge(size: string, limit: number): TritonError {
  return new TritonError(
    'resource_exhausted',
    `an answer has ${size}, maxMessageBytes is ${limit}`,
    {
      reason: 'too_large',
    },
  );
}
