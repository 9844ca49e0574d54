import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { flag, frame, FrameReader, frameType, settingsFrame, uint32Frame } from './frames.js';
import { ProtocolError } from './protocol-error.js';

/** What a reader said, parts of one DATA frame put together. */
function eventsOf(chunks: readonly Buffer[]): unknown[] {
  const events: unknown[] = [];
  let data: { stream: number; bytes: string; end: boolean } | undefined;
  const reader = new FrameReader(
    {
      dataFrame: (stream, length) => {
        data = undefined;
        events.push({ stream, length });
      },
      data: (stream, part, end) => {
        if (data === undefined) events.push((data = { stream, bytes: '', end }));
        data.bytes += part.toString('hex');
        data.end = end;
      },
      frame: (type, flags, stream, payload) => {
        events.push({ type, flags, stream, payload: payload.toString('hex') });
      },
    },
    2 ** 14,
  );
  for (const chunk of chunks) reader.push(chunk);
  return events;
}

const bytes = Buffer.concat([
  settingsFrame({ 3: 100, 4: 65_535 }),
  frame(frameType.headers, flag.endHeaders, 1, Buffer.from('head')),
  frame(frameType.data, 0, 1, Buffer.from('some data')),
  frame(frameType.data, 0, 3, Buffer.alloc(0)),
  frame(frameType.data, flag.padded, 1, Buffer.from([2, 65, 66, 0, 0])),
  frame(0xfa, 0xff, 2 ** 31 - 1, Buffer.from('unknown')),
  uint32Frame(frameType.windowUpdate, 0, 77),
  frame(frameType.data, flag.endStream, 1, Buffer.from('last')),
  frame(frameType.data, flag.endStream, 3, Buffer.alloc(0)),
]);

describe('FrameReader', () => {
  test('reads frames as they were written', () => {
    expect(eventsOf([bytes])).toEqual([
      { type: 4, flags: 0, stream: 0, payload: '00030000006400040000ffff' },
      { type: 1, flags: 4, stream: 1, payload: Buffer.from('head').toString('hex') },
      { stream: 1, length: 9 },
      { stream: 1, bytes: Buffer.from('some data').toString('hex'), end: false },
      { stream: 3, length: 0 },
      { stream: 3, bytes: '', end: false },
      { stream: 1, length: 5 },
      { type: 0, flags: 8, stream: 1, payload: '0241420000' },
      {
        type: 0xfa,
        flags: 0xff,
        stream: 2 ** 31 - 1,
        payload: Buffer.from('unknown').toString('hex'),
      },
      { type: 8, flags: 0, stream: 0, payload: '0000004d' },
      { stream: 1, length: 4 },
      { stream: 1, bytes: Buffer.from('last').toString('hex'), end: true },
      { stream: 3, length: 0 },
      { stream: 3, bytes: '', end: true },
    ]);
  });

  test('cut in two anywhere, and cut into single bytes, it is the same', () => {
    const whole = eventsOf([bytes]);
    for (let at = 0; at <= bytes.length; at++) {
      expect(eventsOf([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
    }
    expect(eventsOf([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });

  test('cut anyhow, it is the same', () => {
    const whole = eventsOf([bytes]);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (cuts) => {
        const ends = [...cuts.toSorted((a, b) => a - b), bytes.length];
        expect(eventsOf(ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end)))).toEqual(
          whole,
        );
      }),
    );
  });

  test('a frame that is longer than we allow is refused by its head alone', () => {
    const head = frame(frameType.data, 0, 1, Buffer.alloc(2 ** 14 + 1)).subarray(0, 9);
    expect(() => eventsOf([head])).toThrow('a frame of 16385 bytes');
  });

  test('any bytes are read or refused', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (chunks) => {
        let error: unknown = new ProtocolError('none');
        try {
          eventsOf(chunks.map((it) => Buffer.from(it)));
        } catch (thrown) {
          error = thrown;
        }
        expect(error).toBeInstanceOf(ProtocolError);
      }),
    );
  });
});
