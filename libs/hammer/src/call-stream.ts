import type { CallDelta } from '#libs/contracts';
import { isSpace, JsonScanner } from './call-stream-json.js';

/** Runs until it needs more text than the chunk holds; once resumed, it finds another chunk. */
type Reading<Value = void> = Generator<undefined, Value, undefined>;

const fence = '```';

/**
 * Reads a model's answer while it arrives, in chunks cut anywhere: a JSON list of `{name, arguments}`, or one such
 * object alone, bare or in one Markdown fence (with or without `json`); the two members in either order.
 *
 * A call's name is given once it is whole, the text of its arguments as it comes; arguments that come before the name
 * are held back for it. Nothing is repaired: at the first character that breaks the form reading ends for good, and
 * `failure` says why. What was given until then stays true.
 */
export class CallStream {
  readonly #reading: Reading = this.#answer();
  #chunk = '';
  #at = 0;
  /** Characters in the chunks before this one. */
  #before = 0;
  #deltas: CallDelta[] = [];
  #isWhole = false;
  #failure: string | undefined;

  /** The text so far is a whole answer. */
  get isComplete(): boolean {
    return this.#isWhole && this.#failure === undefined;
  }

  /** Why reading ended: what was expected, and at or just before which character (UTF-16 units from 0). */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Takes the next piece of the answer, and gives what it adds to the calls. Never throws. */
  push(text: string): CallDelta[] {
    this.#before += this.#chunk.length;
    this.#chunk = text;
    this.#at = 0;
    this.#deltas = [];
    if (text !== '') this.#reading.next();
    return this.#deltas;
  }

  *#answer(): Reading {
    const isFenced = (yield* this.#peek()) === '`';
    if (isFenced) {
      yield* this.#literal(fence);
      yield* this.#wait();
      if (this.#chunk.charAt(this.#at) === 'j') yield* this.#literal('json');
    }
    if ((yield* this.#peek()) === '{') yield* this.#call(0);
    else yield* this.#list();
    if (isFenced) yield* this.#mark(fence);
    this.#isWhole = true;
    yield* this.#peek();
    yield* this.#fail('nothing more');
  }

  *#list(): Reading {
    yield* this.#mark('[');
    if ((yield* this.#peek()) !== ']') {
      yield* this.#call(0);
      for (let index = 1; (yield* this.#peek()) === ','; index++) {
        this.#at++;
        yield* this.#call(index);
      }
    }
    yield* this.#mark(']');
  }

  *#call(index: number): Reading {
    const missing = new Set(['name', 'arguments']);
    let early = '';
    const give = (text: string): void => {
      if (missing.has('name')) early += text;
      else if (text !== '') this.#deltas.push({ type: 'arguments', index, text });
    };
    yield* this.#mark('{');
    for (const end of [',', '}']) {
      const key = yield* this.#string();
      if (!missing.has(key)) yield* this.#fail(`the key ${[...missing].join(' or ')}`);
      yield* this.#mark(':');
      if (key === 'name') {
        const name = yield* this.#string();
        if (name === '') yield* this.#fail('a name');
        this.#deltas.push({ type: 'name', index, name });
      } else {
        yield* this.#value('{', give);
      }
      missing.delete(key);
      if (key === 'name') give(early);
      yield* this.#mark(end);
    }
    this.#deltas.push({ type: 'end', index });
  }

  *#string(): Reading<string> {
    let text = '';
    yield* this.#value('"', (piece) => (text += piece));
    return JSON.parse(text) as string;
  }

  /** Passes the text of a JSON value that begins with `first`, and gives it piece by piece, no surrogate pair cut. */
  *#value(first: '"' | '{', give: (piece: string) => void): Reading {
    if ((yield* this.#peek()) !== first) yield* this.#fail(`'${first}'`);
    const scanner = new JsonScanner();
    let half = '';
    for (;;) {
      const end = scanner.take(this.#chunk, this.#at);
      const piece = half + this.#chunk.slice(this.#at, end);
      this.#at = end;
      half = end === this.#chunk.length && endsInHalf(piece) ? piece.slice(-1) : '';
      give(piece.slice(0, piece.length - half.length));
      if (scanner.isDone) return;
      if (end < this.#chunk.length) yield* this.#fail('JSON to go on');
      yield;
    }
  }

  /** Passes white space and one literal. */
  *#mark(literal: string): Reading {
    yield* this.#peek();
    yield* this.#literal(literal);
  }

  *#literal(literal: string): Reading {
    for (const char of literal) {
      yield* this.#wait();
      if (this.#chunk.charAt(this.#at) !== char) yield* this.#fail(`'${literal}'`);
      this.#at++;
    }
  }

  /** Passes white space, and gives the character behind it. */
  *#peek(): Reading<string> {
    for (;;) {
      while (this.#at < this.#chunk.length) {
        const char = this.#chunk.charAt(this.#at);
        if (!isSpace(char)) return char;
        this.#at++;
      }
      yield;
    }
  }

  *#wait(): Reading {
    while (this.#at === this.#chunk.length) yield;
  }

  *#fail(expected: string): Reading<never> {
    this.#failure = `expected ${expected} at character ${this.#before + this.#at}`;
    for (;;) yield;
  }
}

function endsInHalf(text: string): boolean {
  const unit = text.charCodeAt(text.length - 1);
  return unit >= 0xd800 && unit <= 0xdbff;
}
