import { type GbnfRules, jsonLiteral } from './gbnf-rules.js';

/** A property of an object. `value`: an expression. */
export interface Member {
  name: string;
  value: string;
  isRequired: boolean;
}

/**
 * An object of these members in this order, then of any others with the values `others`.
 *
 * Written from the end: each member says what follows it, or gives way to that if it may be absent. So nothing but what
 * is left at the end is optional. XGrammar, which works out for every place what tokens fit there, is tens of times
 * slower with a row of parts that each may be empty.
 */
export function writeObject(
  members: readonly Member[],
  others: string | undefined,
  rules: GbnfRules,
): string {
  let rest = others === undefined ? '' : `string ": " ${others} (", " string ": " ${others})*`;
  let isRestRequired = false;
  for (const { name, value, isRequired } of members.toReversed()) {
    // What may be absent needs the rest in two places.
    const following = isRequired || rest === '' ? rest : rules.share(rest);
    const next =
      following === '' ? '' : isRestRequired ? ` ", " ${following}` : ` (", " ${following})?`;
    const member = `${jsonLiteral(name, '', ': ')} ${value}${next}`;
    rest = isRequired || following === '' ? member : `(${member} | ${following})`;
    isRestRequired ||= isRequired;
  }
  if (rest === '') return '"{}"';
  return isRestRequired ? `"{" ${rest} "}"` : `"{" (${rest})? "}"`;
}
