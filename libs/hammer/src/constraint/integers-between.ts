import { choice } from './gbnf-rules.js';

/** The largest integer of 16 digits whose range is cheap to write; 2^53 is 1 ‰ more. */
const largest = 8_999_999_999_999_999;

/** GBNF for the integers from `min` to `max`, both cut to what a double holds; undefined if there is none. */
export function integersBetween(min: number, max: number): string | undefined {
  const low = Math.max(Math.ceil(min), -largest);
  const high = Math.min(Math.floor(max), largest);
  if (low > high) return undefined;
  const alternatives = [
    ...(low <= 0 && high >= 0 ? ['"0"'] : []),
    ...(high > 0 ? naturals(Math.max(low, 1), high) : []),
    ...(low < 0 ? [`"-" ${choice(naturals(Math.max(-high, 1), -low))}`] : []),
  ];
  return choice(alternatives);
}

/** Alternatives for 1 ≤ low ≤ n ≤ high: one or more for each number of digits; those with all their numbers in one. */
function naturals(low: number, high: number): string[] {
  const alternatives: string[] = [];
  const full: number[] = [];
  for (let digits = String(low).length; digits <= String(high).length; digits++) {
    const from = Math.max(low, 10 ** (digits - 1));
    const to = Math.min(high, 10 ** digits - 1);
    if (from === 10 ** (digits - 1) && to === 10 ** digits - 1) full.push(digits - 1);
    else alternatives.push(sameLength(String(from), String(to)));
  }
  const [least] = full;
  if (least !== undefined) alternatives.unshift(`[1-9] [0-9]{${least},${full.at(-1)}}`);
  return alternatives;
}

/** Digits from `low` to `high`, which are equally long. */
function sameLength(low: string, high: string): string {
  if (low === high) return `"${low}"`;
  const [first, last] = [Number(low[0]), Number(high[0])];
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  if (first === last) return `"${first}" ${sameLength(lowRest, highRest)}`;
  const [zeros, nines] = ['0'.repeat(lowRest.length), '9'.repeat(lowRest.length)];
  const alternatives: string[] = [];
  const from = lowRest === zeros ? first : first + 1;
  const to = highRest === nines ? last : last - 1;
  if (from > first) alternatives.push(`"${first}" ${sameLength(lowRest, nines)}`);
  if (from <= to) {
    const rest = lowRest === '' ? '' : ` [0-9]{${lowRest.length}}`;
    alternatives.push((from === to ? `"${from}"` : `[${from}-${to}]`) + rest);
  }
  if (to < last) alternatives.push(`"${last}" ${sameLength(zeros, highRest)}`);
  return choice(alternatives);
}
