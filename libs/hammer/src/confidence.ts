/**
 * A generated token and the natural logarithm of its probability: of some servers (vLLM) among the tokens that the grammar
 * allowed, of others (llama.cpp) among all.
 */
export interface ScoredToken {
  readonly text: string;
  readonly logprob: number;
}

/**
 * How sure the model was of *what to do*: the probability, from 0 to 1, of the tokens that decide whether there is a
 * (further) call and which function it names. The tokens of the arguments do not count: long values would drown the
 * decision, and validation looks after their form.
 *
 * Expects the tokens of a complete answer, a JSON list of `{"name": …, "arguments": …}` or `[]`. Text that is not a
 * list has the confidence 0.
 */
export function decisionConfidence(tokens: readonly ScoredToken[]): number {
  const scan = new DecisionScan();
  let logprob = 0;
  for (const token of tokens) {
    // `map` before `some`: the scan must see every character, also behind a decisive one.
    const decisive = [...token.text].map((character) => scan.next(character)).some(Boolean);
    if (decisive) logprob += token.logprob;
  }
  return scan.isList ? Math.exp(Math.min(logprob, 0)) : 0;
}

/** Reads JSON character by character and tells which characters decide: list punctuation and the calls' names. */
class DecisionScan {
  /** Brackets and braces open around the current character; a call's own members are at depth 2. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The last string that ended at depth 2, and whether a colon followed: tells the key of the current value. */
  #string = '';
  #key: string | undefined;
  isList = false;

  /** Takes the next character; true if it belongs to a decision. */
  next(character: string): boolean {
    if (this.#inString) return this.#inText(character);
    switch (character) {
      case '"':
        this.#inString = true;
        this.#string = '';
        return false;
      case '[':
      case '{':
        this.isList ||= this.#depth === 0 && character === '[';
        this.#key = undefined;
        return ++this.#depth <= 2;
      case ']':
      case '}':
        return --this.#depth === 0;
      case ':':
        if (this.#depth === 2) this.#key = this.#string;
        return false;
      case ',':
        this.#key = undefined;
        return this.#depth === 1;
      default:
        return false;
    }
  }

  #inText(character: string): boolean {
    if (this.#escaped) this.#escaped = false;
    else if (character === '\\') this.#escaped = true;
    else if (character === '"') this.#inString = false;
    if (this.#inString) this.#string += character;
    // The closing quote counts: it decides between `send` and `send_all`.
    return this.#depth === 2 && this.#key === 'name';
  }
}
