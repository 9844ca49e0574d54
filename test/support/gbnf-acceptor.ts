import { type GbnfNode, readGbnf } from './gbnf.js';

/** Tells whether texts are in a grammar: a recogniser that tries all ways and remembers those of each rule. */
export class GbnfAcceptor {
  readonly #rules: ReadonlyMap<string, GbnfNode>;
  #text: number[] = [];
  #ends = new Map<string, Map<number, readonly number[]>>();

  constructor(grammar: string) {
    this.#rules = readGbnf(grammar);
  }

  accepts(text: string): boolean {
    this.#text = Array.from(text, (character) => character.codePointAt(0) ?? 0);
    this.#ends = new Map();
    return this.#rule('root', 0).includes(this.#text.length);
  }

  /** Where a rule that begins at `start` can end. */
  #rule(name: string, start: number): readonly number[] {
    const ends = this.#ends.get(name) ?? new Map<number, readonly number[]>();
    this.#ends.set(name, ends);
    const known = ends.get(start);
    if (known !== undefined) return known;
    const body = this.#rules.get(name);
    if (body === undefined) throw new Error(`no rule ${name}`);
    // A rule that leads to itself at the same place: llama.cpp refuses that.
    ends.set(start, []);
    const found = this.#match(body, start);
    ends.set(start, found);
    return found;
  }

  #match(node: GbnfNode, start: number): readonly number[] {
    switch (node.kind) {
      case 'rule':
        return this.#rule(node.name, start);
      case 'class': {
        const code = this.#text[start];
        if (code === undefined) return [];
        const isIn = node.ranges.some(([from, to]) => from <= code && code <= to);
        return isIn === node.negated ? [] : [start + 1];
      }
      case 'choice':
        return distinct(node.parts.flatMap((part) => this.#match(part, start)));
      case 'sequence': {
        let ends: readonly number[] = [start];
        for (const part of node.parts) {
          if (ends.length === 0) break;
          ends = this.#each(part, ends);
        }
        return ends;
      }
      case 'repeat': {
        const found = new Set<number>(node.min === 0 ? [start] : []);
        let ends: readonly number[] = [start];
        for (let count = 1; count <= node.max && ends.length > 0; count++) {
          ends = this.#each(node.part, ends);
          // Beyond the least count only what is new can lead further.
          if (count > node.min) ends = ends.filter((end) => !found.has(end));
          if (count >= node.min) for (const end of ends) found.add(end);
        }
        return [...found];
      }
    }
  }

  #each(node: GbnfNode, starts: readonly number[]): readonly number[] {
    const [only] = starts;
    if (starts.length === 1 && only !== undefined) return this.#match(node, only);
    return distinct(starts.flatMap((start) => this.#match(node, start)));
  }
}

function distinct(numbers: readonly number[]): readonly number[] {
  return numbers.length < 2 ? numbers : [...new Set(numbers)];
}
