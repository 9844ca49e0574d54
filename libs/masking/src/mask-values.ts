import { isObject, setMember } from './mask-keywords.js';
import type { Place } from './mask-places.js';

/** Lists and objects deeper than this are left as they are, so that no answer of a model can overflow the stack. */
export const maxDepth = 64;

/** From which names to which. */
export const masking = { from: 'byName', to: 'byMask', write: 'mask' } as const;
export const unmasking = { from: 'byMask', to: 'byName', write: 'name' } as const;
export type Direction = typeof masking | typeof unmasking;

/**
 * A value with its members renamed wherever the schemas list them; the value itself where nothing is to be renamed. If
 * it has a member under both names, the one that is renamed counts.
 */
export function renameMembers(
  value: unknown,
  place: Place | undefined,
  direction: Direction,
  levels = maxDepth,
): unknown {
  if (typeof value !== 'object' || value === null || place === undefined || levels === 0) {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map((item, index) =>
      renameMembers(item, place.item(index), direction, levels - 1),
    );
  }
  if (!isObject(value)) return value;
  const renamed: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const given = place[direction.from].get(key);
    const member = given ?? place[direction.to].get(key);
    if (given === undefined && member !== undefined) {
      const other = direction.write === 'name' ? member.mask : member.name;
      if (Object.hasOwn(value, other)) continue;
    }
    const inner = value[key];
    const isLeaf = typeof inner !== 'object' || inner === null;
    const name = given?.[direction.write] ?? key;
    setMember(
      renamed,
      name,
      isLeaf
        ? inner
        : renameMembers(
            inner,
            member === undefined ? place.rest(key) : member.place,
            direction,
            levels - 1,
          ),
    );
  }
  return renamed;
}
