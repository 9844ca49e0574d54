/**
 * 32 bits of a text, the same in every process and version: FNV-1a over its UTF-16 code units, then {@link mix}, as FNV
 * alone spreads short texts badly in the high bits.
 */
export function hashText(text: string): number {
  let hash = 0x81_1c_9d_c5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01_00_01_93);
  }
  return mix(hash);
}

/**
 * MurmurHash3's finaliser: each bit of the input changes each bit of the output in about half of all cases. One-to-one, so
 * that the scores of two endpoints for a key are never equal; hence 32 bits do, and 64 would need BigInt.
 */
export function mix(bits: number): number {
  let hash = bits;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2_b2_ae_35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
