import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzzRuns } from '../../../../test/support/fuzz.js';
import { TritonError } from '../triton-error.js';
import {
  bool,
  bytes,
  decimalFloat,
  double,
  enumeration,
  float,
  int32,
  int64,
  int64Number,
  int64Text,
  map,
  nested,
  oneof,
  repeated,
  string,
  uint32,
  uint64,
  uint64Number,
  uint64Text,
} from './fields.js';
import { message, type MessageInit, type MessageOf, type MessageType } from './message.js';
import { enumType } from './scalar-types.js';

const Colour = enumType('Colour', { GREY: 0, RED: 1, DARK: -2 });

const Inner = message('Inner', { name: string(1), sizes: repeated(int32(2)) });

const Everything = message('Everything', {
  text: string(1),
  blob: bytes(2),
  yes: bool(3),
  small: int32(4),
  count: uint32(5),
  long: int64(6),
  unsigned: uint64(7),
  single: float(8),
  exact: double(9),
  colour: enumeration(10, Colour),
  inner: nested(11, Inner),
  texts: repeated(string(12)),
  flags: repeated(bool(13)),
  longs: repeated(int64(14)),
  doubles: repeated(double(15)),
  inners: repeated(nested(16, Inner)),
  colours: repeated(enumeration(17, Colour)),
  byName: map(18, string, nested(2, Inner)),
  byNumber: map(19, int64Text, string(2)),
  ...oneof('choice', { one: string(20), two: int32(21), three: nested(22, Inner) }),
  blobs: repeated(bytes(300)),
});

interface Tree {
  readonly children: readonly Tree[];
  readonly only?: Tree;
}
const Tree: MessageType<Tree, Partial<Tree>> = message('Tree', {
  children: repeated(nested(1, () => Tree)),
  only: nested(2, () => Tree),
});

function wire<M extends MessageType<unknown, never>>(type: M, value: MessageInit<M>): Buffer {
  return Buffer.concat((type as MessageType<unknown, MessageInit<M>>).encode(value));
}

