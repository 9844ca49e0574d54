import { isObject } from './json.js';
import { type ParsedCall, toCall } from './parse.js';
import { readCallValue, readLiteral } from './tolerant-reader.js';

/** What a text says: calls (none: no tool fits), only prose, or something that was meant as calls and is none. */
export type Found =
  | { readonly kind: 'calls'; readonly calls: readonly ParsedCall[] }
  | { readonly kind: 'prose' }
  | { readonly kind: 'fault'; readonly reason: string };

/** As in `math.add` and `get-time`, letters of any script. */
const name = String.raw`[\p{L}_$][\p{L}\p{N}_$.-]*`;
/** A bracket anywhere, or `name(` at the beginning of a line or behind a tag. */
const start = new RegExp(`[[{]|(?:^|<[^<>\\n]{1,40}>)[ \\t\`'"]*(${name})\\(`, 'gmu');
/** `name(` right behind a call. */
const following = new RegExp(`[\\s,;]*(${name})\\(`, 'uy');
/** What may stand behind a bare call, so that a sentence that mentions `now()` is none. */
const behindBareCall = new RegExp(`[ \\t,;\`'"]*(?:$|<)|[\\s,;]*${name}\\(`, 'muy');
/** `name(key=` within prose. */
const mention = new RegExp(`(?<![\\p{L}\\p{N}_$.-])(${name})\\([\\p{L}\\p{N}_$]+ ?=`, 'gu');
const listOfObjects = /\[\s*\{/y;
/** Fences with their tags, XML-like tags and control tokens: no prose. */
const markup = /`{3,}[\w+-]*|<[^<>\n]{1,40}>/g;
/** At the end; its name may be cut. */
const openTag = /<\w*>?\s*$/;
const letter = /[\p{L}\p{N}]/u;
/** All in brackets: meant as data, whatever stands inside. */
const bracketed = /^[[{][^]*[\]}]$/;
/** Alone, they are an answer to nobody. */
const emptyWords: ReadonlySet<string> = new Set(['null', 'None', 'true', 'True', 'false', 'False']);
const messageKeys: ReadonlySet<string> = new Set(['tool_calls', 'role', 'content']);

/**
 * The tolerant step of `readAnswer`: finds the calls in a text. It takes what `readCallValue` reads, with or without
 * fences of any tag, tags such as `<tool_call>`, and prose around:
 * - a list of calls, one call, or several of either in a row;
 * - a call as `{name, arguments}`, with `parameters` for `arguments`, with arguments as JSON text, or in OpenAI's shape
 *   `{id?, type?, function: {…}}`; `{"tool_calls": […]}` around them;
 * - calls in Python's style, in a list, or bare on lines of their own.
 *
 * Nothing that the model began as a call is dropped: one call that cannot be read is a fault of the whole answer, and so
 * are calls in two places with prose between, which may be alternatives, or one more within the prose. Other data is
 * part of the prose.
 *
 * Never throws, and takes time linear in the text: where reading a value fails, the search goes on behind that place.
 *
 * @param names of the tools
 */
export function parseTolerant(text: string, names: ReadonlySet<string>): Found {
  return new Search(text, names).run();
}

class Search {
  readonly #text: string;
  readonly #names: ReadonlySet<string>;
  readonly #calls: ParsedCall[] = [];
  #at = 0;
  #hasList = false;
  #isBehindCall = false;
  #hasProse = false;
  #hasProseBehindCall = false;
  #mentionsCall = false;
  /** Why the first unfit value is no call: it counts if there is no prose that it could be part of. */
  #unfit: string | undefined;

  constructor(text: string, names: ReadonlySet<string>) {
    this.#text = text;
    this.#names = names;
  }

  run(): Found {
    for (;;) {
      const next = this.#nextStart();
      if (next === undefined) break;
      this.#pass(next.at);
      const reason = this.#read(next.bareName);
      if (reason !== undefined) return { kind: 'fault', reason };
    }
    const tail = this.#text.slice(this.#at);
    this.#pass(this.#text.length);
    if (this.#calls.length > 0 && this.#mentionsCall) {
      return { kind: 'fault', reason: 'a call stands within the prose' };
    }
    if (this.#calls.length > 0 && this.#isNextCall(tail)) {
      return { kind: 'fault', reason: 'it ends within a call' };
    }
    if (this.#hasList) return { kind: 'calls', calls: this.#calls };
    const bare = this.#text.replace(markup, '').trim();
    if (this.#hasProse && !emptyWords.has(bare) && !bracketed.test(bare)) return { kind: 'prose' };
    return { kind: 'fault', reason: this.#unfit ?? 'it says nothing' };
  }

  #nextStart(): { at: number; bareName: string | undefined } | undefined {
    const pattern = this.#isBehindCall ? following : start;
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) {
      const bareName = match[1];
      const end = match.index + match[0].length;
      return { at: end - 1 - (bareName?.length ?? 0), bareName };
    }
    if (!this.#isBehindCall) return undefined;
    this.#isBehindCall = false;
    return this.#nextStart();
  }

  /** Passes what stands before a value. */
  #pass(end: number): void {
    if (this.#at === end) return;
    const prose = this.#text.slice(this.#at, end).replace(markup, '');
    if (letter.test(prose)) {
      this.#hasProse = true;
      this.#hasProseBehindCall ||= this.#calls.length > 0;
      for (const [, mentioned = ''] of prose.matchAll(mention)) {
        this.#mentionsCall ||= this.#names.has(mentioned);
      }
    }
    this.#at = end;
  }

  /** Reads what stands here, if these are calls; gives the reason if they should be and are not. */
  #read(bareName: string | undefined): string | undefined {
    const begin = this.#at;
    const mustBeCall = this.#isBehindCall || this.#matches(listOfObjects, begin);
    const { value, end, problem, isCallLike } = readCallValue(this.#text, begin, this.#names);
    this.#isBehindCall = false;
    this.#at = Math.max(end, begin + 1);
    if (problem !== undefined) {
      const isFault = isCallLike || mustBeCall;
      if (isFault || this.#unfit === undefined) this.#unfit = `${problem}, ${this.#where(end)}`;
      return isFault ? this.#unfit : undefined;
    }
    const calls = toCalls(value);
    if (typeof calls === 'string') {
      this.#unfit ??= calls;
      return isCallLike ? calls : undefined;
    }
    if (bareName !== undefined && !this.#isBareCall(calls, end)) {
      this.#hasProse = true;
      return mustBeCall ? 'text behind a call cannot be read' : undefined;
    }
    if (calls.length > 0 && this.#hasProseBehindCall) {
      return 'calls stand in two places with other text between';
    }
    for (const call of calls) this.#calls.push(call);
    this.#hasList = true;
    this.#isBehindCall = calls.length > 0;
    return undefined;
  }

  #where(at: number): string {
    const here = this.#text.slice(at, at + 20);
    return here === '' ? 'at the end' : `at ${JSON.stringify(here)}`;
  }

  /** Whether what stands behind the last call is the beginning of one more: an opening tag or part of a tool's name. */
  #isNextCall(tail: string): boolean {
    if (openTag.test(tail)) return true;
    const begun = tail.replace(/^[\s,;]+/, '');
    return begun !== '' && [...this.#names].some((known) => known.startsWith(begun));
  }

  #isBareCall([call]: readonly ParsedCall[], end: number): boolean {
    if (call === undefined || !this.#matches(behindBareCall, end)) return false;
    return this.#names.has(call.name) || Object.keys(call.arguments).length > 0;
  }

  #matches(pattern: RegExp, at: number): boolean {
    pattern.lastIndex = at;
    return pattern.test(this.#text);
  }
}

