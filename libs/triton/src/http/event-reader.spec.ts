import { describe, expect, it } from 'vitest';
import { EventReader } from './event-reader.js';

function read(...chunks: (string | Buffer)[]): string[] {
  const reader = new EventReader(1_000);
  return chunks.flatMap((chunk) => [...reader.read(Buffer.from(chunk))].map(String));
}

describe('EventReader', () => {
  const stream =
    '\u{feff}data: {"a":1}\n\n: a comment\r\nid: 7\r\ndata:é\r\ndata\r\ndata:  two\r\n\r\nevent: x\n\ndata: last\r\r';

  it('reads events, whatever ends their lines', () => {
    expect(read(stream)).toEqual(['{"a":1}', 'é\n\n two', 'last']);
  });

  it('reads the same wherever the stream is cut', () => {
    const bytes = Buffer.from(stream);
    for (let at = 0; at <= bytes.length; at++) {
      expect(read(bytes.subarray(0, at), bytes.subarray(at))).toEqual(read(stream));
    }
    expect(read(...Array.from(bytes, (byte) => Buffer.of(byte)))).toEqual(read(stream));
  });

  it('knows whether the stream ends within an event', () => {
    const reader = new EventReader(1_000);
    const partial = (chunk: string): boolean => {
      expect([...reader.read(Buffer.from(chunk))].length).toBeLessThan(2);
      return reader.partial;
    };
    expect([partial('da'), partial('ta: 1\n'), partial('\n'), partial(': x\n')]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('bounds an event, though no line ever ends', () => {
    const reader = new EventReader(10);
    const endless = (): void => {
      for (let index = 0; index < 3; index++)
        expect([...reader.read(Buffer.from('data:x'))]).toEqual([]);
    };
    expect(endless).toThrow(expect.objectContaining({ reason: 'too_large' }));
    expect(() => read('data: x\n'.repeat(2_000))).toThrow(/1000 bytes/);
  });

  it('bounds one event, not the stream', () => {
    expect(read('data: 12345\n\n'.repeat(1_000))).toHaveLength(1_000);
  });
});
