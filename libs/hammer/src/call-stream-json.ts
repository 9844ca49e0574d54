/** Inside a number, by what was read of it last. */
type NumberState =
  'minus' | 'zero' | 'integer' | 'point' | 'fraction' | 'exponent' | 'sign' | 'power';
type State =
  | 'value'
  | 'first item'
  | 'first key'
  | 'key'
  | 'colon'
  | 'next'
  | 'text'
  | 'escape'
  | 'unicode'
  | 'word'
  | NumberState
  | 'done';

/** Where a number goes on: `1` stands for all digits but 0, `+` for both signs, `e` for `E` too. */
const numbers: Readonly<Record<NumberState, Readonly<Partial<Record<string, NumberState>>>>> = {
  minus: { 0: 'zero', 1: 'integer' },
  zero: { '.': 'point', e: 'exponent' },
  integer: { 0: 'integer', 1: 'integer', '.': 'point', e: 'exponent' },
  point: { 0: 'fraction', 1: 'fraction' },
  fraction: { 0: 'fraction', 1: 'fraction', e: 'exponent' },
  exponent: { 0: 'power', 1: 'power', '+': 'sign' },
  sign: { 0: 'power', 1: 'power' },
  power: { 0: 'power', 1: 'power' },
};
const endsNumber: ReadonlySet<State> = new Set<State>(['zero', 'integer', 'fraction', 'power']);
const words = new Map([
  ['t', 'rue'],
  ['f', 'alse'],
  ['n', 'ull'],
]);
/** What needs no second look inside a text: all but quotes, backslashes and control characters. */
const plain = /[ !#-[\]-\uffff]*/y;

/**
 * Follows one JSON value while its text arrives, and tells how far the text is JSON: what was taken always begins a
 * value that `JSON.parse` reads. Takes no memory but for the lists and objects that are open.
 */
export class JsonScanner {
  #state: State = 'value';
  /** What closes the open lists and objects. */
  readonly #open: ('}' | ']')[] = [];
  #isKey = false;
  /** Letters that a word still needs. */
  #word = '';
  /** Digits that a `\u` still needs. */
  #digits = 0;

  /** The value is whole. A bare number never is, as more digits may follow. */
  get isDone(): boolean {
    return this.#state === 'done';
  }

  /**
   * Takes the characters of `text` from `start` on. Gives the index of the first that it did not take: if that is not
   * the end of the text and the value is not done, no JSON value goes on with it.
   */
  take(text: string, start: number): number {
    let at = start;
    while (at < text.length && this.#state !== 'done') {
      if (this.#state === 'text') {
        plain.lastIndex = at;
        plain.test(text);
        at = plain.lastIndex;
        if (at === text.length) break;
      }
      if (!this.#takes(text.charAt(at))) break;
      at++;
    }
    return at;
  }

  #takes(char: string): boolean {
    switch (this.#state) {
      case 'text':
        if (char === '"') return this.#isKey ? this.#goTo('colon') : this.#endValue();
        return char === '\\' && this.#goTo('escape');
      case 'escape':
        this.#digits = 4;
        if (char === 'u') return this.#goTo('unicode');
        return '"\\/bfnrt'.includes(char) && this.#goTo('text');
      case 'unicode':
        this.#digits--;
        return /[0-9a-fA-F]/.test(char) && this.#goTo(this.#digits > 0 ? 'unicode' : 'text');
      case 'word':
        if (char !== this.#word.charAt(0)) return false;
        this.#word = this.#word.slice(1);
        return this.#word === '' ? this.#endValue() : true;
      case 'value':
        return isSpace(char) || this.#beginsValue(char);
      case 'first item':
        return isSpace(char) || this.#closes(char) || this.#beginsValue(char);
      case 'key':
        return isSpace(char) || this.#beginsKey(char);
      case 'first key':
        return isSpace(char) || this.#closes(char) || this.#beginsKey(char);
      case 'colon':
        return isSpace(char) || (char === ':' && this.#goTo('value'));
      case 'next':
        return (
          isSpace(char) || this.#closes(char) || (char === ',' && this.#goTo(this.#afterComma()))
        );
      case 'minus':
      case 'zero':
      case 'integer':
      case 'point':
      case 'fraction':
      case 'exponent':
      case 'sign':
      case 'power':
        return this.#continuesNumber(this.#state, char);
      case 'done':
        return false;
    }
  }

  #beginsKey(char: string): boolean {
    this.#isKey = true;
    return char === '"' && this.#goTo('text');
  }

  #beginsValue(char: string): boolean {
    this.#isKey = false;
    if (char === '"') return this.#goTo('text');
    if (char === '{' || char === '[') {
      this.#open.push(char === '{' ? '}' : ']');
      return this.#goTo(char === '{' ? 'first key' : 'first item');
    }
    const word = words.get(char);
    if (word !== undefined) {
      this.#word = word;
      return this.#goTo('word');
    }
    return char === '-' ? this.#goTo('minus') : this.#continuesNumber('minus', char);
  }

  #continuesNumber(state: NumberState, char: string): boolean {
    const next = numbers[state][numberKind(char)];
    if (next !== undefined) return this.#goTo(next);
    if (!endsNumber.has(state)) return false;
    this.#endValue();
    return this.#takes(char);
  }

  #closes(char: string): boolean {
    if (char !== this.#open.at(-1)) return false;
    this.#open.pop();
    return this.#endValue();
  }

  #afterComma(): State {
    return this.#open.at(-1) === '}' ? 'key' : 'value';
  }

  #endValue(): boolean {
    return this.#goTo(this.#open.length > 0 ? 'next' : 'done');
  }

  #goTo(state: State): true {
    this.#state = state;
    return true;
  }
}

/** JSON's white space. */
export function isSpace(char: string): boolean {
  return char === ' ' || char === '\n' || char === '\r' || char === '\t';
}

function numberKind(char: string): string {
  if (char >= '1' && char <= '9') return '1';
  if (char === 'E') return 'e';
  return char === '-' ? '+' : char;
}
