import { readText } from './tolerant-text.js';

/** `problem` is absent exactly if a value was read. `end`: behind the value, or where reading failed. */
export interface Reading {
  readonly value: unknown;
  readonly end: number;
  readonly problem?: string;
  /** Something that only a call holds was met, or the text ended too early: this was meant as a call, not as prose. */
  readonly isCallLike: boolean;
}

/** Arguments may nest 64 levels, as the validators allow, in up to four of `{"tool_calls": [{"function": {…}}]}`. */
const maxDepth = 68;

/** Sticky. Letters of any script; dots and hyphens as in `math.add` and `get-time`. */
const word = /[\p{L}_$][\p{L}\p{N}_$.-]*/uy;
const keyword = /([\p{L}_$][\p{L}\p{N}_$]*)[ \t]*=(?!=)/uy;
const number = /[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?/y;
const space = /\s+/y;
/** What stands before a call that is the first argument of another. */
const beforeInnerCall = /\(\s*(?=[\p{L}_$][\p{L}\p{N}_$.-]*\()/uy;
/** The end of a fence or tag, or a control token such as `<|im_end|>`. */
const terminator = /(?=```|<\/|<\|)/y;

const constants: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['null', null],
  ['None', null],
]);

/** Members that hold a call; only brackets outside of `arguments` may be missing at the end of a text. */
const envelopes: ReadonlySet<string> = new Set(['function', 'tool_calls']);
const callKeys: ReadonlySet<string> = new Set([...envelopes, 'arguments', 'parameters']);

/**
 * Reads the value that a text begins with: JSON as `JSON.parse` reads it, Python literals (`True`, `None`, tuples, `+5`,
 * `.5`), texts as `readText` reads them, keys without quotes, trailing commas and comments. What two readers could take
 * for different values is refused: words without quotes, expressions, leading zeros, `1_000`, keys given twice, and
 * numbers that a double does not hold.
 *
 * Never throws. Takes time linear in the text passed, and stops at 68 levels.
 */
export function readLiteral(text: string): Reading {
  return new Reader(text, 0, new Set()).read(false);
}

/**
 * Reads a value as `readLiteral` does, which may be calls: then also calls in Python's style stand for
 * `{name, arguments}`, alone or in a list, or alone in a `print(…)`. Their arguments need names: the order of a schema is
 * no agreement with the model.
 *
 * Where the text ends (or its fence or tag does) behind a whole member, the closing brackets of lists of calls and of
 * call objects may be missing, but no others: a call's arguments must be closed, in Python's style by their `)`, as more
 * of them may have been to come.
 *
 * @param names of the tools; a `name` among them marks a call
 */
export function readCallValue(text: string, start: number, names: ReadonlySet<string>): Reading {
  return new Reader(text, start, names).read(true);
}

/** Whether a double holds what a JSON number says: it is finite, and exact if it is an integer. */
function isExact(source: string): boolean {
  const value = Number(source);
  if (!Number.isFinite(value)) return false;
  return (
    Number.isSafeInteger(value) || !/^[-+]?\d+$/.test(source) || BigInt(value) === BigInt(source)
  );
}

function givenTwice(what: string, key: string): string {
  return `the ${what} ${JSON.stringify(key.slice(0, 60))} given twice`;
}

/** Each reader method gives undefined where it fails, which no value is. */
class Reader {
  readonly #text: string;
  readonly #names: ReadonlySet<string>;
  #at: number;
  #problem: string | undefined;
  #isCallLike = false;
  /** Data may have a `name`, too; but in text that cannot be read it is taken for a call's. */
  #hasName = false;
  /** Whether a comma stood behind the last member of what `#members` read last. */
  #endsInComma = false;

  constructor(text: string, start: number, names: ReadonlySet<string>) {
    this.#text = text;
    this.#at = start;
    this.#names = names;
  }

  read(mayBeCalls: boolean): Reading {
    const value = this.#value(0, mayBeCalls);
    const end = this.#at;
    if (value !== undefined) return { value, end, isCallLike: this.#isCallLike };
    const isCallLike = this.#isCallLike || this.#hasName || end >= this.#text.length;
    return { value, end, problem: this.#problem ?? 'no value', isCallLike };
  }

  /** @param isOpen calls may stand here, and closing brackets be missing */
  #value(depth: number, isOpen: boolean): unknown {
    const character = this.#next();
    if (character === '[' || character === '{' || character === '(') {
      if (depth === maxDepth) return this.#fail(`more than ${maxDepth} levels`);
      if (character === '[') return this.#list(depth + 1, isOpen);
      return character === '{' ? this.#object(depth + 1, isOpen) : this.#tuple(depth + 1);
    }
    const quoted = this.#quoted();
    if (quoted !== undefined || this.#problem !== undefined) return quoted;
    const digits = this.#match(number);
    if (digits !== undefined) return this.#number(digits[0]);
    return this.#word(depth, isOpen);
  }

  #list(depth: number, isOpen: boolean): unknown[] | undefined {
    const items: unknown[] = [];
    const isRead = this.#members(']', isOpen, () => {
      const item = this.#value(depth, isOpen);
      items.push(item);
      return item !== undefined;
    });
    return isRead ? items : undefined;
  }

  /** `(1, 2)` and `(1,)` are lists, `(1)` is 1. */
  #tuple(depth: number): unknown {
    const items: unknown[] = [];
    const isRead = this.#members(')', false, () => {
      const item = this.#value(depth, false);
      items.push(item);
      return item !== undefined;
    });
    if (!isRead) return undefined;
    return items.length === 1 && !this.#endsInComma ? items[0] : items;
  }

  #object(depth: number, isOpen: boolean): Record<string, unknown> | undefined {
    const members = new Map<string, unknown>();
    const isRead = this.#members('}', isOpen, () => {
      this.#next();
      const key =
        this.#quoted() ?? (this.#problem === undefined ? this.#match(word)?.[0] : undefined);
      if (key === undefined) return this.#refuse('no key');
      if (this.#next() !== ':') return this.#refuse('no ":" behind a key');
      this.#at++;
      if (callKeys.has(key)) this.#isCallLike = true;
      if (key === 'name') this.#hasName = true;
      const value = this.#value(depth, isOpen && envelopes.has(key));
      if (key === 'name' && typeof value === 'string' && this.#names.has(value)) {
        this.#isCallLike = true;
      }
      if (value === undefined) return false;
      if (members.has(key)) return this.#refuse(givenTwice('key', key));
      members.set(key, value);
      return true;
    });
    // Own members, also `__proto__`.
    return isRead ? Object.fromEntries(members) : undefined;
  }

  #call(name: string, depth: number): Record<string, unknown> | undefined {
    if (depth > 0) this.#isCallLike = true;
    const values = new Map<string, unknown>();
    const isRead = this.#members(')', false, () => {
      this.#next();
      const key = this.#match(keyword)?.[1];
      const value = this.#value(depth + 1, false);
      if (value === undefined) return false;
      this.#isCallLike ||= key !== undefined || this.#names.has(name);
      if (key === undefined) return this.#refuse('an argument without its name');
      if (values.has(key)) return this.#refuse(givenTwice('argument', key));
      values.set(key, value);
      return true;
    });
    return isRead ? { name, arguments: Object.fromEntries(values) } : undefined;
  }

  /** The call inside of `print(f(a=1))`, as models write that learnt to call tools by code. */
  #printed(depth: number): Record<string, unknown> | undefined {
    const name = this.#match(word)?.[0] ?? '';
    const call = this.#call(name, depth);
    if (call === undefined) return undefined;
    if (this.#next() !== ')') return this.#fail('more than a call in print()');
    this.#at++;
    return call;
  }

  /** From the opening bracket to behind the closing one; a comma may stand behind the last member. */
  #members(close: string, mayLackEnd: boolean, readMember: () => boolean): boolean {
    this.#at++;
    let isBehindComma = false;
    while (this.#next() !== close) {
      if (!readMember()) return false;
      const character = this.#next();
      isBehindComma = character === ',';
      if (isBehindComma) this.#at++;
      else if (character !== close) {
        return (mayLackEnd && this.#isCut()) || this.#refuse(`no "," or "${close}"`);
      }
    }
    this.#at++;
    this.#endsInComma = isBehindComma;
    return true;
  }

  /** Undefined without a problem: here is no quote. */
  #quoted(): string | undefined {
    const reading = readText(this.#text, this.#at);
    if (reading === undefined) return undefined;
    this.#at = reading.end;
    return reading.problem === undefined ? reading.value : this.#fail(reading.problem);
  }

  #number(source: string): number | undefined {
    return isExact(source)
      ? Number(source)
      : this.#fail(`the number ${source.slice(0, 40)}, which a double does not hold`);
  }

  #word(depth: number, isOpen: boolean): unknown {
    const start = this.#at;
    const name = this.#match(word)?.[0];
    if (name === undefined) return this.#fail('no value');
    const constant = constants.get(name);
    if (constant !== undefined) return constant;
    if (isOpen && this.#text[this.#at] === '(') {
      const isPrint = name === 'print' && !this.#names.has(name);
      return isPrint && this.#match(beforeInnerCall)
        ? this.#printed(depth)
        : this.#call(name, depth);
    }
    this.#at = start;
    return this.#fail(`the word ${name.slice(0, 40)} without quotes`);
  }

  /** Passes white space and comments; the character behind them, '' at the end. */
  #next(): string {
    for (;;) {
      const character = this.#text[this.#at] ?? '';
      const isComment = character === '#' || character === '/';
      if (isComment ? !this.#skipComment() : !this.#skipSpace(character)) return character;
    }
  }

  #skipSpace(character: string): boolean {
    // Most characters are printable ASCII, which no pattern needs to tell.
    return (character <= ' ' || character > '~') && this.#match(space) !== undefined;
  }

  #skipComment(): boolean {
    const isBlock = this.#text.startsWith('/*', this.#at);
    const isLine = this.#text[this.#at] === '#' || this.#text.startsWith('//', this.#at);
    if (!isBlock && !isLine) return false;
    const end = this.#text.indexOf(isBlock ? '*/' : '\n', this.#at);
    if (end < 0 && isBlock) this.#problem ??= 'a comment that does not end';
    this.#at = end < 0 ? this.#text.length : end + (isBlock ? 2 : 1);
    return true;
  }

  /** Whether nothing more of a value can follow: the end of the text, of its fence or of its tag. */
  #isCut(): boolean {
    if (this.#problem !== undefined) return false;
    if (this.#at < this.#text.length && this.#match(terminator) === undefined) return false;
    this.#isCallLike = true;
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text) ?? undefined;
    if (match !== undefined) this.#at += match[0].length;
    return match;
  }

  #refuse(problem: string): false {
    this.#problem ??= problem;
    return false;
  }

  #fail(problem: string): undefined {
    this.#problem ??= problem;
  }
}
