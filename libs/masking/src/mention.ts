const numeral = /(?<![\p{L}\p{N}_.,])([0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)(\s?%)?/gu;
const numberWords = 'zero one two three four five six seven eight nine ten eleven twelve'.split(
  ' ',
);

/**
 * Whether a text says a phrase: as whole words, in any case (`exactly`), or in another form (`otherwise`), which is for
 * a number "5,000", "5.0", "2.5%" or "three", for other phrases a part of a word or other marks ("new_york").
 */
export function mention(text: string, phrase: string): 'not' | 'exactly' | 'otherwise' {
  const isNumber = phrase.trim() !== '' && Number.isFinite(Number(phrase));
  if (!isNumber && !holdsLetters(text, phrase)) return 'not';
  const parts = splitAtMentions(text, phrase);
  const rest = parts.join(' ');
  if (isNumber ? holdsNumber(rest, Number(phrase)) : holdsLetters(rest, phrase)) return 'otherwise';
  return parts.length === 1 ? 'not' : 'exactly';
}

/** Replaces a phrase where it stands as whole words, in any case. */
export function replaceMentions(text: string, phrase: string, by: string): string {
  return splitAtMentions(text, phrase).join(by);
}

/** The parts of a text between the places where it says a phrase as whole words. */
function splitAtMentions(text: string, phrase: string): string[] {
  if (phrase === '') return [text];
  const [where, what] = [lower(text), lower(phrase)];
  const parts: string[] = [];
  let start = 0;
  for (let at = where.indexOf(what); at !== -1; at = where.indexOf(what, at + 1)) {
    const end = at + phrase.length;
    if (at < start || !isWhole(phrase, text.slice(0, at).slice(-3), text.slice(end, end + 3))) {
      continue;
    }
    parts.push(text.slice(start, at));
    start = end;
  }
  return [...parts, text.slice(start)];
}

/**
 * Whether a phrase is no part of a longer word or number: "5" is one in "5 km", "5km" and "5.", not in "15", "5.1", "a5".
 *
 * @param before,after what the text has next to it, three UTF-16 units or more
 */
function isWhole(phrase: string, before: string, after: string): boolean {
  if (/^[\p{L}\p{N}_]/u.test(phrase) && /[\p{L}\p{N}_]$/u.test(before)) return false;
  if (/^\p{N}/u.test(phrase) && /\p{N}[.,]$/u.test(before)) return false;
  if (/[\p{L}_]$/u.test(phrase)) return !/^[\p{L}\p{N}_]/u.test(after);
  return !/\p{N}$/u.test(phrase) || !/^[.,]?\p{N}/u.test(after);
}

/** In lower case and of the same length, so that places agree: only U+0130 would grow. */
function lower(text: string): string {
  return text.replaceAll('\u0130', 'i').toLowerCase();
}

function holdsNumber(text: string, number: number): boolean {
  const isNear = (other: number): boolean => Math.abs(other - number) < 1e-12;
  for (const [, digits = '', percent] of text.matchAll(numeral)) {
    const value = Number(digits.replaceAll(',', ''));
    if (isNear(value) || (percent !== undefined && isNear(value / 100))) return true;
  }
  const word = numberWords[number];
  return word !== undefined && splitAtMentions(text, word).length > 1;
}

function holdsLetters(text: string, phrase: string): boolean {
  const letters = withoutMarks(phrase);
  if (letters === '') return phrase !== '' && text.includes(phrase);
  return withoutMarks(text).includes(letters);
}

function withoutMarks(text: string): string {
  return lower(text).replace(/[^\p{L}\p{N}]+/gu, '');
}
