import fc from 'fast-check';
import { expect, it } from 'vitest';
import { eventData } from './event-stream.js';

async function read(chunks: Iterable<Uint8Array>): Promise<string[]> {
  async function* body() {
    yield* chunks;
  }
  const all: string[] = [];
  for await (const data of eventData(body())) all.push(data);
  return all;
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b,
  );
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

it.each(['\n', '\r\n'])(
  'reads events however they are cut, with lines that end in %j',
  async (end) => {
    const lines =
      ': a comment|data: é😀|id: 1||event: x|data:one|data: two||||data: [DONE]||data: lost';
    const bytes = new TextEncoder().encode(lines.replaceAll('|', end));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat()), async (places) => {
        expect(await read(cut(bytes, places))).toEqual(['é😀', 'one\ntwo', '[DONE]']);
      }),
    );
  },
);

it('refuses what is no text, and a line without end', async () => {
  await expect(read([new Uint8Array([0xff, 0x0a])])).rejects.toThrow(TypeError);
  const piece = new TextEncoder().encode('x'.repeat(1 << 19));
  await expect(read([piece, piece, piece])).rejects.toThrow('no end');
});