function hex(type: MessageType<unknown, never>, value: object): string {
  return wire(type, value as never).toString('hex');
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

function failure(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('on the wire', () => {
  it.each([
    [{}, ''],
    [{ text: '', small: 0, yes: false, exact: 0, colour: 'GREY', texts: [], byName: {} }, ''],
    [{ text: 'héj' }, '0a0468c3a96a'],
    [{ small: 150 }, '209601'],
    [{ small: -1 }, '20ffffffffffffffffff01'],
    [{ count: 4_294_967_295 }, '28ffffffff0f'],
    [{ long: -(2n ** 63n) }, '3080808080808080808001'],
    [{ unsigned: 2 ** 53 - 1 }, '38ffffffffffffff0f'],
    [{ unsigned: 2n ** 64n - 1n }, '38ffffffffffffffffff01'],
    [{ single: 1.5 }, '450000c03f'],
    [{ exact: -0 }, '490000000000000080'],
    [{ colour: 'DARK' }, '50feffffffffffffffff01'],
    [{ colour: 7 }, '5007'],
    [{ inner: {} }, '5a00'],
    [{ inner: { name: 'a', sizes: [1, 300] } }, '5a080a0161120301ac02'],
    [{ texts: ['', 'a'] }, '6200620161'],
    [{ flags: [true, false] }, '6a020100'],
    [{ byName: { a: {} } }, '9201050a01611200'],
    [{ byNumber: { '-1': 'b' } }, '9a010e08ffffffffffffffffff01120162'],
    [{ one: '' }, 'a20100'],
    [{ two: 0 }, 'a80100'],
    [
      { blobs: [new Uint8Array([1]), [new Uint8Array([2]), new Uint8Array([3])]] },
      'e2120101e212020203',
    ],
  ])('%o', (value, expected) => {
    expect(hex(Everything, value)).toBe(expected);
  });

  it('reads numbers that are not packed, and packed ones in several parts', () => {
    expect(Inner.decode(bytesOf('1001 12020203 1004')).sizes).toEqual([1, 2, 3, 4]);
  });

  it('takes the last value of a field, and merges messages', () => {
    expect(Everything.decode(bytesOf('2001 2002')).small).toBe(2);
    const twice = Buffer.concat([
      wire(Everything, { inner: { name: 'a', sizes: [1] } }),
      wire(Everything, { inner: { sizes: [2] } }),
    ]);
    expect(Everything.decode(twice).inner).toEqual({ name: 'a', sizes: [1, 2] });
  });

  it('keeps of a oneof what came last', () => {
    const both = Buffer.concat([wire(Everything, { one: 'a' }), wire(Everything, { two: 0 })]);
    const { one, two } = Everything.decode(both);
    expect({ one, two }).toEqual({ one: undefined, two: 0 });
    expect(Object.keys(Everything.decode(both))).not.toContain('one');
  });

  it('gives an entry of a map without key or value their defaults, and the last one of a key', () => {
    expect(Everything.decode(bytesOf('920100')).byName).toEqual({ '': { name: '', sizes: [] } });
    expect(Everything.decode(bytesOf('9a0100')).byNumber).toEqual({ 0: '' });
    expect(Everything.decode(bytesOf('9a010312 0161 9a01031201 62')).byNumber).toEqual({ 0: 'b' });
  });

  it('merges the message of an entry that comes in two parts', () => {
    expect(Everything.decode(bytesOf('92010b 0a0161 12021001 12021002')).byName).toEqual({
      a: { name: '', sizes: [1, 2] },
    });
  });

  it('goes past fields that it does not know, and known ones of another wire type', () => {
    const unknown =
      'b81f 01 b91f 0000000000000000 ba1f 0161 bd1f 00000000 bb1f 0801 bb1f bc1f bc1f 08ff';
    expect(Everything.decode(bytesOf(`${unknown}01 0801 2002`)).small).toBe(2);
  });

  it('takes names like __proto__ as any other', () => {
    const byName = JSON.parse('{"__proto__":{"name":"own","sizes":[]}}') as Record<string, object>;
    const read = Everything.decode(wire(Everything, { byName })).byName;
    expect(Object.entries(read)).toEqual(Object.entries(byName));
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  });

  it('does not share what it reads between messages', () => {
    const one = Everything.decode(wire(Everything, { texts: ['a'], byNumber: { 1: 'a' } }));
    const other = Everything.decode(wire(Everything, { texts: ['b'] }));
    expect([one.texts, one.byNumber, other.texts, other.byNumber]).toEqual([
      ['a'],
      { 1: 'a' },
      ['b'],
      {},
    ]);
  });
});

describe('numbers of 64 bits', () => {
  const Sixty = message('Sixty', { exact: int64(1), near: int64Number(2), text: int64Text(3) });
  const Unsigned = message('Unsigned', {
    exact: uint64(1),
    near: uint64Number(2),
    text: uint64Text(3),
  });

  it.each([
    [2n ** 53n - 1n, Number.MAX_SAFE_INTEGER],
    [2n ** 53n, 2n ** 53n],
    [-(2n ** 53n) + 1n, Number.MIN_SAFE_INTEGER],
    [-(2n ** 53n), -(2n ** 53n)],
    [-(2n ** 63n), -(2n ** 63n)],
    [-1n, -1],
    [2n ** 32n, 2 ** 32],
  ])('%s reads as %s', (written, read) => {
    const answer = Sixty.decode(wire(Sixty, { exact: written, near: written, text: `${written}` }));
    expect(answer).toEqual({ exact: read, near: Number(written), text: `${written}` });
    if (written < 0n) return;
    const unsigned = wire(Unsigned, { exact: written, near: written, text: `${written}` });
    expect(Unsigned.decode(unsigned)).toEqual(answer);
  });

  it('are refused out of range', () => {
    for (const exact of [2n ** 63n, -(2n ** 63n) - 1n, 0.5, 2 ** 53, NaN]) {
      expect(failure(() => Sixty.encode({ exact }))).toMatchObject({ code: 'invalid_argument' });
    }
    expect(() => Unsigned.encode({ exact: -1 })).toThrow('Unsigned.exact');
    expect(() => Unsigned.encode({ text: 'ten' })).toThrow('Unsigned.text');
  });
});

it('reads a float as the shortest decimal where that is asked for', () => {
  const Floats = message('Floats', { short: repeated(decimalFloat(1)), exact: float(2) });
  const read = Floats.decode(
    wire(Floats, { short: [0.1, 16_777_216, 1e-10, -0.3, -0, Infinity], exact: 0.1 }),
  );
  expect(read).toEqual({
    short: [0.1, 16_777_216, 1e-10, -0.3, -0, Infinity],
    exact: Math.fround(0.1),
  });
});

describe('pieces', () => {
  it('are one, however often the slab is changed', () => {
    for (let count = 0; count < 2_000; count++) {
      const value = {
        texts: ['x'.repeat(count % 300)],
        longs: Array.from({ length: count % 60 }, () => -count - 1),
        doubles: [count],
      };
      const pieces = Everything.encode(value);
      expect(pieces).toHaveLength(1);
      expect(Everything.decode(Buffer.concat(pieces))).toMatchObject(value);
    }
  });

  it('have a great value uncopied, and lengths that count it', () => {
    const great = new Uint8Array(16_384).fill(7);
    const small = new Uint8Array(16_383).fill(8);
    const pieces = Everything.encode({
      text: 'a',
      inner: { name: 'b' },
      blobs: [great, [small, great]],
    });
    expect(pieces.filter((piece) => piece === great)).toHaveLength(2);
    expect(pieces).toHaveLength(4);
    const read = Everything.decode(Buffer.concat(pieces));
    expect([read.text, read.inner?.name]).toEqual(['a', 'b']);
    expect(read.blobs.map((blob) => Buffer.from(blob))).toEqual([
      Buffer.from(great),
      Buffer.concat([small, great]),
    ]);
  });

  it('hold what is longer than a slab', () => {
    const text = 'é'.repeat(100_000);
    const texts = [text, 'end'];
    expect(Everything.decode(wire(Everything, { texts })).texts).toEqual(texts);
  });

  it('do not change when the next message is written', () => {
    const first = Everything.encode({ text: 'first' });
    const copy = Buffer.concat(first);
    expect(() => Everything.encode({ text: 'second', texts: ['\ud800'] })).toThrow(TritonError);
    Everything.encode({ text: 'third' });
    expect(Buffer.concat(first)).toEqual(copy);
  });
});

describe('values that cannot be written', () => {
  it.each<[string, object, string]>([
    ['a lone surrogate', { text: 'a\ud800' }, 'Everything.text: a lone surrogate'],
    ['one in a long text', { texts: ['ok', `${'x'.repeat(100)}\udc00`] }, 'Everything.texts'],
    ['one in a key', { byName: { '\ud800': {} } }, 'a key of Everything.byName'],
    ['a text that is none', { text: 5 }, 'Everything.text: 5 is not a text'],
    ['an integer that is none', { small: 1.5 }, 'Everything.small: 1.5'],
    ['an integer out of range', { count: -1 }, 'Everything.count: -1'],
    ['an enum of no such name', { colour: 'BLUE' }, 'give one of GREY, RED, DARK'],
    ['a list that is none', { texts: 'a' }, 'Everything.texts: a is not a list'],
    ['a hole in a list', { texts: [undefined] }, 'Everything.texts: undefined'],
    ['a message that is none', { inner: null }, 'Everything.inner: null is not an object'],
    ['bytes that are none', { blob: 'a' }, 'Everything.blob: a is not a Uint8Array'],
  ])('%s', (_, value, problem) => {
    const error = failure(() => Everything.encode(value));
    expect(error).toBeInstanceOf(TritonError);
    expect(error).toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining(problem) as string,
    });
  });
});

