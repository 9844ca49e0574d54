/** Bits of each symbol's code (one base-36 digit each), 256 being the end mark: RFC 7541, appendix B. The code is canonical. */
const lengths =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq' +
  'u';

const longest = 30;
const endMark = 256;

/** By length: the first code, how many there are, and where their symbols begin in `symbols`. */
const firstCode = new Uint32Array(longest + 2);
const counts = new Uint16Array(longest + 2);
const starts = new Uint16Array(longest + 2);
const symbols = new Uint16Array(lengths.length);

for (let symbol = 0; symbol < lengths.length; symbol++) {
  counts[lengthOf(symbol)] = (counts[lengthOf(symbol)] ?? 0) + 1;
}
for (let length = 1, code = 0, start = 0; length <= longest; length++) {
  code *= 2;
  firstCode[length] = code;
  starts[length] = start;
  let at = start;
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    if (lengthOf(symbol) === length) symbols[at++] = symbol;
  }
  code += at - start;
  start = at;
}

function lengthOf(symbol: number): number {
  return Number.parseInt(lengths.charAt(symbol), 36);
}

/**
 * Decodes a Huffman-coded header text to its bytes, as Latin-1. Undefined if the code is broken: the end mark within, or
 * padding that is not the beginning of it.
 */
export function decodeHuffman(bytes: Uint8Array): string | undefined {
  const text: number[] = [];
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      length++;
      const offset = code - (firstCode[length] ?? 0);
      if (offset >= 0 && offset < (counts[length] ?? 0)) {
        const symbol = symbols[(starts[length] ?? 0) + offset] ?? endMark;
        if (symbol === endMark) return undefined;
        text.push(symbol);
        code = 0;
        length = 0;
      } else if (length >= longest) {
        return undefined;
      }
    }
  }
  if (length > 7 || code !== 2 ** length - 1) return undefined;
  return Buffer.from(text).toString('latin1');
}
