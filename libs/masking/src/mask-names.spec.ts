import { describe, expect, it } from 'vitest';
import { MaskSource } from './mask-names.js';

const many = Array.from({ length: 20_000 }, (_, index) => `p${index}`);

describe('MaskSource', () => {
  it.each([
    ['function', 5, 15],
    ['parameter', 4, 10],
  ] as const)('draws lengths and symbols of a hash for a %s evenly', (kind, least, most) => {
    const masks = [...new MaskSource('key', 'hash').masks(kind, '', many, new Map()).values()];
    const lengths = Map.groupBy(masks, (mask) => mask.length);
    const count = most - least + 1;
    expect(Math.min(...lengths.keys())).toBe(least);
    expect(Math.max(...lengths.keys())).toBe(most);
    for (const some of lengths.values())
      expect(some.length / masks.length).toBeCloseTo(1 / count, 1);
    const firsts = Map.groupBy(masks, (mask) => mask.charAt(0));
    expect([...firsts.keys()].toSorted().join('')).toMatch(/^[A-Za-z]{52}$/);
    const symbols = [...masks.map((mask) => mask.slice(1)).join('')];
    const bySymbol = Map.groupBy(symbols, (symbol) => symbol);
    expect(bySymbol.size).toBe(64);
    for (const some of bySymbol.values()) {
      expect(some.length / symbols.length).toBeGreaterThan(0.85 / 64);
      expect(some.length / symbols.length).toBeLessThan(1.15 / 64);
    }
  });

  it('draws every syllable of the short style about as often, and digits only when it runs out of them', () => {
    const counts = new Map<string, number>();
    for (let key = 0; key < 5_000; key++) {
      const [mask = ''] = new MaskSource(String(key), 'short')
        .masks('parameter', 'f', ['a'], new Map())
        .values();
      counts.set(mask, (counts.get(mask) ?? 0) + 1);
    }
    expect([...counts.keys()].join(' ')).toMatch(/^([a-z][aeiou] ?)+$/);
    const mean = 5_000 / counts.size;
    for (const count of counts.values()) {
      expect(count).toBeGreaterThan(mean * 0.5);
      expect(count).toBeLessThan(mean * 1.6);
    }
    const masks = [
      ...new MaskSource('k', 'short').masks('parameter', 'f', many, new Map()).values(),
    ];
    expect(new Set(masks).size).toBe(many.length);
    for (const mask of masks) expect(mask).toMatch(/^[a-z][aeiou][0-9]*$/);
    expect(masks.slice(0, 10).every((mask) => mask.length === 2)).toBe(true);
  });

  it('gives a name the same mask whoever else is there, and another one in another scope, kind, key or style', () => {
    const source = new MaskSource('key', 'hash');
    const of = (
      from: MaskSource,
      kind: 'function' | 'parameter',
      scope: string,
      names: string[],
    ): string | undefined => from.masks(kind, scope, names, new Map()).get('city');
    const mask = of(source, 'parameter', 'f', ['city']);
    expect(of(source, 'parameter', 'f', ['unit', 'city', 'x'])).toBe(mask);
    const others = [
      of(source, 'parameter', 'g', ['city']),
      of(source, 'function', 'f', ['city']),
      of(new MaskSource('key2', 'hash'), 'parameter', 'f', ['city']),
      of(new MaskSource('key', 'short'), 'parameter', 'f', ['city']),
    ];
    expect(others).not.toContain(mask);
    // The border between scope and name counts.
    const joined = source.masks('parameter', 'fc', ['ity'], new Map()).get('ity');
    expect(source.masks('parameter', 'f', ['city'], new Map()).get('city')).not.toBe(joined);
  });

  it('avoids what is taken', () => {
    const source = new MaskSource('key', 'hash');
    const [mask = ''] = source.masks('parameter', 'f', ['a'], new Map()).values();
    const [other = ''] = source.masks('parameter', 'f', ['a'], new Map([[mask, '']])).values();
    expect(other).not.toBe(mask);
  });
});
