/** A grammar as read: shares no code with what writes it. Characters are code points. */
export type GbnfNode =
  | { kind: 'rule'; name: string }
  | { kind: 'class'; negated: boolean; ranges: [from: number, to: number][] }
  | { kind: 'sequence' | 'choice'; parts: GbnfNode[] }
  | { kind: 'repeat'; part: GbnfNode; min: number; max: number };

/** Reads GBNF, one rule a line. Throws on what llama.cpp would refuse: also unknown rules and rules defined twice. */
export function readGbnf(grammar: string): ReadonlyMap<string, GbnfNode> {
  const rules = new Map<string, GbnfNode>();
  const used = new Set<string>(['root']);
  for (const line of grammar.split('\n')) {
    const [, name, body] = /^([a-zA-Z][a-zA-Z0-9-]*) ::= (.*)$/su.exec(line) ?? [];
    if (name === undefined || body === undefined) throw new Error(`no rule: ${line}`);
    if (rules.has(name)) throw new Error(`rule ${name} is defined twice`);
    rules.set(name, new GbnfReader(body, used).read());
  }
  for (const name of used) if (!rules.has(name)) throw new Error(`no rule ${name}`);
  return rules;
}

class GbnfReader {
  readonly #characters: string[];
  readonly #used: Set<string>;
  #at = 0;

  constructor(body: string, used: Set<string>) {
    this.#characters = [...body];
    this.#used = used;
  }

  read(): GbnfNode {
    const node = this.#choice();
    if (this.#at < this.#characters.length) throw this.#error('more than an expression');
    return node;
  }

  #choice(): GbnfNode {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'choice', parts };
  }

  #sequence(): GbnfNode {
    const parts: GbnfNode[] = [];
    for (;;) {
      while (this.#take(' '));
      if (this.#isEnd() || this.#peek() === '|' || this.#peek() === ')') break;
      parts.push(this.#repeat(this.#item()));
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'sequence', parts };
  }

  #item(): GbnfNode {
    if (this.#take('(')) {
      const node = this.#choice();
      if (!this.#take(')')) throw this.#error('no )');
      return node;
    }
    if (this.#take('"')) return this.#literal();
    if (this.#take('[')) return this.#class();
    let name = '';
    while (/^[a-zA-Z0-9-]$/.test(this.#peek())) name += this.#next();
    if (name === '') throw this.#error('no item');
    this.#used.add(name);
    return { kind: 'rule', name };
  }

  #literal(): GbnfNode {
    const parts: GbnfNode[] = [];
    while (!this.#take('"')) {
      const code = this.#code();
      parts.push({ kind: 'class', negated: false, ranges: [[code, code]] });
    }
    return { kind: 'sequence', parts };
  }

  #class(): GbnfNode {
    const negated = this.#take('^');
    const ranges: [number, number][] = [];
    while (!this.#take(']')) {
      const from = this.#code();
      // A minus at the end stands for itself.
      const isRange = this.#peek() === '-' && this.#characters[this.#at + 1] !== ']';
      if (isRange) this.#next();
      // As in `[-+]`, where it stands first.
      ranges.push([from, isRange && from !== 0x2d ? this.#code() : from]);
    }
    return { kind: 'class', negated, ranges };
  }

  #code(): number {
    const character = this.#next();
    if (character !== '\\') return character.codePointAt(0) ?? 0;
    const escape = this.#next();
    if (escape === 'x') return Number.parseInt(this.#next() + this.#next(), 16);
    const known = new Map([...'"\\[]'].map((each) => [each, each])).set('n', '\n');
    const escaped = known.get(escape);
    if (escaped === undefined) throw this.#error('an unknown escape');
    return escaped.codePointAt(0) ?? 0;
  }

  #repeat(part: GbnfNode): GbnfNode {
    if (this.#take('?')) return { kind: 'repeat', part, min: 0, max: 1 };
    if (this.#take('*')) return { kind: 'repeat', part, min: 0, max: Infinity };
    if (!this.#take('{')) return part;
    let text = '';
    while (!this.#take('}')) text += this.#next();
    const [, least = '', comma, most = ''] = /^(\d+)(,?)(\d*)$/.exec(text) ?? [];
    if (least === '') throw this.#error('no count');
    const min = Number(least);
    const max = comma === '' ? min : most === '' ? Infinity : Number(most);
    if (max < min) throw this.#error('a count that nothing has');
    return { kind: 'repeat', part, min, max };
  }

  #isEnd(): boolean {
    return this.#at >= this.#characters.length;
  }

  #peek(): string {
    return this.#characters[this.#at] ?? '';
  }

  #next(): string {
    if (this.#isEnd()) throw this.#error('an end too early');
    return this.#characters[this.#at++] ?? '';
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #error(problem: string): Error {
    return new Error(`${problem} at ${this.#at} of ${this.#characters.join('').slice(0, 200)}`);
  }
}
