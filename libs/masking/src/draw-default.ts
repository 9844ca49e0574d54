import { PyFloat } from '#libs/pyjson';
import { drawMask } from './draw-mask.js';
import type { Default } from './mask-defaults.js';
import type { Random } from './random.js';

/** Another value of the same type: five random symbols, an int larger by 1 to 4, a float larger by less than 1. */
export function drawDefault(old: Exclude<Default, boolean>, random: Random): Default {
  if (typeof old === 'string') return drawMask('default', random);
  if (old instanceof PyFloat) return new PyFloat(old.value + random.float());
  // As `loads` would give it: a bigint only where a number is not exact.
  const sum = BigInt(old) + BigInt(random.integer(1, 4));
  return Number.isSafeInteger(Number(sum)) ? Number(sum) : sum;
}
