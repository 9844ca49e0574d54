/** Draws texts of a GBNF grammar, seeded: a reading of what `compileGrammar` wrote that shares no code with it. */
export class GbnfSampler {
  readonly #rules: ReadonlyMap<string, string>;
  readonly #random: () => number;
  #depth = 0;

  constructor(grammar: string, seed: number) {
    const rules = grammar.split('\n').map((line): [string, string] => {
      const at = line.indexOf(' ::= ');
      return [line.slice(0, at), line.slice(at + 5)];
    });
    this.#rules = new Map(rules);
    let state = seed;
    this.#random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
  }

  draw(rule = 'root'): string {
    const body = this.#rules.get(rule);
    if (body === undefined) throw new Error(`no rule ${rule}`);
    this.#depth += 1;
    const text = this.#expression(body);
    this.#depth -= 1;
    return text;
  }

  #expression(source: string): string {
    const alternatives = split(source, '|');
    // Deep down, the shortest way out: recursive values have to end.
    const pick = this.#depth > 12 ? 0 : Math.floor(this.#random() * alternatives.length);
    return split(alternatives[pick] ?? '', ' ')
      .map((item) => this.#item(item))
      .join('');
  }

  #item(item: string): string {
    const [, body = '', quantifier] = /^(.*?)([?*]|\{\d+(?:,\d*)?\})?$/s.exec(item) ?? [];
    const [least = 0, most = least + 3] =
      quantifier === undefined
        ? [1, 1]
        : quantifier === '?'
          ? [0, 1]
          : quantifier === '*'
            ? [0, 3]
            : /^\{(\d+)\}$/.test(quantifier)
              ? [Number(quantifier.slice(1, -1)), Number(quantifier.slice(1, -1))]
              : quantifier.slice(1, -1).split(',').filter(Boolean).map(Number);
    const span = this.#depth > 12 ? 0 : Math.floor(this.#random() * (most - least + 1));
    let text = '';
    for (let count = 0; count < least + span; count += 1) text += this.#once(body);
    return text;
  }

  #once(body: string): string {
    if (body.startsWith('(')) return this.#expression(body.slice(1, -1));
    if (body.startsWith('"')) return body.slice(1, -1).replaceAll(/\\(.)/g, '$1');
    if (!body.startsWith('[')) return this.draw(body);
    const samples: Record<string, string> = {
      '[^"\\\\\\x00-\\x1F\\x7F]': 'aZ 0[]{}<|é名😀\u2028',
      '["\\\\/bfnrt]': '"\\/bfnrt',
      '[0-9a-fA-F]': '09afAF',
      '[1-9]': '19',
      '[0-9]': '059',
      '[eE]': 'eE',
      '[-+]': '-+',
    };
    const characters = [...(samples[body] ?? '')];
    if (characters.length === 0) throw new Error(`no sample for ${body}`);
    return characters[Math.floor(this.#random() * characters.length)] ?? '';
  }
}

/** Splits at a separator outside quotes, classes and parentheses. */
function split(source: string, separator: string): string[] {
  const parts = [''];
  let depth = 0;
  let inside = '';
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at] ?? '';
    let taken = character;
    if (inside !== '') {
      if (character === '\\') taken += source[++at] ?? '';
      else if (character === inside) inside = '';
    } else if (character === '"') inside = '"';
    else if (character === '[') inside = ']';
    else if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
    else if (character === separator && depth === 0) {
      parts.push('');
      continue;
    }
    parts[parts.length - 1] += taken;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}