/** The calls that a value is, or what is wrong with it. */
function toCalls(value: unknown): ParsedCall[] | string {
  if (!Array.isArray(value)) {
    if (isObject(value) && Object.hasOwn(value, 'tool_calls')) return unwrap(value);
    const call = toCall(normalize(value));
    return typeof call === 'string' ? `a call ${call}` : [call];
  }
  const calls: ParsedCall[] = [];
  for (const [index, element] of value.entries()) {
    const call = toCall(normalize(element));
    if (typeof call === 'string') return `call ${index + 1} ${call}`;
    calls.push(call);
  }
  return calls;
}

/** `{"tool_calls": […]}`, also as a whole message of OpenAI's. */
function unwrap(message: Record<string, unknown>): ParsedCall[] | string {
  const surplus = Object.keys(message).find((key) => !messageKeys.has(key));
  if (surplus !== undefined) return `"${surplus.slice(0, 60)}" stands beside "tool_calls"`;
  const calls = message.tool_calls ?? [];
  if (isObject(calls) && Object.hasOwn(calls, 'tool_calls')) return '"tool_calls" is no list';
  return toCalls(calls);
}

/** The other shapes of a call, brought to `{name, arguments}`. What does not fit stays, to be refused. */
function normalize(element: unknown): unknown {
  if (!isObject(element)) return element;
  const { type, ...call } = element;
  if (type !== undefined && type !== 'function') return element;
  if (!isObject(call.function)) return withArguments(call);
  // Elsewhere an `id` may be an argument that went astray.
  const surplus = Object.keys(call).find((key) => !['function', 'id', 'index'].includes(key));
  return surplus === undefined ? withArguments(call.function) : element;
}

function withArguments(call: Record<string, unknown>): Record<string, unknown> {
  if (Object.hasOwn(call, 'parameters') && Object.hasOwn(call, 'arguments')) return call;
  const { parameters, arguments: values = parameters, ...others } = call;
  const read = typeof values === 'string' ? readObject(values) : undefined;
  return { ...others, arguments: read ?? values };
}

function readObject(text: string): Record<string, unknown> | undefined {
  const { value, end } = readLiteral(text);
  return isObject(value) && text.slice(end).trim() === '' ? value : undefined;
}
