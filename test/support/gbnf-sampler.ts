import { type GbnfNode, readGbnf } from './gbnf.js';
import { seededRandom } from './seeded-random.js';

/** What a class that excludes characters is drawn from. */
const pool = [...'aZ 0[]{}<|/é名😀\u007f\u2028"\\\n\0'].map((each) => each.codePointAt(0) ?? 0);
/** Rules within rules, from where on the way out is taken. */
const deep = 12;

/** Draws texts of a grammar, seeded. */
export class GbnfSampler {
  readonly #rules: ReadonlyMap<string, GbnfNode>;
  /** Rules within rules that each rule needs at least. */
  readonly #heights = new Map<string, number>();
  #random = seededRandom(0);

  constructor(grammar: string) {
    this.#rules = readGbnf(grammar);
    for (let changed = true; changed;) {
      changed = false;
      for (const [name, body] of this.#rules) {
        const height = this.#height(body) + 1;
        if (height < (this.#heights.get(name) ?? Infinity)) {
          this.#heights.set(name, height);
          changed = true;
        }
      }
    }
    if (!this.#heights.has('root')) throw new Error('the grammar has no finite text');
  }

  draw(seed: number): string {
    this.#random = seededRandom(seed);
    return this.#draw({ kind: 'rule', name: 'root' }, 0);
  }

  #draw(node: GbnfNode, depth: number): string {
    switch (node.kind) {
      case 'rule': {
        const body = this.#rules.get(node.name);
        if (body === undefined) throw new Error(`no rule ${node.name}`);
        return this.#draw(body, depth + 1);
      }
      case 'class':
        return this.#character(node.negated, node.ranges);
      case 'choice': {
        const heights = node.parts.map((part) => this.#height(part));
        const least = depth > deep ? Math.min(...heights) : Infinity;
        const open = node.parts.filter(
          (_, at) => (heights[at] ?? Infinity) <= least && heights[at] !== Infinity,
        );
        const picked = open[this.#below(open.length)];
        return picked === undefined ? '' : this.#draw(picked, depth);
      }
      case 'sequence':
        return node.parts.map((part) => this.#draw(part, depth)).join('');
      case 'repeat': {
        const { part, min, max } = node;
        const isStuck = depth > deep || this.#height(part) === Infinity;
        const span = isStuck ? 0 : this.#below(Math.min(max - min, 3) + 1);
        return Array.from({ length: min + span }, () => this.#draw(part, depth)).join('');
      }
    }
  }

  #height(node: GbnfNode): number {
    switch (node.kind) {
      case 'rule':
        return this.#heights.get(node.name) ?? Infinity;
      case 'class':
        return 0;
      case 'choice':
        return Math.min(...node.parts.map((part) => this.#height(part)));
      case 'sequence':
        return Math.max(0, ...node.parts.map((part) => this.#height(part)));
      case 'repeat':
        return node.min === 0 ? 0 : this.#height(node.part);
    }
  }

  #character(negated: boolean, ranges: readonly [number, number][]): string {
    const isIn = (code: number): boolean => ranges.some(([from, to]) => from <= code && code <= to);
    const codes = negated ? pool.filter((code) => !isIn(code)) : [];
    if (negated) return String.fromCodePoint(codes[this.#below(codes.length)] ?? 0);
    const [from, to] = ranges[this.#below(ranges.length)] ?? [0, 0];
    return String.fromCodePoint(from + this.#below(to - from + 1));
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }
}
