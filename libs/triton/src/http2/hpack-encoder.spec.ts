import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HpackDecoder } from './hpack-decoder.js';
import { HpackEncoder, type HeaderUse } from './hpack-encoder.js';
import type { Header } from './hpack-table.js';

const path: Header = [':path', '/inference.GRPCInferenceService/ModelInfer'];

describe('HpackEncoder', () => {
  test('an indexed field costs its text once, then one byte', () => {
    const encoder = new HpackEncoder();
    expect(encoder.encode([[path, 'indexed']]).length).toBeGreaterThan(path[1].length);
    expect(encoder.encode([[path, 'indexed']])).toHaveLength(1);
  });

  test('a field of the static table costs one byte at once', () => {
    expect(new HpackEncoder().encode([[[':method', 'POST'], 'indexed']]).toString('hex')).toBe(
      '83',
    );
  });

  test('a secret is marked as never to be indexed, a field used once as not indexed here', () => {
    const encoder = new HpackEncoder();
    expect(encoder.encode([[['password', 'secret'], 'secret']]).toString('hex')).toBe(
      '100870617373776f726406736563726574',
    );
    expect(encoder.encode([[['a', '1'], 'once']]).toString('hex')).toBe('0001610131');
  });

  test('says the smallest and the last table size that the server asked for, and forgets what fell out', () => {
    const encoder = new HpackEncoder();
    encoder.encode([[path, 'indexed']]);
    encoder.setTableSize(0);
    encoder.setTableSize(200);
    const block = encoder.encode([[path, 'indexed']]);
    expect(block.subarray(0, 4).toString('hex')).toBe('203fa901');
    expect(block.length).toBeGreaterThan(path[1].length);
    expect(encoder.encode([[path, 'indexed']])).toHaveLength(1);
  });

  test('a field that is larger than the table is not put into it', () => {
    const encoder = new HpackEncoder();
    encoder.setTableSize(40);
    encoder.encode([[path, 'indexed']]);
    expect(encoder.encode([[path, 'indexed']]).length).toBeGreaterThan(path[1].length);
  });

  test('whatever is encoded, in whatever way, is decoded again', () => {
    const text = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((it) => String.fromCharCode(it)),
    });
    const name = fc.oneof(
      text.filter((it) => it !== ''),
      fc.constantFrom(':path', 'te', 'cookie'),
    );
    const step = fc.oneof(
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 5_000 }) },
      {
        weight: 6,
        arbitrary: fc.array(
          fc.tuple(fc.nat(7), fc.constantFrom<HeaderUse>('indexed', 'once', 'secret')),
          { maxLength: 8 },
        ),
      },
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, text), { minLength: 8, maxLength: 8 }),
        fc.array(step, { maxLength: 20 }),
        (fields, steps) => {
          const encoder = new HpackEncoder();
          const decoder = new HpackDecoder(Infinity);
          for (const it of steps) {
            if (typeof it === 'number') {
              encoder.setTableSize(it);
              continue;
            }
            const block = it.map(([at, use]) => [fields[at] ?? ['', ''], use] as const);
            expect(decoder.decode(encoder.encode(block))).toEqual(block.map(([field]) => field));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
