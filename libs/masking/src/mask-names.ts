import { createHmac } from 'node:crypto';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** The 64 symbols that Hammer models saw masks of in training. */
const symbols = `${letters}_.0123456789`;
/** Lengths of masks, both ends included, as in training. */
const lengths = { function: [5, 15], parameter: [4, 10] } as const;

export type NameKind = keyof typeof lengths;

/**
 * Gives each distinct name a mask of its own: the same one for the same key, scope and name, whoever else is there
 * (but for a collision, which the later name gives way to).
 *
 * @param scope what the names belong to: the same name in another scope gets another mask
 * @returns masks by name, in the order of the names; no mask is one of the names
 */
export function maskNames(
  kind: NameKind,
  names: Iterable<string>,
  { key, scope }: { key: string; scope: string },
): Map<string, string> {
  const distinct = new Set(names);
  const taken = new Set(distinct);
  const masks = new Map<string, string>();
  for (const name of distinct) {
    let attempt = 0;
    let mask: string;
    do {
      mask = draw(kind, createHmac('sha256', key), [kind, scope, name, attempt++]);
    } while (taken.has(mask));
    taken.add(mask);
    masks.set(name, mask);
  }
  return masks;
}

/** Starts with a letter, so that a mask reads as a name. A digest of 32 bytes is enough for 17 choices. */
function draw(kind: NameKind, hmac: ReturnType<typeof createHmac>, identity: unknown[]): string {
  const bytes = hmac.update(JSON.stringify(identity)).digest();
  const [least, most] = lengths[kind];
  const length = least + (bytes.readUInt8(0) % (most - least + 1));
  const rest = Array.from(
    bytes.subarray(2, length + 1),
    (byte) => symbols[byte % symbols.length] ?? '',
  );
  return (letters[bytes.readUInt8(1) % letters.length] ?? '') + rest.join('');
}
