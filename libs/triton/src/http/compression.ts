import { promisify } from 'node:util';
import { deflate, gunzip, gzip, inflate } from 'node:zlib';
import { tooLarge } from '../too-large.js';
import { TritonError } from '../triton-error.js';
import type { Encoding, HttpRequest } from './http-message.js';

const encoders = { gzip: promisify(gzip), deflate: promisify(deflate) };
const decoders = new Map([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
]);

/** The request with its body compressed. */
export async function compressed(request: HttpRequest, encoding: Encoding): Promise<HttpRequest> {
  const { body = [] } = request;
  return { ...request, body: [await encoders[encoding](Buffer.concat(body))], encoding };
}

/**
 * @param encoding the Content-Encoding of the answer
 * @throws TritonError `resource_exhausted` `too_large` as soon as it is clear that there is more than that many bytes
 */
export async function decompress(body: Buffer, encoding: string, atMost: number): Promise<Buffer> {
  const decode = decoders.get(encoding);
  if (!decode) throw undecodable(`the answer is encoded as ${encoding}, which was not asked for`);
  try {
    return await decode(body, { maxOutputLength: atMost });
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge(atMost);
    }
    throw undecodable(`the answer is no ${encoding}`, cause);
  }
}

function undecodable(message: string, cause?: unknown): TritonError {
  return new TritonError('data_loss', message, { reason: 'protocol', progress: 'answered', cause });
}
