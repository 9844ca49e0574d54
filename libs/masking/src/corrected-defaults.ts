import { dumps, type PyValue, str } from '#libs/pyjson';
import { drawDefault } from './draw-default.js';
import type { Default, DefaultPlace, DefaultRules } from './mask-defaults.js';
import { mention, replaceMentions } from './mention.js';
import type { Random } from './random.js';

/** Draws until a default stays: four values of an int are tried with a probability of 98 % or more. */
const attempts = 20;

/** The rules that keep query, schema and answers in agreement: see `maskDefaults`. */
export const correctedDefaults: DefaultRules = {
  isUse: isSame,
  follows: isSame,
  draw: drawFresh,
  inDescription: replaceMentions,
  inQuery: replaceMentions,
};

/** Equal texts are equal values of one type. */
function isSame(value: PyValue, old: Default): boolean {
  return dumps(value) === dumps(old);
}

function drawFresh(old: Default, place: DefaultPlace, random: Random): Default | undefined {
  if (typeof old === 'boolean' || isListed(old, place)) return undefined;
  const text = str(old);
  if (!/[\p{L}\p{N}]/u.test(text)) return undefined; // a blank, say: it stands everywhere
  const others = otherLabels(old, place);
  const said = mention(place.query, text);
  if (said === 'otherwise') return undefined;
  if (said === 'exactly' && others.some((label) => mention(label, text) !== 'not'))
    return undefined;
  const texts = [place.query, str(place.schema.get('description')), ...others];
  for (let attempt = 0; attempt < attempts; attempt++) {
    const fresh = drawDefault(old, random);
    const freshText = str(fresh);
    const isNew = texts.every((other) => mention(other, freshText) === 'not');
    const isPlain = [text, ...others].every((other) => mention(freshText, other) === 'not');
    if (isNew && isPlain) return fresh;
  }
  return undefined;
}

function isListed(old: Default, { schema }: DefaultPlace): boolean {
  const values = schema.get('enum');
  return Array.isArray(values) && values.some((value) => isSame(value, old));
}

/** The texts of all arguments but those that follow the default. */
function otherLabels(old: Default, { parameter, answers }: DefaultPlace): string[] {
  return answers.flatMap((call) =>
    [...call.arguments].flatMap(([name, value]) =>
      name === parameter && isSame(value, old) ? [] : leaves(value),
    ),
  );
}

function leaves(value: PyValue): string[] {
  if (Array.isArray(value)) return value.flatMap(leaves);
  if (value instanceof Map) return [...value].flatMap(([key, member]) => [key, ...leaves(member)]);
  return [str(value)];
}
