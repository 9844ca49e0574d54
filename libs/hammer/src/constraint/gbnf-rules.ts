import { dumps } from '#libs/pyjson';

/**
 * The text forms that do not depend on a schema. Digits are bounded so that every number is finite and every integer
 * exact in a double. Escapes are those that JSON and our ledger can store: no NUL, surrogates in pairs only; so one
 * `char` is one character.
 */
const terminals = [
  String.raw`string ::= "\"" char* "\""`,
  String.raw`char ::= [^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" unit)`,
  String.raw`unit ::= [1-9a-cA-CefEF] hex{3} | "0" ([1-9a-fA-F] hex{2} | "0" ([1-9a-fA-F] hex | "0" [1-9a-fA-F])) | [dD] ([0-7] hex{2} | [89abAB] hex{2} "\\u" [dD] [c-fC-F] hex{2})`,
  'hex ::= [0-9a-fA-F]',
  'integer ::= "-"? ("0" | [1-8] [0-9]{0,15} | "9" [0-9]{0,14})',
  'number ::= integer ("." [0-9]{1,20})? ([eE] ("+"? ([0-9]{1,2} | "1" [0-9]{2} | "2" [0-8] [0-9]) | "-" [0-9]{1,3}))?',
  'boolean ::= "true" | "false"',
  'null ::= "null"',
  'value ::= string | number | boolean | null | array | object',
  'array ::= "[" (value (", " value)*)? "]"',
  'object ::= "{" (string ": " value (", " string ": " value)*)? "}"',
];

/** Up to here an expression costs less where it is used than a rule; llama.cpp spells out each counted repetition. */
const maxInline = 16;

/** Schemas that would lead beyond this length are widened: no toolset makes a grammar that a model server chokes on. */
const maxSize = 1_048_576;

/** What is left when this much work is done is widened: steps of a few dozen nanoseconds, a fraction of a second in all. */
const maxWork = 4_194_304;

/**
 * The rules of a grammar while it is written. What is passed around are expressions that can stand in a sequence as
 * they are: alternatives come in parentheses.
 */
export class GbnfRules {
  readonly #nameByBody = new Map<string, string>();
  readonly #rules: string[] = [];
  #names = 0;
  #size = 0;
  #work = 0;

  /** Whether there is room for so much text, and work left to write it. */
  hasRoomFor(size: number): boolean {
    return this.#size + size <= maxSize && this.#work <= maxWork;
  }

  /** Counts work: putting schemas together can go on for ever. A step is a character, a keyword or a name. */
  spend(steps: number): void {
    this.#work += steps;
  }

  /** Counts text that is to come. */
  charge(size: number): void {
    this.#size += size;
  }

  /** A name for a rule that is to be defined: lets it contain itself. */
  reserve(): string {
    return `r${this.#names++}`;
  }

  define(name: string, body: string): void {
    const rule = `${name} ::= ${body}`;
    this.charge(rule.length);
    this.#rules.push(rule);
  }

  /** The expression itself if it is short, else the name of a rule for it; equal ones share one. */
  share(expression: string): string {
    if (expression.length <= maxInline) return expression;
    let name = this.#nameByBody.get(expression);
    if (name === undefined) {
      name = this.reserve();
      this.#nameByBody.set(expression, name);
      this.define(name, expression);
    }
    return name;
  }

  /** The grammar, which both llama.cpp and XGrammar (vLLM) read: names without `_`, escapes that they share. */
  write(root: string): string {
    return [`root ::= ${root}`, ...this.#rules, ...terminals].join('\n');
  }
}

/** Text without control characters, such as JSON. */
export function literal(text: string): string {
  return `"${text.replace(/[\\"]/g, String.raw`\$&`)}"`;
}

/** JSON text of a value with text around it, in both forms that `json.dumps` has: characters beyond ASCII raw or escaped. */
export function jsonLiteral(value: unknown, before = '', after = ''): string {
  const ascii = dumps(value);
  const raw = dumps(value, { ensureAscii: false });
  const escaped = literal(before + ascii + after);
  // Half a surrogate pair has no raw form.
  if (raw === ascii || !raw.isWellFormed()) return escaped;
  return choice([literal(before + raw + after), escaped]);
}

export function choice(alternatives: readonly string[]): string {
  const distinct = [...new Set(alternatives)];
  return distinct.length === 1 ? distinct.join('') : `(${distinct.join(' | ')})`;
}

/** `min` to `max` times a rule, a literal or what stands in parentheses. */
export function repeat(atom: string, min: number, max: number): string {
  if (max === 0) return '""';
  if (max === Infinity) return min === 0 ? `${atom}*` : `${atom}{${min},}`;
  return min === max ? `${atom}{${min}}` : `${atom}{${min},${max}}`;
}

/** A JSON list of `min` to `max` items. */
export function list(item: string, min: number, max: number): string {
  if (max === 0) return '"[]"';
  const items =
    max === 1 ? item : `${item} ${repeat(`(", " ${item})`, Math.max(min - 1, 0), max - 1)}`;
  return min === 0 ? `"[" (${items})? "]"` : `"[" ${items} "]"`;
}
