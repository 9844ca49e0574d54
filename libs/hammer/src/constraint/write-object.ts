import { type GbnfRules, jsonLiteral } from './gbnf-rules.js';

/** A property of an object. `value`: an expression. */
export interface Member {
  name: string;
  value: string;
  isRequired: boolean;
}

/**
 * An object of these members in this order, then of any others with the values `others`. All commas hang on the first
 * required member, so that it takes one step for each; where there is none, each member may be the first.
 */
export function writeObject(
  members: readonly Member[],
  others: string | undefined,
  rules: GbnfRules,
): string {
  let rest = others === undefined ? '' : ` (", " string ": " ${others})*`;
  const first = members.findIndex(({ isRequired }) => isRequired);
  if (first >= 0) {
    const before = members.slice(0, first).map((member) => ` (${write(member, '')} ", ")?`);
    const after = members.slice(first).map((member, index) => {
      if (index === 0) return ` ${write(member, '')}`;
      return member.isRequired ? ` ${write(member, ', ')}` : ` (${write(member, ', ')})?`;
    });
    return `"{"${before.join('')}${after.join('')}${rest} "}"`;
  }
  const starts = others === undefined ? [] : [`string ": " ${others}${rest}`];
  for (const [index, member] of [...members.entries()].toReversed()) {
    starts.push(`${write(member, '')}${rest}`);
    if (index > 0) rest = ` ${rules.share(`(${write(member, ', ')})?${rest}`)}`;
  }
  return starts.length === 0 ? '"{}"' : `"{" (${starts.toReversed().join(' | ')})? "}"`;
}

function write({ name, value }: Member, before: string): string {
  return `${jsonLiteral(name, before, ': ')} ${value}`;
}