describe('messages that cannot be read', () => {
  it.each([
    ['an unfinished tag', 'ff'],
    ['a number of eleven bytes', '20ffffffffffffffffffff01'],
    ['a number that ends early', '2080'],
    ['a text that ends early', '0a0561'],
    ['a text of more than 2^32 bytes', '0a8080808010'],
    ['a double that ends early', '4900000000'],
    ['packed numbers that end within one', '7a0400000000'],
    ['a message that ends within a field', '5a020a05'],
    ['field number 0', '0001'],
    ['wire type 6', '0e'],
    ['wire type 7', '0f'],
    ['the end of a group', '0c'],
    ['the end of another group', 'bb1f c41f'],
    ['a group without end', 'bb1f'],
  ])('%s', (_, text) => {
    const error = failure(() => Everything.decode(bytesOf(text)));
    expect(error).toBeInstanceOf(TritonError);
    expect(error).toMatchObject({ code: 'internal', reason: 'protocol' });
  });

  it('names the text that is not UTF-8', () => {
    for (const text of ['0a02c328', '0a03eda080', `0a41${'61'.repeat(64)}ff`]) {
      const error = failure(() => Everything.decode(bytesOf(text)));
      expect(error).toMatchObject({ code: 'data_loss', reason: 'malformed_text' });
      expect(String(error)).toContain('Everything.text');
    }
  });

  it('leaves a byte order mark in a text', () => {
    expect(Everything.decode(bytesOf('0a04efbbbf61')).text).toBe('\ufeffa');
  });

  it('takes messages in messages up to a depth of 100', () => {
    const chain = (depth: number): Tree =>
      depth === 0 ? { children: [] } : { children: [], only: chain(depth - 1) };
    expect(Tree.decode(wire(Tree, chain(100)))).toEqual(chain(100));
    expect(failure(() => Tree.decode(wire(Tree, chain(101))))).toMatchObject({
      reason: 'protocol',
    });
    const wide = { children: Array.from({ length: 300 }, () => chain(1)) };
    expect(Tree.decode(wire(Tree, wide))).toEqual(wide);
    expect(Tree.decode(bytesOf('bb1f bc1f'.repeat(300)))).toEqual({ children: [] });
    const groups = bytesOf('bb1f'.repeat(100_000));
    expect(failure(() => Tree.decode(groups))).toMatchObject({ reason: 'protocol' });
  });
});

