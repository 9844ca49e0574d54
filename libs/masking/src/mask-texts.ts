import type { JsonSchema } from '#libs/contracts';
import { isObject } from './mask-keywords.js';

const quote = /[`'"“”‘’]/g;
/** What a run has that may be a distinctive name: `_`, a digit, a dot or capital inside; or what is not ASCII. */
const clue = /[_\d]|\.\w|[A-Za-z][A-Z]|[^\0-\x7f]/;
const closing: Record<string, string> = { '`': '`', "'": "'", '"': '"', '“': '”', '‘': '’' };

/** The names that texts of a tool may mention, with their masks. */
export class MentionedNames {
  readonly #own: ReadonlyMap<string, string>;
  readonly #others: MentionedNames | undefined;
  /** Whether a distinctive name has no underscore. If none has, a text without underscores need not be searched. */
  readonly hasUnmarked: boolean;

  /** @param others names that count where none of the own does */
  constructor(own: ReadonlyMap<string, string>, others?: MentionedNames) {
    this.#own = own;
    this.#others = others;
    let hasUnmarked = others?.hasUnmarked === true;
    for (const name of own.keys()) hasUnmarked ||= !name.includes('_') && isDistinctive(name);
    this.hasUnmarked = hasUnmarked;
  }

  maskOf(name: string): string | undefined {
    return this.#own.get(name) ?? this.#others?.maskOf(name);
  }
}

/**
 * Replaces the names that a text mentions by their masks. A mention is
 *
 * - a name alone between quotes or backticks: 'city', "city", `city`;
 * - a name as a whole run of letters, digits, `_`, and `.` or `-` between them, or as a part of a run between its dots and
 *   hyphens; but only if the name is distinctive: it has an underscore, beside letters a digit or a dot, or a capital
 *   inside, as in `userId`.
 *
 * So "city" without quotes stays: most texts that say it mean the word.
 *
 * @param schema what the text describes: a word that is one of its values is no mention
 */
export function maskText(text: string, names: MentionedNames, schema: JsonSchema = {}): string {
  const mayHaveRuns = names.hasUnmarked ? clue.test(text) : text.includes('_');
  let open = nextQuote(text, 0);
  if (!mayHaveRuns && open === -1) return text;
  const maskOf = (name: string): string | undefined => {
    const mask = names.maskOf(name);
    return mask === undefined || isValue(name, schema) ? undefined : mask;
  };
  const maskRest = (rest: string): string => {
    if (!mayHaveRuns) return rest;
    return names.hasUnmarked ? maskRuns(rest, maskOf) : maskUnderscored(rest, maskOf);
  };
  let masked = '';
  let copied = 0;
  while (open !== -1) {
    const close = nextQuote(text, open + 1);
    const isQuoted = closing[text.charAt(open)] === text.charAt(close);
    const mask = isQuoted ? maskOf(text.slice(open + 1, close)) : undefined;
    if (mask !== undefined) {
      masked += maskRest(text.slice(copied, open + 1)) + mask;
      copied = close;
    }
    open = close;
  }
  return copied === 0 ? maskRest(text) : masked + maskRest(text.slice(copied));
}

/** Whether a word is one of the values that a schema, or that of its items, allows or starts from. */
function isValue(
  word: string,
  { enum: allowed, const: only, default: initial, items }: JsonSchema,
): boolean {
  if (only === word || initial === word) return true;
  if (Array.isArray(allowed) && allowed.includes(word)) return true;
  return isObject(items) && isValue(word, items);
}

function nextQuote(text: string, from: number): number {
  quote.lastIndex = from;
  return quote.test(text) ? quote.lastIndex - 1 : -1;
}

/** {@link maskRuns}, but only between the spaces around each underscore: most of a text is left out so. */
function maskUnderscored(text: string, maskOf: (name: string) => string | undefined): string {
  let masked = '';
  let copied = 0;
  for (let at = text.indexOf('_'); at !== -1; at = text.indexOf('_', copied)) {
    const start = text.lastIndexOf(' ', at) + 1;
    const space = text.indexOf(' ', at);
    const end = space === -1 ? text.length : space;
    masked += text.slice(copied, start) + maskRuns(text.slice(start, end), maskOf);
    copied = end;
  }
  return copied === 0 ? text : masked + text.slice(copied);
}

/** Goes by single characters, as a prompt has thousands of them and a regular expression takes five times as long. */
function maskRuns(text: string, maskOf: (name: string) => string | undefined): string {
  let masked = '';
  let copied = 0;
  let start = -1;
  let kinds = 0;
  for (let at = 0; at <= text.length; at++) {
    const kind = at < text.length ? kindOf(text.charCodeAt(at)) : gap;
    if (kind >= letter) {
      if (start === -1) {
        start = at;
        kinds = kind === capital ? letter : kind;
      } else kinds |= kind;
    } else if (start !== -1) {
      const next = at + 1 < text.length ? kindOf(text.charCodeAt(at + 1)) : gap;
      if (kind !== gap && next >= letter) kinds |= kind;
      else {
        // As isDistinctive has it, but that a capital may follow another.
        if (kinds >= capital || (kinds & (digit | dot) && kinds & letter)) {
          masked += text.slice(copied, start) + maskRun(text.slice(start, at), maskOf);
          copied = at;
        }
        start = -1;
      }
    }
  }
  return copied === 0 ? text : masked + text.slice(copied);
}

function maskRun(run: string, maskOf: (name: string) => string | undefined): string {
  const mask = (name: string): string | undefined => {
    const found = maskOf(name);
    return found !== undefined && isDistinctive(name) ? found : undefined;
  };
  return (
    mask(run) ?? (/[.-]/.test(run) ? run.replace(/[^.-]+/g, (part) => mask(part) ?? part) : run)
  );
}

function isDistinctive(name: string): boolean {
  if (/^[a-z]*$/.test(name)) return false;
  if (/_|\p{Ll}\p{Lu}|\p{Lu}\p{Lu}\p{Ll}/u.test(name)) return true;
  return /[\p{N}.]/u.test(name) && /\p{L}/u.test(name);
}

// Kinds of characters. Runs are made of those from `letter` on, with a hyphen or dot between them.
const gap = 1;
const hyphen = 2;
const dot = 4;
const letter = 8;
const digit = 16;
const capital = 32;
const underscore = 64;
/** Kinds by UTF-16 unit, as far as they were asked for; else 0. */
const knownKinds = new Uint8Array(0x10000);

function kindOf(unit: number): number {
  const known = knownKinds[unit] ?? 0;
  if (known !== 0) return known;
  const kind = readKind(String.fromCharCode(unit));
  knownKinds[unit] = kind;
  return kind;
}

/** Half a surrogate pair counts as a letter: more letters than other characters are written so. */
function readKind(character: string): number {
  if (character === '_') return underscore;
  if (character === '-') return hyphen;
  if (character === '.') return dot;
  if (/\p{N}/u.test(character)) return digit;
  if (/\p{Lu}/u.test(character)) return capital;
  return /[\p{L}\p{M}\p{Cs}]/u.test(character) ? letter : gap;
}
