import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { MessageReader } from './message-stream.js';

describe('MessageReader', () => {
  function compressed(body: Buffer): Buffer {
    const prefix = Buffer.from([1, 0, 0, 0, 0]);
    prefix.writeUInt32BE(body.length, 1);
    return Buffer.concat([prefix, body]);
  }

  test.each([Infinity, 2 ** 53, 2 ** 31, 5])('a limit of %d bytes takes five', (limit) => {
    const part = compressed(gzipSync('hello'));
    // A limit below what is compressed refuses that already.
    const reader = new MessageReader(Math.max(limit, part.length));
    expect(reader.push(part, 'gzip').map(String)).toEqual(['hello']);
    expect(reader.isWhole).toBe(true);
  });

  test('what unfolds beyond the limit is too large, what does not unfold is broken', () => {
    const reader = (): MessageReader => new MessageReader(100);
    expect(reader().push(compressed(deflateSync(Buffer.alloc(100))), 'deflate')).toHaveLength(1);
    const large = compressed(deflateSync(Buffer.alloc(101)));
    expect(() => reader().push(large, 'deflate')).toThrow(
      'more than 100 bytes; raise maxMessageBytes',
    );
    const broken = compressed(Buffer.from('no zlib'));
    expect(() => reader().push(broken, 'deflate')).toThrow('cannot be decompressed');
  });
});
