const quotes = /([`'"“”‘’])/;
const closing: Record<string, string> = { '`': '`', "'": "'", '"': '"', '“': '”', '‘': '’' };

/** Names that texts may mention, with their masks. */
export class MentionedNames {
  readonly masks: ReadonlyMap<string, string>;
  /** Whether a distinctive name has no underscore. If none has, a text without underscores need not be searched. */
  readonly hasUnmarked: boolean;

  constructor(masks: ReadonlyMap<string, string>) {
    this.masks = masks;
    this.hasUnmarked = Array.from(masks.keys()).some(
      (name) => !name.includes('_') && isDistinctive(name),
    );
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
 * @param names those that are looked for, the first ones first
 * @param isValue whether a name is no mention here, as it is a value as well
 */
export function maskText(
  text: string,
  names: readonly MentionedNames[],
  isValue?: (name: string) => boolean,
): string {
  const mayHaveRuns = text.includes('_') || names.some(({ hasUnmarked }) => hasUnmarked);
  const hasQuotes = quotes.test(text);
  if (!mayHaveRuns && !hasQuotes) return text;
  const maskOf = (name: string): string | undefined => {
    for (const { masks } of names) {
      const mask = masks.get(name);
      if (mask !== undefined) return isValue?.(name) === true ? undefined : mask;
    }
    return undefined;
  };
  if (!hasQuotes) return maskRuns(text, maskOf);
  const parts = text.split(quotes); // texts at even places, the quotes between them at odd ones
  return parts
    .map((part, at) => {
      if (at % 2 === 1) return part;
      const isQuoted = at > 0 && closing[parts[at - 1] ?? ''] === parts[at + 1];
      return (isQuoted ? maskOf(part) : undefined) ?? (mayHaveRuns ? maskRuns(part, maskOf) : part);
    })
    .join('');
}

/** Goes by single characters, as a prompt has thousands of them and a regular expression takes five times as long. */
function maskRuns(text: string, maskOf: (name: string) => string | undefined): string {
  let masked = '';
  let copied = 0;
  let start = -1;
  let mayBeName = false;
  for (let at = 0; at <= text.length; at++) {
    const kind = kindAt(text, at);
    if (kind >= lower) {
      if (start === -1) {
        start = at;
        mayBeName = false;
      }
      if (kind === mark || (kind === upper && at > start)) mayBeName = true;
    } else if (start !== -1 && kind === joint && kindAt(text, at + 1) >= lower) {
      if (text[at] === '.') mayBeName = true;
    } else if (start !== -1) {
      if (mayBeName) {
        masked += text.slice(copied, start) + maskRun(text.slice(start, at), maskOf);
        copied = at;
      }
      start = -1;
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

// Kinds of characters. The last three make up runs; a `mark` is a digit or an underscore.
const unknown = 0;
const gap = 1;
const joint = 2;
const lower = 3;
const upper = 4;
const mark = 5;
/** Kinds by UTF-16 unit, as far as they were asked for. */
const kinds = new Uint8Array(0x10000);

function kindAt(text: string, at: number): number {
  if (at >= text.length) return gap;
  const unit = text.charCodeAt(at);
  const known = kinds[unit] ?? unknown;
  if (known !== unknown) return known;
  const kind = kindOf(String.fromCharCode(unit));
  kinds[unit] = kind;
  return kind;
}

/** Half a surrogate pair counts as a letter: more letters than other characters are written so. */
function kindOf(character: string): number {
  if (character === '.' || character === '-') return joint;
  if (/[\p{N}_]/u.test(character)) return mark;
  if (/\p{Lu}/u.test(character)) return upper;
  return /[\p{L}\p{M}\p{Cs}]/u.test(character) ? lower : gap;
}
