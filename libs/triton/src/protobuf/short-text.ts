const LONGEST = 32;
const SLOTS = 512;

/** Texts that were read lately, by a hash of their bytes. */
const known: string[] = Array.from({ length: SLOTS }, () => '');

/**
 * The text of a few bytes of ASCII; undefined where it is long or no ASCII. Names of models, tensors and data types come
 * again and again: to find a text again costs a fraction of a call into the decoder.
 */
export function readShortText(
  bytes: Uint8Array,
  start: number,
  length: number,
): string | undefined {
  if (length > LONGEST) return undefined;
  let hash = length;
  for (let index = 0; index < length; index++) {
    const byte = bytes[start + index] ?? 0;
    if (byte > 0x7f) return undefined;
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
  const text = known[slot] ?? '';
  if (text.length === length && isSame(text, bytes, start)) return text;
  const read = String.fromCharCode(...bytes.subarray(start, start + length));
  known[slot] = read;
  return read;
}

function isSame(text: string, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}
