import { isObject, keywordRoles } from './mask-keywords.js';

/**
 * Follows a reference such as `#/properties/place` from schema to schema.
 *
 * @param masks masks by name; a name without one stays
 * @returns the schema it leads to (undefined: none), and the reference with the parameters on its way masked
 */
export function followReference(
  root: unknown,
  reference: string,
  masks: ReadonlyMap<string, string>,
): { target: unknown; masked: string } {
  const steps = reference.split('/');
  let target = root;
  for (let at = 1; at < steps.length; at++) {
    const keyword = decodeStep(steps[at] ?? '');
    const role = keywordRoles.get(keyword);
    const held = member(target, keyword);
    if (role === 'schemas' && !Array.isArray(held)) {
      target = held;
      continue;
    }
    const isNamed = role === 'properties' || role === 'dependents';
    const next = steps[++at];
    if (next === undefined || !(isNamed || role === 'definitions' || role === 'schemas')) {
      target = undefined; // it ends on the way, or leads out of the schemas
      break;
    }
    const name = decodeStep(next);
    target = member(held, name);
    // Masks are of letters, digits, `_` and `.`: nothing that a pointer or a URI would escape.
    if (isNamed) steps[at] = masks.get(name) ?? next;
  }
  return { target, masked: steps.join('/') };
}

function member(value: unknown, key: string): unknown {
  if (!Array.isArray(value) && !isObject(value)) return undefined;
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

function decodeStep(step: string): string {
  try {
    return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return step; // a bad percent escape: no name
  }
}
