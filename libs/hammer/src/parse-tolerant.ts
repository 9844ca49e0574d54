import type { ParsedCall } from './parse.js';
import { takesBack } from './read-answer-prose.js';
import { readCallValue } from './tolerant-reader.js';
import { canonicalText, toCalls } from './tolerant-shapes.js';

/**
 * What a text says: calls (none: no tool fits), only prose, or something that was meant as calls and is none. `text`: the
 * answer without reasoning.
 */
export type Found =
  | { readonly kind: 'calls'; readonly calls: readonly ParsedCall[]; readonly text: string }
  | { readonly kind: 'prose'; readonly text: string }
  | { readonly kind: 'fault'; readonly reason: string };

/** As in `math.add` and `get-time`, letters of any script. */
const name = String.raw`[\p{L}_$][\p{L}\p{N}_$.-]*`;
/** Tags around what is no part of an answer. */
const reasoning = '(?i:think|thinking|reasoning|scratchpad|draft|tool_response)';
/** A tag of reasoning, a bracket anywhere, or `name(` at the beginning of a line or behind a tag. */
const start = new RegExp(
  `</?(?<tag>${reasoning})>|[[{]|(?:^|(?<=</${reasoning}>)|<[^<>\\n]{1,40}>)[ \\t\`'"]*(?<name>${name})\\(`,
  'gmu',
);
/** `name(` right behind a call. */
const following = new RegExp(`[\\s,;]*(?<name>${name})\\(`, 'uy');
/** What may stand behind a bare call, so that a sentence that mentions `now()` is none. */
const bareEnd = '[ \\t,;`\'"]*(?:$|<)';
const behindBareCall = new RegExp(`${bareEnd}|[\\s,;]*${name}\\(`, 'muy');
/** The rest of a bare call whose arguments cannot be read. */
const brokenRest = new RegExp(`(?:[^()]*|[^\\n<]*)\\)${bareEnd}`, 'muy');
const head = String.raw`(?<![\p{L}\p{N}_$.-])(${name})\(`;
const anyHead = new RegExp(head, 'gu');
/** `name(key=` within prose. */
const mention = new RegExp(String.raw`${head}[\p{L}\p{N}_$]+ ?=`, 'gu');
const listOfObjects = /\[\s*\{/y;
/** Where `[]` says that no tool fits, whatever follows on the line: behind a colon or the beginning of a fence. */
const behindLabel = /(?<=(?::|`{3}[\w+-]*)[ \t`'"]*)/y;
const onItsLine = /(?<=^[ \t`'"]*)\[\s*\][ \t`'".,;]*$/my;
/** Not as in `arr[]` and `f([])`. */
const behindGap = /(?<=[\s`'"*>.])/y;
/** Fences with their tags, XML-like tags and control tokens: no prose. */
const markup = /`{3,}[\w+-]*|<[^<>\n]{1,40}>/g;
/** What may stand between calls that are all meant: commas, fences, bullets, tags of calls, control tokens. */
const separators =
  /[\s,;`'"]|^[ \t]*[-*](?=\s)|<\/?(?:tool_calls?|function_calls?|function|call|\|[^<>|\n]{1,38}\|)>/gm;
/** At the end; its name may be cut. */
const openTag = /<\w*>?\s*$/;
const letter = /[\p{L}\p{N}]/u;
/** All in brackets: meant as data, whatever stands inside. */
const bracketed = /^[[{][^]*[\]}]$/;
/** Alone, they are an answer to nobody. */
const emptyWords: ReadonlySet<string> = new Set(['null', 'None', 'true', 'True', 'false', 'False']);

/**
 * The tolerant step of `readAnswer`: finds the calls in a text. It takes what `readCallValue` reads, with or without
 * fences of any tag, tags such as `<tool_call>`, and prose around:
 * - a list of calls, one call, or several of either in a row;
 * - a call as `{name, arguments}`, with `parameters` for `arguments`, with arguments as JSON text, or in OpenAI's shape
 *   `{id?, type?, function: {…}}`; `{"tool_calls": […]}` around them;
 * - calls in Python's style, in a list, or bare on lines of their own, also as `print(f(a=1))`.
 *
 * Reasoning (`<think>…</think>`, `<thinking>`, `<reasoning>`, `<scratchpad>`, `<draft>`) and `<tool_response>` are no
 * part of the answer, whatever they hold; a closing tag alone ends reasoning that the prompt began. `[]` says that no tool fits if it stands alone:
 * without prose before or behind it, on a line or in a fence of its own, or behind a colon.
 *
 * Nothing that the model began as a call is dropped: one call that cannot be read is a fault of the whole answer, and so
 * are calls in two places with more than separators between, which may be alternatives, or one more within the prose. Other data is
 * part of the prose. Nor is a call given that the answer itself puts in doubt: beside `[]`, given again in a second list
 * or object, or taken back by the prose (`takesBack`).
 *
 * Never throws, and takes time linear in the text: where reading a value fails, the search goes on behind that place.
 *
 * @param names of the tools
 */
export function parseTolerant(text: string, names: ReadonlySet<string>): Found {
  for (let from = 0; ;) {
    const found = new Search(text, names, from).run();
    if (typeof found !== 'number') return found;
    from = found;
  }
}

/** Whether a text between calls does not say that only one of them is meant. */
function separates(between: string): boolean {
  return between.replaceAll(/`{3,}[\w+-]*/g, '').replaceAll(separators, '') === '';
}

class Search {
  readonly #text: string;
  readonly #names: ReadonlySet<string>;
  /** What each list or object says. */
  readonly #values: (readonly ParsedCall[])[] = [];
  readonly #prose: string[] = [];
  /** The answer without reasoning up to `#keptTo`. */
  #kept = '';
  #keptTo: number;
  #at: number;
  #hasEmptyList = false;
  /** An empty list was met that says that no tool fits if no prose follows. */
  #endsInEmptyList = false;
  #isBehindCall = false;
  #hasProse = false;
  #hasMoreBehindCall = false;
  #mentionsCall = false;
  /** Why the first unfit value is no call: it counts if there is no prose that it could be part of. */
  #unfit: string | undefined;

  constructor(text: string, names: ReadonlySet<string>, from: number) {
    this.#text = text;
    this.#names = names;
    this.#at = from;
    this.#keptTo = from;
  }

  /** @returns a number if all before that place is reasoning, and the answer begins there */
  run(): Found | number {
    for (;;) {
      const next = this.#nextStart();
      if (next === undefined) break;
      const { tag } = next.groups ?? {};
      if (tag === undefined) {
        const reason = this.#read(next);
        if (reason !== undefined) return { kind: 'fault', reason };
      } else {
        const end = next.index + next[0].length;
        if (next[0].startsWith('</')) return end;
        if (!this.#skipReasoning(tag, next.index, end)) {
          return { kind: 'fault', reason: 'its reasoning does not end' };
        }
      }
    }
    const tail = this.#text.slice(this.#at);
    this.#pass(this.#text.length);
    const text = this.#kept + this.#text.slice(this.#keptTo);
    if (this.#values.length > 0) {
      const doubt = this.#doubt(tail);
      if (doubt !== undefined) return { kind: 'fault', reason: doubt };
      return { kind: 'calls', calls: this.#values.flat(), text };
    }
    if (this.#hasEmptyList || this.#endsInEmptyList) return { kind: 'calls', calls: [], text };
    const bare = text.replace(markup, '').trim();
    if (this.#hasProse && !emptyWords.has(bare) && !bracketed.test(bare)) {
      return { kind: 'prose', text };
    }
    return { kind: 'fault', reason: this.#unfit ?? 'it says nothing' };
  }

  #nextStart(): RegExpExecArray | undefined {
    const pattern = this.#isBehindCall ? following : start;
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) return match;
    if (!this.#isBehindCall) return undefined;
    this.#isBehindCall = false;
    return this.#nextStart();
  }

  #skipReasoning(tag: string, begin: number, end: number): boolean {
    const close = new RegExp(`</${tag}>`, 'gi');
    close.lastIndex = end;
    if (!close.test(this.#text)) return false;
    this.#pass(begin);
    this.#kept += this.#text.slice(this.#keptTo, begin);
    this.#at = close.lastIndex;
    this.#keptTo = this.#at;
    return true;
  }

  /** Passes what stands before a value. */
  #pass(end: number): void {
    if (this.#at === end) return;
    const passed = this.#text.slice(this.#at, end);
    const prose = passed.replace(markup, '');
    this.#prose.push(prose);
    this.#hasMoreBehindCall ||= this.#values.length > 0 && !separates(passed);
    if (letter.test(prose)) {
      this.#hasProse = true;
      this.#endsInEmptyList = false;
      for (const [, mentioned = ''] of prose.matchAll(mention)) {
        this.#mentionsCall ||= this.#names.has(mentioned);
      }
    }
    this.#at = end;
  }

  /** Reads what stands at a start, if these are calls; gives the reason if they should be and are not. */
  #read({ index, groups, 0: { length } }: RegExpExecArray): string | undefined {
    const bareName = groups?.name;
    this.#pass(index + length - 1 - (bareName?.length ?? 0));
    const begin = this.#at;
    const mustBeCall = this.#isBehindCall || this.#matches(listOfObjects, begin);
    const { value, end, problem, isCallLike } = readCallValue(this.#text, begin, this.#names);
    this.#isBehindCall = false;
    this.#endsInEmptyList = false;
    this.#at = Math.max(end, begin + 1);
    if (problem !== undefined) {
      const isFault =
        isCallLike || mustBeCall || (bareName !== undefined && this.#isBrokenCall(begin, end));
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
    if (calls.length === 0) {
      this.#noteEmptyList(Array.isArray(value), begin);
      return undefined;
    }
    if (this.#hasMoreBehindCall) return 'calls stand in two places with other text between';
    this.#values.push(calls);
    this.#isBehindCall = true;
    return undefined;
  }

  #noteEmptyList(isBare: boolean, begin: number): void {
    const isAlone =
      !isBare ||
      !this.#hasProse ||
      this.#matches(behindLabel, begin) ||
      this.#matches(onItsLine, begin);
    this.#hasEmptyList ||= isAlone;
    this.#endsInEmptyList = !isAlone && this.#matches(behindGap, begin);
  }

  /** Why calls that were read may not be meant, or not be all. */
  #doubt(tail: string): string | undefined {
    if (this.#mentionsCall) return 'a call stands within the prose';
    if (this.#isNextCall(tail)) return 'it ends within a call';
    if (this.#hasEmptyList || this.#endsInEmptyList) return 'calls and an empty list contradict';
    if (this.#repeatsCall()) return 'the same call stands twice, in two lists or objects';
    const words = takesBack(this.#prose.join('\n'));
    if (words === undefined) return undefined;
    return `the text around the calls says ${JSON.stringify(words.slice(0, 60))}, as if they were not meant`;
  }

  /** Whether a call of one value stands in another: twice in one list it is meant twice. */
  #repeatsCall(): boolean {
    if (this.#values.length === 1) return false;
    const earlier = new Set<string>();
    for (const calls of this.#values) {
      const texts = calls.map(canonicalText);
      if (texts.some((text) => earlier.has(text))) return true;
      for (const text of texts) earlier.add(text);
    }
    return false;
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

  /** Whether a text that begins with `name(` and cannot be read from `end` on stands alone, and calls a tool. */
  #isBrokenCall(begin: number, end: number): boolean {
    if (!this.#matches(brokenRest, end)) return false;
    const text = this.#text.slice(begin, brokenRest.lastIndex);
    return Array.from(text.matchAll(anyHead)).some(([, called = '']) => this.#names.has(called));
  }

  #matches(pattern: RegExp, at: number): boolean {
    pattern.lastIndex = at;
    return pattern.test(this.#text);
  }
}
