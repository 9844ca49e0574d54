import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HpackDecoder, HpackError } from './hpack-decoder.js';

const maxListSize = 2 ** 16;

function decodeAll(...blocks: string[]): string[][] {
  const decoder = new HpackDecoder(maxListSize);
  return blocks.map((hex) =>
    decoder
      .decode(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
      .map(([name, value]) => `${name}: ${value}`),
  );
}

/** RFC 7541, C.5 and C.6, have a table of 256 bytes, which we announce by the first byte of each. */
const tableOf256 = '3fe101';

const requests = [
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
  [
    ':method: GET',
    ':scheme: http',
    ':path: /',
    ':authority: www.example.com',
    'cache-control: no-cache',
  ],
  [
    ':method: GET',
    ':scheme: https',
    ':path: /index.html',
    ':authority: www.example.com',
    'custom-key: custom-value',
  ],
];
const responses = [
  [
    ':status: 302',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 307',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 200',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:22 GMT',
    'location: https://www.example.com',
    'content-encoding: gzip',
    'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ],
];

describe('the examples of RFC 7541, appendix C', () => {
  test.each([
    ['C.2.1', '400a637573746f6d2d6b65790d637573746f6d2d686561646572', 'custom-key: custom-header'],
    ['C.2.2', '040c2f73616d706c652f70617468', ':path: /sample/path'],
    ['C.2.3', '100870617373776f726406736563726574', 'password: secret'],
    ['C.2.4', '82', ':method: GET'],
  ])('%s', (_, block, field) => {
    expect(decodeAll(block)).toEqual([[field]]);
  });

  test('C.3: requests in plain text', () => {
    expect(
      decodeAll(
        '828684410f7777772e6578616d706c652e636f6d',
        '828684be58086e6f2d6361636865',
        '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
      ),
    ).toEqual(requests);
  });

  test('C.4: requests in Huffman codes', () => {
    expect(
      decodeAll(
        '828684418cf1e3c2e5f23a6ba0ab90f4ff',
        '828684be5886a8eb10649cbf',
        '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
      ),
    ).toEqual(requests);
  });

  test('C.5: responses in plain text, with eviction', () => {
    expect(
      decodeAll(
        `${tableOf256} 4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54` +
          '6e1768747470733a2f2f7777772e6578616d706c652e636f6d',
        '4803333037c1c0bf',
        '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153' +
          '444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31',
      ),
    ).toEqual(responses);
  });

  test('C.6: responses in Huffman codes, with eviction', () => {
    expect(
      decodeAll(
        `${tableOf256} 488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff` +
          '6e919d29ad171863c78f0b97c8e9ae82ae43d3',
        '4883640effc1c0bf',
        '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b' +
          '3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
      ),
    ).toEqual(responses);
  });
});

describe('HpackDecoder', () => {
  test('a smaller table drops the oldest, a larger one brings nothing back', () => {
    // a: 1 and b: 2 take 34 bytes each; 34 and 4096 are limits.
    expect(decodeAll('4001610131 4001620132', 'bf be', '3f03', 'be', '3fe11f be')).toEqual([
      ['a: 1', 'b: 2'],
      ['a: 1', 'b: 2'],
      [],
      ['b: 2'],
      ['b: 2'],
    ]);
  });

  test('an entry that is larger than the table empties it', () => {
    const big = Buffer.alloc(4096, 0x78).toString('hex');
    expect(() => decodeAll('4001610131', `400162 7f811f ${big}`, 'be')).toThrow(HpackError);
    expect(decodeAll('4001610131', `400162 7f811f ${big}`)).toHaveLength(2);
  });

  test.each([
    ['index 0', '80'],
    ['an index beyond the tables', 'be'],
    ['a name beyond the tables', '7e0131'],
    ['a number that does not end', 'ffffffffffffffffff'],
    ['a cut-off number', 'ff'],
    ['a cut-off text', '400a6375'],
    ['a missing value', '400161'],
    ['a broken Huffman code', '400161 81ff'],
    ['a table size above the agreed one', '3fe21f'],
    ['a table size after a field', '82 3fe11f'],
  ])('refuses %s', (_, block) => {
    expect(() => decodeAll(block)).toThrow(HpackError);
  });

  test('any bytes are a header list or an HpackError', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (blocks) => {
        const decoder = new HpackDecoder(maxListSize);
        let error: unknown = new HpackError('none');
        try {
          for (const block of blocks) decoder.decode(block);
        } catch (thrown) {
          error = thrown;
        }
        expect(error).toBeInstanceOf(HpackError);
      }),
      { numRuns: 1_000 },
    );
  });

  test('a small block that unfolds into a large list is refused', () => {
    const big = `400161 7fa11e ${Buffer.alloc(4000, 0x78).toString('hex')}`;
    expect(() => decodeAll(`${big} ${'be'.repeat(1_000_000)}`)).toThrow('too large');
  });
});