describe('properties', () => {
  const inner = fc.record({ name: fc.string({ unit: 'binary' }), sizes: fc.array(fc.integer()) });
  const long = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(exactly);
  const text = fc.string({ unit: 'binary', maxLength: 80 });
  const blob = fc.uint8Array({ maxLength: 100 });
  const colour = fc.constantFrom('GREY' as const, 'RED' as const, 'DARK' as const, 9);
  const full = {
    text,
    blob,
    yes: fc.boolean(),
    small: fc.integer(),
    count: fc.nat(0xffff_ffff),
    long,
    unsigned: fc.bigInt(0n, 2n ** 64n - 1n).map(exactly),
    single: fc.float(),
    exact: fc.double(),
    colour,
    texts: fc.array(text),
    flags: fc.array(fc.boolean()),
    longs: fc.array(long),
    doubles: fc.array(fc.double()),
    inners: fc.array(inner),
    colours: fc.array(colour),
    byName: fc.dictionary(text, inner),
    byNumber: fc.dictionary(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String), text),
    blobs: fc.array(blob),
  };
  const choice = fc.oneof(
    fc.constant({}),
    text.map((one) => ({ one })),
    fc.integer().map((two) => ({ two })),
    inner.map((three) => ({ three })),
  );
  const values: fc.Arbitrary<MessageOf<typeof Everything>> = fc
    .tuple(fc.record(full), fc.option(inner, { nil: undefined }), choice)
    .map(([fields, sub, chosen]) => ({ ...fields, ...(sub && { inner: sub }), ...chosen }));

  /** As it is read: a number where that is exact. */
  function exactly(value: bigint): number | bigint {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  it('what is written is read again', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(Everything.decode(wire(Everything, value))).toEqual(value);
      }),
      { numRuns: fuzzRuns() },
    );
  });

  it('cut and changed messages throw TritonError, or nothing', () => {
    const changed = fc.tuple(values, fc.nat(), fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(changed, ([value, end, place, byte]) => {
        const whole = wire(Everything, value);
        const cut = whole.subarray(0, end % (whole.length + 1));
        if (cut.length > 0) cut[place % cut.length] = byte;
        const error = failure(() => Everything.decode(cut));
        expect(error === undefined || error instanceof TritonError).toBe(true);
      }),
      { numRuns: fuzzRuns() },
    );
  });

  it('bytes at random throw TritonError, or nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        const error = failure(() => Everything.decode(random));
        expect(error === undefined || error instanceof TritonError).toBe(true);
      }),
      { numRuns: fuzzRuns() },
    );
  });
});
