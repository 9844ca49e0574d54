import { isEqual, PyFloat, str } from '#libs/pyjson';
import { drawDefault } from './draw-default.js';
import type { DefaultRules } from './mask-defaults.js';

/** The rules of the paper's code: see `maskDefaults`. */
export const strictDefaults: DefaultRules = {
  isUse: (value, old) => str(value) === str(old),
  follows: isEqual,
  draw: (old, _place, random) => {
    if (typeof old === 'boolean') return new PyFloat(Number(old) + random.float());
    return drawDefault(old, random);
  },
  inDescription: replaceAll,
  inQuery: (text, old, fresh) =>
    [String, capitalise, lower, upper].reduce(
      (query, form) => replaceAll(query, form(old), form(fresh)),
      text,
    ),
};

function replaceAll(text: string, old: string, fresh: string): string {
  return text.replaceAll(old, () => fresh);
}

/** Python's `capitalize`: the first character in title case, the others in lower case. */
function capitalise(text: string): string {
  const [first = ''] = text;
  const [head = '', ...tail] = upper(first);
  return head + lower(tail.join('') + text.slice(first.length));
}

function lower(text: string): string {
  return text.toLowerCase();
}

function upper(text: string): string {
  return text.toUpperCase();
}
